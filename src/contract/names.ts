/**
 * The names that the outside world relies on. Anyone who starts, signals, queries or lists operations with another
 * Temporal SDK or the Temporal CLI uses these strings, so none may change without a new major version.
 */

/** The two workflow types, which are also the two actions of Graph's `call: mute` and `call: unmute`. */
export type Action = 'mute' | 'unmute';

export const DEFAULT_TASK_QUEUE = 'call-moderation';

/**
 * Signals of a running operation. The webhook sends the first three, clients send `supersede`, and `watch` by
 * workflows that want a signal when the operation ends.
 */
export const SIGNAL = {
  rosterUpdated: 'rosterUpdated',
  callEnded: 'callEnded',
  operationUpdated: 'operationUpdated',
  supersede: 'supersede',
  watch: 'watch',
} as const;

/**
 * The signal that an operation sends to its watchers as it ends: `{ runId }`. They read the run to learn its outcome.
 */
export const OPERATION_ENDED = 'operationEnded';

/** The workflow type of an active call. */
export const LIVE_CALL = 'liveCall';

/** Signals of an active call. The webhook sends the first two, clients send `label`. */
export const LIVE_CALL_SIGNAL = {
  callEstablished: 'callEstablished',
  callEnded: 'callEnded',
  label: 'label',
} as const;

/** The signal that a client sends to a closing run of a policy, once the change is made that the run is there for. */
export const POLICY_CHANGED = 'policyChanged';

export const QUERY = { operation: 'operation', liveCall: 'liveCall', policy: 'policy' } as const;

/** Search attributes. */
export const SEARCH_ATTRIBUTE = {
  callId: 'ModerationCallId',
  action: 'ModerationAction',
  outcome: 'ModerationOutcome',
  tenantId: 'ModerationTenantId',
  callState: 'ModerationCallState',
  labels: 'ModerationLabels',
  requestId: 'ModerationRequestId',
  /** `others` or `participants`; an operation on the application itself has none. */
  target: 'ModerationTarget',
} as const;

/** The type of each: one keyword, or several. */
export const SEARCH_ATTRIBUTE_TYPE = {
  ModerationCallId: 'Keyword',
  ModerationAction: 'Keyword',
  ModerationOutcome: 'Keyword',
  ModerationTenantId: 'Keyword',
  ModerationCallState: 'Keyword',
  ModerationLabels: 'KeywordList',
  ModerationRequestId: 'Keyword',
  ModerationTarget: 'Keyword',
} as const satisfies Record<(typeof SEARCH_ATTRIBUTE)[keyof typeof SEARCH_ATTRIBUTE], 'Keyword' | 'KeywordList'>;

/** Memo of a run that has superseded another: the `id` that its starter gave with `supersede`. */
export const STARTER_ID_MEMO = 'supersededBy';

/** Memo of a run that another workflow ordered: the `startId` of that order, which names it over all retries. */
export const START_ID_MEMO = 'startId';

/** Memo: when the operation was asked for, in ms since the epoch. Without it, the run's start time counts. */
export const WISHED_AT_MEMO = 'wishedAt';

/** Memo of a run that another workflow ordered: the ID of that workflow, which gets a signal at the end. */
export const WATCHER_MEMO = 'watcher';

/** Memo of a run that continues the same operation because its history became long. */
export const CONTINUES_MEMO = 'continues';

/**
 * Memo of a run from which another operation took over after it had come to its end: that end, which its callers get. Such a run
 * closes as continued, and cannot carry a result.
 */
export const ENDED_MEMO = 'ended';

/** Memo of a mute on entry that a policy has started: the policy's ID. */
export const POLICY_MEMO = 'policy';

/**
 * `ModerationOutcome` while the operation runs; afterwards `Confirmed`, `Partial`, `Cancelled` or the failure's type.
 */
export const PENDING = 'Pending';

/** `ModerationOutcome` of a mute of others that was confirmed of some of them. */
export const PARTIAL = 'Partial';

/** `isMuted` in the roster once the action has taken effect. */
export function wantedIsMuted(action: Action): boolean {
  return action === 'mute';
}

/** The action that makes the roster show `isMuted`. */
export function actionFor(isMuted: boolean): Action {
  return isMuted ? 'mute' : 'unmute';
}

export function isAction(value: unknown): value is Action {
  return value === 'mute' || value === 'unmute';
}
