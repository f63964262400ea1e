import type {
  LeftBehind,
  Policies,
  PolicyChange,
  PolicyDescription,
  PolicySummary,
} from '../../client/policies/policies.ts';
import { ModerationError } from '../../client/errors.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import type { MuteOnEntryRule } from '../../contract/mute-on-entry.ts';
import type { Action } from '../../contract/names.ts';
import { UnreadablePayload } from '../../contract/unreadable.ts';
import { muteOnEntryRuleOf, isByRules } from '../../contract/mute-on-entry-check.ts';
import type {
  Policy,
  PolicyOverlap,
  PolicyReport,
  PolicyRules,
  PolicyStop,
  PolicyTarget,
  PolicyWhen,
  QuietHours,
} from '../../contract/policy.ts';
import { withClient } from '../client.ts';
import type { Context } from '../context.ts';
import { DONE, printJson, reporting } from '../exit.ts';
import { table } from '../table.ts';
import { take } from '../../lib/take.ts';
import { whomOf, type WhomFlags } from '../operations/whom.ts';

/** `policy create`, `update`, `list`, `describe`, `pause`, `resume`, `trigger`, `delete` and `backfill`. */

interface Json {
  json: boolean;
}

/** The fields of a policy; each flag sets the field of its name. */
export interface PolicyFlags extends Json, WhomFlags {
  action?: Action;
  call?: readonly string[];
  live?: boolean;
  tenantId?: string;
  label?: string;
  at?: readonly string[];
  days?: readonly string[];
  every?: string;
  cron?: readonly string[];
  once?: string;
  quietHours?: string;
  onEstablished?: boolean;
  onEntry?: boolean;
  entryFor?: number;
  moreThan?: number;
  timeZone?: string;
  start?: string;
  end?: string;
  jitter?: string;
  overlap?: PolicyOverlap;
  catchupWindow?: string;
  onConflict?: 'supersede' | 'queue' | 'reject';
  concurrency?: number;
  perSecond?: number;
  confirmWithinSeconds?: number;
  onUnconfirmed?: 'restore' | 'leave';
  requestedBy?: string;
  reason?: string;
  paused?: boolean;
  note?: string;
}

export async function create(this: Context, flags: PolicyFlags, id: string): Promise<void> {
  await reporting(this, flags.json, async () => {
    // The client reports missing fields, together with all other issues.
    const policy = { id, ...changeOf(flags) } as Policy;
    const { paused = false, note = '' } = flags;
    const made = await withClient(this, async ({ policies }) => await policies.create(policy, { paused, note }));
    return show(this, flags, made);
  });
}

export async function update(this: Context, flags: PolicyFlags, id: string): Promise<void> {
  await reporting(this, flags.json, async () => {
    const { note } = flags;
    const made = await withClient(this, async ({ policies }) => {
      const { policy: before } = await policies.describe(id);
      return await policies.update(id, { ...changeOf(flags, before), ...(note !== undefined && { note }) });
    });
    return show(this, flags, made);
  });
}

export async function describe(this: Context, flags: Json, id: string): Promise<void> {
  await reporting(this, flags.json, async () => {
    return show(this, flags, await withClient(this, async ({ policies }) => await policies.describe(id)));
  });
}

/** Policies that are read at a time, beside the list. */
const LOOKS = 20;

export async function list(this: Context, { json, limit }: Json & { limit: number }): Promise<void> {
  await reporting(this, json, async () => {
    const found = await withClient(this, async ({ policies }) => {
      const listed = await take(policies.list(), limit);
      const rules = new Map<string, Pick<Policy, 'rules'>>();
      const read = inParallel(listed, LOOKS, async ({ id }) => [id, await rulesOf(policies, id)] as const);
      for await (const [id, rule] of read) rules.set(id, rule);
      return listed.map((policy) => ({ ...policy, ...rules.get(policy.id) }));
    });
    if (json) printJson(this, found);
    else if (found.length === 0) this.process.stderr.write('No policies.\n');
    else {
      const rows = found.map((policy) => [
        policy.id,
        stateOf(policy, policy.rules),
        wordsOf(policy.rules),
        policy.note,
      ]);
      this.process.stdout.write(table([['POLICY', 'NEXT', 'RULES', 'NOTE'], ...rows]));
    }
    return DONE;
  });
}

/** Temporal's list does not contain them. A schedule that contains no policy that can be read here has none. */
async function rulesOf(policies: Policies, id: string): Promise<Pick<Policy, 'rules'>> {
  try {
    const { rules } = (await policies.get(id)) ?? {};
    return rules === undefined ? {} : { rules };
  } catch (error) {
    if (error instanceof ModerationError || error instanceof UnreadablePayload) return {};
    throw error;
  }
}

function wordsOf(rules: PolicyRules = {}): string {
  const entry = muteOnEntryRuleOf(rules);
  const lasts = entry?.forSeconds === undefined ? '' : ` for ${entry.forSeconds} s`;
  return [
    ...(rules.onEstablished === true ? ['on established'] : []),
    ...(entry === undefined ? [] : [`on entry${lasts}`]),
    ...(rules.moreThan === undefined ? [] : [`more than ${rules.moreThan}`]),
  ].join(', ');
}

export async function pause(this: Context, { json, note }: Json & { note?: string }, id: string): Promise<void> {
  await reporting(this, json, async () => {
    return tellLeft(this, json, await withClient(this, async ({ policies }) => await policies.pause(id, note)));
  });
}

export async function resume(this: Context, flags: Json & { note?: string }, id: string): Promise<void> {
  await reporting(this, flags.json, async () => {
    return show(this, flags, await withClient(this, async ({ policies }) => await policies.resume(id, flags.note)));
  });
}

export async function trigger(
  this: Context,
  { json, overlap }: Json & { overlap?: PolicyOverlap },
  id: string,
): Promise<void> {
  await reporting(this, json, async () => {
    const options = overlap === undefined ? {} : { overlap };
    await withClient(this, async ({ policies }) => await policies.trigger(id, options));
    return tellDone(this, json, id, 'triggered');
  });
}

export async function backfill(
  this: Context,
  { json, start, end, overlap }: Json & { start: string; end: string; overlap?: PolicyOverlap },
  id: string,
): Promise<void> {
  await reporting(this, json, async () => {
    const range = { start, end, ...(overlap !== undefined && { overlap }) };
    await withClient(this, async ({ policies }) => await policies.backfill(id, range));
    return tellDone(this, json, id, 'backfilled');
  });
}

export async function remove(this: Context, { json }: Json, id: string): Promise<void> {
  await reporting(this, json, async () => {
    return tellLeft(this, json, await withClient(this, async ({ policies }) => await policies.delete(id)));
  });
}

/** The fields that the flags name. In `when`, a new kind of time replaces the old one. */
function changeOf(flags: PolicyFlags, before?: Policy): Omit<PolicyChange, 'note'> {
  const { action, overlap, catchupWindow, onConflict, concurrency, perSecond } = flags;
  const target = targetOf(flags);
  const { at, days, every, cron, once, timeZone, start, end, jitter } = flags;
  const quietHours = quietHoursOf(flags);
  const way = given<PolicyWhen>({ at, days: quietHours ? undefined : days, every, cron, once, quietHours });
  const rest = given<PolicyWhen>({ timeZone, start, end, jitter });
  const when = { ...(Object.keys(way).length > 0 ? withoutWay(before?.when) : before?.when), ...way, ...rest };
  const { confirmWithinSeconds, onUnconfirmed, requestedBy, reason } = flags;
  const onEntry = onEntryOf(flags, before);
  const { onEstablished, moreThan } = flags;
  const rules = { ...before?.rules, ...given<PolicyRules>({ onEstablished, onEntry, moreThan }) };
  const whom = given({
    target: whomOf(isOnEntry(flags, before) ? { ...flags, except: undefined } : flags, ' or --on-entry'),
  });
  const request = {
    ...before?.request,
    ...given({ confirmWithinSeconds, onUnconfirmed, requestedBy, reason }),
    ...whom,
  };
  return {
    ...given<Policy>({ action, overlap, catchupWindow, onConflict, concurrency, perSecond }),
    ...(target !== undefined && { target }),
    // A policy of rules alone has no times.
    ...((Object.keys(when).length > 0 || isByRules(rules)) && { when }),
    ...(Object.keys(rules).length > 0 && { rules }),
    ...(Object.keys(request).length > 0 && { request }),
  };
}

function isOnEntry({ onEntry }: PolicyFlags, before?: Policy): boolean {
  return onEntry ?? muteOnEntryRuleOf(before?.rules) !== undefined;
}

/** The terms in the flags, merged into the old ones. `--except` belongs to these, unless it belongs to `--others`. */
function onEntryOf(flags: PolicyFlags, before?: Policy): PolicyRules['onEntry'] {
  const { entryFor: forSeconds, except } = flags;
  if (isOnEntry(flags, before)) {
    return { ...muteOnEntryRuleOf(before?.rules), ...given<MuteOnEntryRule>({ forSeconds, except }) };
  }
  if (forSeconds === undefined) return flags.onEntry;
  const fault = '--entry-for goes with --on-entry: give both, or neither';
  throw new ModerationError('InvalidRequest', fault, { issues: [fault] });
}

function withoutWay(when: PolicyWhen | undefined): PolicyWhen {
  const { timeZone, start, end, jitter } = when ?? {};
  return given<PolicyWhen>({ timeZone, start, end, jitter });
}

/** `22:00-06:00`, and the days that `--days` names. The client reports an invalid pair, with the field. */
function quietHoursOf({ quietHours, days }: PolicyFlags): QuietHours | undefined {
  if (quietHours === undefined) return undefined;
  const [from = '', to = ''] = quietHours.split('-');
  return { from, to, ...(days !== undefined && { days }) };
}

function targetOf({ call, live = false, tenantId, label }: PolicyFlags): PolicyTarget | undefined {
  const isLive = live || tenantId !== undefined || label !== undefined;
  if (call !== undefined && isLive) {
    const fault = 'give either --call, or --live, --tenant-id and --label for active calls, not both';
    throw new ModerationError('InvalidRequest', `The policy is not valid: ${fault}.`, { issues: [fault] });
  }
  if (call !== undefined) return { calls: call };
  return isLive ? { live: given({ tenantId, label }) } : undefined;
}

/** The fields that have a value. */
function given<T extends object>(fields: { [K in keyof T]?: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function show(context: Context, { json }: Json, description: PolicyDescription): number {
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
    ['next', stateOf(description, policy.rules)],
    ...nextTimes.slice(1, 3).map((time): [string, string] => ['', time]),
    ['note', note === '' ? undefined : note],
    ['runs', `${runs}, missed ${missed}, skipped ${skipped}`],
    ['last run', lastRun && `${lastRun.takenAt} ${lastRun.status}${wordsOfEnd(report)}`],
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

function wordsOfEnd({ missed, stopped }: Pick<PolicyReport, 'missed' | 'stopped'> = {}): string {
  if (missed === true) return ', too late to act';
  return stopped === undefined ? '' : STOPPED[stopped];
}

function stateOf({ paused, nextTimes }: PolicySummary, rules?: PolicyRules): string {
  return paused ? 'paused' : (nextTimes[0] ?? (isByRules(rules) ? 'when a call is established' : 'never'));
}

function tellLeft(context: Context, json: boolean, left: LeftBehind): number {
  if (json) printJson(context, left);
  else context.process.stdout.write([left.message, ...left.muted, ...(left.mutingOnEntry ?? []), ''].join('\n'));
  return DONE;
}

function tellDone(context: Context, json: boolean, id: string, what: string): number {
  if (json) printJson(context, { id, [what]: true });
  else context.process.stdout.write(`${what} ${id}\n`);
  return DONE;
}
