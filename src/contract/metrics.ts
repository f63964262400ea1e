/**
 * The metrics of operations that a worker exports. The workflows record it (`src/workflows/lib/metrics.ts`) and
 * Temporal's Core serves it, with the labels `namespace`, `taskQueue` and `workflowType` beside ours.
 */
export const METRIC = {
  operations: 'call_moderation_operations_total',
  acceptance: 'call_moderation_acceptance_seconds',
  confirmation: 'call_moderation_confirmation_seconds',
  muteLocks: 'call_moderation_mute_locks_total',
  mutesAgain: 'call_moderation_mute_lock_mutes_total',
  mutesOnEntry: 'call_moderation_mutes_on_entry_total',
  mutedOnEntry: 'call_moderation_muted_on_entry_total',
  events: 'call_moderation_events_total',
} as const;

/** Help of the counters. The first caller that creates a counter sets its help. */
export const OPERATIONS_HELP = 'Operations that have ended, by action and outcome.';
export const MUTE_LOCKS_HELP = 'Mute locks and timed mutes that have ended, by outcome.';
export const MUTES_AGAIN_HELP = 'Re-mutes of calls that are kept muted, after somebody else unmuted them.';

export const MUTES_ON_ENTRY_HELP = 'Mutes on entry that have ended, by outcome.';
export const MUTED_ON_ENTRY_HELP = 'People who were muted when they joined a call.';

export const EVENTS_HELP = 'Events that were delivered or given up, by type and outcome.';

/** Upper bounds in seconds: a request is asked for 60 s at the most, a confirmation waited for up to 300. */
export const METRIC_BUCKETS = {
  [METRIC.acceptance]: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60],
  [METRIC.confirmation]: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300],
};
