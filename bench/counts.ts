import proto, { type temporal } from '@temporalio/proto';

/**
 * What an operation costs, by exact count, as its history tells it. The benchmark prints these, and the tests hold them
 * (`test/operation/cost.test.ts`).
 */
export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

export interface Cost {
  events: number;
  workflowTasks: number;
  /** Regular activities that were scheduled. */
  activityTasks: number;
  localActivities: number;
  timers: number;
  signals: number;
  upserts: number;
  billableActions: number;
  visibilityWrites: number;
}

/** Events by type, such as `WorkflowTaskScheduled`. */
export function eventsByType(events: readonly HistoryEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const event of events) {
    const name = typeOf(event);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

export function typeOf({ eventType }: HistoryEvent): string {
  const name = proto.temporal.api.enums.v1.EventType[Number(eventType)] ?? 'EVENT_TYPE_UNKNOWN';
  const words = name.replace('EVENT_TYPE_', '').toLowerCase().split('_');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** Activities that send a heartbeat each. */
const HEARTBEATING: ReadonlySet<string> = new Set(['readAndMute', 'readAndUnmute']);

/**
 * Billable actions as Temporal's pricing page counts them (https://docs.temporal.io/cloud/pricing#action): the start of a
 * workflow, each attempt of an activity, each timer, each signal that a workflow gets, each upsert of search attributes,
 * whatever the number of them, and the local activities of one workflow task together. Search attributes that are set at
 * the start cost nothing, nor do workflow tasks, memo and summaries. Queries cost one each, and leave no event: the happy
 * path has none. The first attempt at an operation sends one heartbeat, which leaves no event either and is counted. A signal
 * that found no workflow stands in no history either, and may be counted all the same.
 */
export function costOf(events: readonly HistoryEvent[]): Cost {
  const of = eventsByType(events);
  const count = (...types: string[]): number => types.reduce((sum, type) => sum + (of[type] ?? 0), 0);
  const attempts = events
    .map(({ activityTaskStartedEventAttributes: started }) => started?.attempt ?? 0)
    .reduce((sum, attempt) => sum + attempt, 0);
  const local = events.filter(({ markerRecordedEventAttributes: marker }) => marker?.markerName === LOCAL_ACTIVITY);
  const localRounds = new Set(
    local.map((event) => String(event.markerRecordedEventAttributes?.workflowTaskCompletedEventId)),
  );
  const starts = count('WorkflowExecutionStarted');
  const heartbeats = events.filter(({ activityTaskScheduledEventAttributes: scheduled }) =>
    HEARTBEATING.has(scheduled?.activityType?.name ?? ''),
  ).length;
  const upserts = count('UpsertWorkflowSearchAttributes');
  const timers = count('TimerStarted');
  const signals = count('WorkflowExecutionSignaled');
  return {
    events: events.length,
    workflowTasks: count('WorkflowTaskScheduled'),
    activityTasks: count('ActivityTaskScheduled'),
    localActivities: local.length,
    timers,
    signals,
    upserts,
    billableActions: starts + attempts + heartbeats + timers + signals + upserts + localRounds.size,
    // At the start, with each change of what lists show, and at the end.
    visibilityWrites: starts + upserts + count('WorkflowPropertiesModified') + closings(of),
  };
}

const LOCAL_ACTIVITY = 'core_local_activity';

function closings(of: Record<string, number>): number {
  const ends = ['Completed', 'Failed', 'TimedOut', 'Canceled', 'Terminated', 'ContinuedAsNew'];
  return ends.reduce((sum, end) => sum + (of[`WorkflowExecution${end}`] ?? 0), 0);
}
