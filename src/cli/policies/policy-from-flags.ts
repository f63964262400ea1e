import { ModerationError } from '../../client/errors.ts';
import type { PolicyChange } from '../../client/policies/policy-types.ts';
import { muteOnEntryRuleOf, isByRules } from '../../contract/mute-on-entry-check.ts';
import type { MuteOnEntryRule } from '../../contract/mute-on-entry.ts';
import type { Action } from '../../contract/names.ts';
import type {
  Policy,
  PolicyOverlap,
  PolicyRules,
  PolicyTarget,
  PolicyWhen,
  QuietHours,
} from '../../contract/policy.ts';
import { whomOf, type WhomFlags } from '../operations/whom.ts';

/** The fields of a policy; each flag sets the field of its name. */
export interface PolicyFlags extends WhomFlags {
  json: boolean;
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
  minParticipants?: number;
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

/** The fields that the flags name. In `when`, a new kind of time replaces the old one. */
export function changeOf(flags: PolicyFlags, before?: Policy): Omit<PolicyChange, 'note'> {
  const { action, overlap, catchupWindow, onConflict, concurrency, perSecond } = flags;
  const target = targetOf(flags);
  const { at, days, every, cron, once, timeZone, start, end, jitter } = flags;
  const quietHours = quietHoursOf(flags);
  const way = given<PolicyWhen>({ at, days: quietHours ? undefined : days, every, cron, once, quietHours });
  const rest = given<PolicyWhen>({ timeZone, start, end, jitter });
  const when = { ...(Object.keys(way).length > 0 ? withoutWay(before?.when) : before?.when), ...way, ...rest };
  const { confirmWithinSeconds, onUnconfirmed, requestedBy, reason } = flags;
  const onEntry = onEntryOf(flags, before);
  const { onEstablished, minParticipants } = flags;
  const rules = { ...before?.rules, ...given<PolicyRules>({ onEstablished, onEntry, minParticipants }) };
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
