/**
 * The names that the outside world relies on. Anyone who starts, signals, queries or lists operations with another
 * Temporal SDK or the Temporal CLI uses these strings, so none may change without a new major version.
 */

/** The two workflow types of operations, which are also the two actions of Graph's `call: mute` and `call: unmute`. */
export type Action = 'mute' | 'unmute';

/** The task queue of workers and clients that name no other. */
export const DEFAULT_TASK_QUEUE = 'call-moderation';

/**
 * Every workflow type. Start `mute`, `unmute`, `keepMuted` and `muteOnEntry` with any client of Temporal, under the
 * workflow ID that `workflowIdOf`, `muteLockIdOf` or `muteOnEntryIdOf` returns. The others are started by the webhook
 * (`liveCall`), by a schedule (`applyPolicy`), by a Nexus caller (`nexusOrder`) and by other workflows (`publishEvent`).
 */
export const WORKFLOW = {
  mute: 'mute',
  unmute: 'unmute',
  /** A mute lock or a timed mute. */
  keepMuted: 'keepMuted',
  muteOnEntry: 'muteOnEntry',
  /** An active call. */
  liveCall: 'liveCall',
  /** A run of a policy. */
  applyPolicy: 'applyPolicy',
  /** An operation for a Nexus caller. */
  nexusOrder: 'nexusOrder',
  /** The delivery of one event. */
  publishEvent: 'publishEvent',
} as const;

/**
 * Signals of a running operation, `mute` or `unmute`. The webhook sends the first three, clients send `supersede`, and
 * `watch` by workflows that want a signal when the operation ends. `keepMuted` and `muteOnEntry` take the first two, too.
 */
export const SIGNAL = {
  rosterUpdated: 'rosterUpdated',
  callEnded: 'callEnded',
  operationUpdated: 'operationUpdated',
  supersede: 'supersede',
  watch: 'watch',
} as const;

/** Signals of `keepMuted` and `muteOnEntry`: end now, and new terms from now on. */
export const STANDING_MUTE_SIGNAL = { release: 'release', extend: 'extend' } as const;

/** Signals of `liveCall`. The webhook sends the first two, clients send `label`. */
export const LIVE_CALL_SIGNAL = {
  callEstablished: 'callEstablished',
  callEnded: 'callEnded',
  label: 'label',
} as const;

/**
 * The signal that an operation sends to its watchers as it ends: `{ runId }`. They read the run to learn its outcome.
 */
export const OPERATION_ENDED = 'operationEnded';

/** The signal that a client sends to a closing run of a policy, once the change is made that the run is there for. */
export const POLICY_CHANGED = 'policyChanged';

/** Every query, by the workflow that answers it: `operation` is that of `mute` and `unmute`, `policy` of `applyPolicy`. */
export const QUERY = {
  operation: 'operation',
  keepMuted: 'keepMuted',
  muteOnEntry: 'muteOnEntry',
  liveCall: 'liveCall',
  policy: 'policy',
} as const;

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
