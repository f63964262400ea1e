import type { LeftBehind, PolicyDescription, PolicySummary } from '../../client/policies/policy-types.ts';
import { muteOnEntryRuleOf, isByRules } from '../../contract/mute-on-entry-check.ts';
import type { PolicyReport, PolicyRules, PolicyStop } from '../../contract/policy.ts';
import type { Context } from '../context.ts';
import { DONE, printJson } from '../exit.ts';
import { table } from '../table.ts';

/** What the commands print about a policy. Each function returns the exit code. */

export function printPolicy(context: Context, { json }: { json: boolean }, description: PolicyDescription): number {
  if (json) {
    printJson(context, description);
    return DONE;
  }
  const { policy, note, nextTimes, runs, missed, skipped, createdAt, lastRun } = description;
  const { report } = lastRun ?? {};
  const came = Object.entries(report?.outcomes ?? {}).map(([outcome, count]) => `${outcome} ${count}`);
  const rows: [string, string | undefined][] = [
    ['policy', policy.id],
    ['action', policy.action],
    ['target', JSON.stringify(policy.target)],
    ['whom', policy.request?.target && JSON.stringify(policy.request.target)],
    ['when', JSON.stringify(policy.when)],
    ['rules', policy.rules && JSON.stringify(policy.rules)],
    ['next', nextRunOf(description, policy.rules)],
    ...nextTimes.slice(1, 3).map((time): [string, string] => ['', time]),
    ['note', note === '' ? undefined : note],
    ['runs', `${runs}, missed ${missed}, skipped ${skipped}`],
    ['last run', lastRun && `${lastRun.takenAt} ${lastRun.status}${endInWords(report)}`],
    ['outcomes', came.length > 0 ? came.join(', ') : undefined],
    ['others', report?.others && `${report.others.muted} of ${report.others.of} muted`],
    ['created', createdAt],
  ];
  context.process.stdout.write(table(rows.filter((row): row is [string, string] => row[1] !== undefined)));
  return DONE;
}

const STOPPED = {
  hours: ', stopped because the quiet hours began or ended',
  changed: ', stopped because the policy was changed',
  notDue: ', nothing was due',
  deadline: ', stopped because it took too long',
} as const satisfies Record<PolicyStop, string>;

function endInWords({ missed, stopped }: Pick<PolicyReport, 'missed' | 'stopped'> = {}): string {
  if (missed === true) return ', too late to act';
  return stopped === undefined ? '' : STOPPED[stopped];
}

export function nextRunOf({ paused, nextTimes }: PolicySummary, rules?: PolicyRules): string {
  return paused ? 'paused' : (nextTimes[0] ?? (isByRules(rules) ? 'when a call is established' : 'never'));
}

export function printLeft(context: Context, json: boolean, left: LeftBehind): number {
  if (json) printJson(context, left);
  else context.process.stdout.write([left.message, ...left.muted, ...(left.mutingOnEntry ?? []), ''].join('\n'));
  return DONE;
}

export function printDone(context: Context, json: boolean, id: string, what: string): number {
  if (json) printJson(context, { id, [what]: true });
  else context.process.stdout.write(`${what} ${id}\n`);
  return DONE;
}

export function rulesInWords(rules: PolicyRules = {}): string {
  const entry = muteOnEntryRuleOf(rules);
  const lasts = entry?.forSeconds === undefined ? '' : ` for ${entry.forSeconds} s`;
  return [
    ...(rules.onEstablished === true ? ['on established'] : []),
    ...(entry === undefined ? [] : [`on entry${lasts}`]),
    ...(rules.minParticipants === undefined ? [] : [`at least ${rules.minParticipants} participants`]),
  ].join(', ');
}
