import { toSeconds } from './duration.ts';
import type { MuteOnEntryRule } from './mute-on-entry.ts';
import type { Action } from './names.ts';
import type { ModerationRequest, OnConflict } from './request.ts';

/**
 * A policy: an action on many calls, by schedule. It is stored as the only argument of a Temporal Schedule, and
 * nowhere else; each time the schedule fires, the workflow `applyPolicy` receives it.
 *
 * What a run needs of it is checked in `policy-check.ts`. Its times (`when`) are checked when the schedule is
 * created.
 */
export interface Policy {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  id: string;
  action: Action;
  target: PolicyTarget;
  when: PolicyWhen;
  /**
   * What to do if it is due and the previous run has not ended. Not with `when.quietHours`: no run of them is ever
   * skipped, and none waits for another.
   *
   * @default 'skip' if it mutes, 'bufferOne' if it unmutes
   */
  overlap?: PolicyOverlap;
  /**
   * How late it may still run after an outage of Temporal or of all workers: seconds, or such as `15m`, at least 10
   * seconds. Runs that are later are skipped. Not with `when.quietHours`: a late run of them does what is right when it
   * runs.
   *
   * @default a minute if it mutes, an hour if it unmutes
   */
  catchupWindow?: number | string;
  /** Rules besides the schedule. */
  rules?: PolicyRules;
  /** Of each operation, as `mute` and `unmute` take them. */
  request?: PolicyRequest;
  /**
   * What to do on a call if another operation runs there to which it cannot attach.
   *
   * @default 'supersede'
   */
  onConflict?: OnConflict;
  /**
   * Operations at a time, 1 to 50.
   *
   * @default 10
   */
  concurrency?: number;
  /**
   * Operations started in a second, 1 to 50.
   *
   * @default 10
   */
  perSecond?: number;
}

/** Calls by their IDs, or all active calls, optionally only those of a tenant or with a label. */
export type PolicyTarget = { calls: readonly string[] } | { live: { tenantId?: string; label?: string } };

/** The fields of a request that a policy can set for all of its operations. */
export type PolicyRequest = Pick<
  ModerationRequest,
  'tenantId' | 'confirmWithinSeconds' | 'onUnconfirmed' | 'requestedBy' | 'reason' | 'target'
>;

/**
 * As the overlap policies of Temporal's schedules: skip the run; start it when the running one ends, one (`bufferOne`) or
 * all; cancel or terminate the running one; run beside it.
 * https://docs.temporal.io/schedule#overlap-policy
 */
export type PolicyOverlap = 'skip' | 'bufferOne' | 'bufferAll' | 'cancelOther' | 'terminateOther' | 'allowAll';

/** Rules of a policy besides its schedule. */
export interface PolicyRules {
  /**
   * Also mute the application in a call of the target when it is established. Only with `mute`; then `when` may be
   * empty.
   */
  onEstablished?: boolean;
  /**
   * Start a mute on entry in a call of the target instead of an operation: when the call is established, and whenever
   * the policy runs, which gives a running one these terms. It is active for `forSeconds`, or until it is released,
   * and never mutes the participants in `except`. With `mute`; then `when` may be empty. Not with `onEstablished`,
   * `minParticipants` and `quietHours`, nor with settings of operations: `onConflict`, and `request` except its `tenantId`,
   * `requestedBy` and `reason`.
   */
  onEntry?: boolean | MuteOnEntryRule;
  /**
   * Act only on calls with at least this many participants (2 to 100). Calls that are already in the wanted state are
   * skipped. Evaluated when the policy runs, so `when.every` bounds the delay. Not with `onEstablished`, `onEntry`
   * and `quietHours`.
   */
  minParticipants?: number;
}

/**
 * Exactly one of `at`, `every`, `cron`, `once` and `quietHours`. Durations are seconds, or such as `90s`, `15m`,
 * `1h30m`, `1d`.
 */
export interface PolicyWhen {
  /** Times of day, such as `18:00` or `07:30:15`. */
  at?: string | readonly string[];
  /**
   * With `at`: the days, such as `mon`, `friday`, `weekdays`, `weekends`.
   *
   * @default every day
   */
  days?: readonly string[];
  /** Time between two runs: a duration. */
  every?: number | string;
  /** With 5 to 7 fields, as Temporal reads them. */
  cron?: string | readonly string[];
  /** A date: ISO 8601 in `timeZone` or with an offset, `now`, `in 2h`, `today 18:00` or `tomorrow 09:30`. */
  once?: string;
  /**
   * With `mute`: the calls of the target are muted in these hours, also those that are established meanwhile, and
   * unmuted after them. A run looks at the clock, so it does what is right when it works, however late that is.
   */
  quietHours?: QuietHours;
  /**
   * The time zone of all of these, such as `Europe/Berlin`.
   *
   * @default 'UTC'
   */
  timeZone?: string;
  /** Not before, and not after: dates. */
  start?: string;
  end?: string;
  /** Delays each run by a random time up to this long, so that not everything happens at once. */
  jitter?: number | string;
}

/** Times of day; if `to` is before `from`, it is on the next day. */
export interface QuietHours {
  /** Such as `22:00`. */
  from: string;
  to: string;
  /**
   * On which they begin.
   *
   * @default every day
   */
  days?: readonly string[];
}

export const DEFAULT_CONCURRENCY = 10;
export const DEFAULT_PER_SECOND = 10;

/** How long ago a begin or an end of quiet hours may be and still start a run: an end must survive any outage. */
const QUIET_CATCHUP_SECONDS = 7 * 86_400;
const MUTE_CATCHUP_SECONDS = 60;

/** People end things with an unmute, so it may be later, and is not dropped because another run has not ended. */
const UNMUTE_CATCHUP_SECONDS = 3_600;

/** What a policy does if a run is due while another one is running. */
export function overlapOf({ action, overlap, when }: Policy): PolicyOverlap {
  if (when.quietHours !== undefined) return 'allowAll';
  return overlap ?? (action === 'unmute' ? 'bufferOne' : 'skip');
}

/** How late a run of a policy may be; `undefined` if its `catchupWindow` is not a duration. */
export function catchupSecondsOf({ action, catchupWindow, when }: Policy): number | undefined {
  if (when.quietHours !== undefined) return QUIET_CATCHUP_SECONDS;
  if (catchupWindow !== undefined) return toSeconds(catchupWindow);
  return action === 'unmute' ? UNMUTE_CATCHUP_SECONDS : MUTE_CATCHUP_SECONDS;
}

/** Calls that a policy can list; with more, address them by a label. */
export const MAX_CALLS = 1_000;

/** The report of a run: counts, and the first calls of each kind, so that it stays small for any number of calls. */
export interface PolicyReport {
  policyId: string;
  action: Action;
  /** ISO 8601, UTC. */
  startedAt: string;
  endedAt?: string;
  /** Calls that were addressed. */
  calls: number;
  /**
   * Number of calls by outcome: `Confirmed`, `Partial`, or a failure's type, as an operation's outcome; `BelowMinimum`,
   * `AlreadyDone` by rule, and `StillQuiet` if another policy's quiet hours keep the call muted. If the policy mutes
   * on entry: `Started`, `Extended` if one was running already, `NotBegun` if it has not yet read who is in the call,
   * or the failure.
   */
  outcomes: Record<string, number>;
  /** The first 2,000 calls that were confirmed. */
  confirmed: string[];
  /** The first 100 calls that were not, and why. */
  failures: { callId: string; type: string; message: string }[];
  /**
   * If the policy mutes others: how many participants were muted, of how many, in all and in each of the first 1,000
   * calls.
   */
  others?: MutedOthers & { inCalls: (MutedOthers & { callId: string })[] };
  /** No worker was there when it was due, for longer than `catchupWindow`: nothing was done. */
  missed?: true;
  /** Why the run ended before it had addressed every call. */
  stopped?: PolicyStop;
}

/**
 * - `hours`: quiet hours began or ended meanwhile, so another run does what is right now
 * - `changed`: the policy was changed or deleted while the run muted
 * - `notDue`: the clock shows this time once more, and quiet hours begin or end the second time
 * - `deadline`: the run took longer than a run may
 */
export type PolicyStop = 'hours' | 'changed' | 'notDue' | 'deadline';

/** How many of the participants to mute were muted: everyone in the target, without those who have left or wait in the lobby. */
export interface MutedOthers {
  muted: number;
  /** All of them. */
  of: number;
}

/**
 * An argument of a run, beside the policy as it was before a change: unmute what its quiet hours have muted and no
 * quiet hours keep muted any more.
 */
export interface Closing {
  closing: true;
}

/** A client makes a change of a policy within this time, or not at all. */
export const CHANGE_WITHIN_MS = 60_000;

const POLICY_PREFIX = 'call-moderation/policy/';

/**
 * The ID of the policy's Temporal Schedule. Its runs have the same workflow ID, with the time appended.
 *
 * @example
 * scheduleIdOf('quiet-night'); // 'call-moderation/policy/quiet-night'
 */
export function scheduleIdOf(policyId: string): string {
  return POLICY_PREFIX + policyId;
}

export function policyIdOf(scheduleId: string): string | undefined {
  const id = scheduleId.startsWith(POLICY_PREFIX) ? scheduleId.slice(POLICY_PREFIX.length) : '';
  return isPolicyId(id) ? id : undefined;
}

export function isPolicyId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}
