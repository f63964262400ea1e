import { ActivityCancellationType, proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/types.ts';
import { EVENT_RETRY } from '../contract/event.ts';

/** One attempt at a request to Graph takes at most this long. */
export const ATTEMPT_MS = 10_000;

/** Before the second attempt at a request to Graph, unless Graph says when. */
export const RETRY_MS = 500;

/** From the request to Graph's answer, with all attempts. */
export const REQUEST_MS = 60_000;

/** After a restore, until a read shows it. */
export const VERIFY_MS = 10_000;

/** One attempt to read what policies there are: a thousand take a few seconds if each request takes 100 ms. */
const RULES_MS = 30_000;

/**
 * Graph's answers decide which failures are retried (`src/graph/errors.ts` marks the others as not retryable), and a
 * `Retry-After` of Graph takes the place of the interval.
 */
const OPTIONS = {
  startToCloseTimeout: ATTEMPT_MS,
  scheduleToCloseTimeout: REQUEST_MS,
  retry: { initialInterval: RETRY_MS, backoffCoefficient: 2, maximumInterval: 5_000 },
} satisfies ActivityOptions;

/** Reads change nothing, so one that is no longer wanted is let go at once. */
export const reads = proxyActivities<
  Pick<Activities, 'readCall' | 'readState' | 'readParticipantCount' | 'readParticipant' | 'readRoster'>
>({
  ...OPTIONS,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/**
 * A POST that is under way is never aborted: the activity does not heartbeat, so a cancellation cannot reach it. It
 * keeps Temporal from trying once more, and the workflow waits for the answer of the attempt that runs.
 */
export const posts = proxyActivities<Pick<Activities, 'postMute' | 'postUnmute' | 'postMuteParticipant'>>({
  ...OPTIONS,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/**
 * The first attempt at an operation, and the only one of its kind. A cancellation between two attempts would lose
 * what was read, so Temporal makes no second one.
 */
export const firstAttempts = proxyActivities<Pick<Activities, 'readAndMute' | 'readAndUnmute'>>({
  startToCloseTimeout: ATTEMPT_MS,
  scheduleToCloseTimeout: REQUEST_MS,
  retry: { maximumAttempts: 1 },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** Requests to Temporal itself. If it does not answer in time, the workflow continues without the answer. */
const ASKED_OF_TEMPORAL = {
  startToCloseTimeout: ATTEMPT_MS,
  scheduleToCloseTimeout: 3 * ATTEMPT_MS,
  retry: { initialInterval: 500, backoffCoefficient: 2, maximumInterval: 5_000 },
} satisfies ActivityOptions;

export const lookups = proxyActivities<Pick<Activities, 'readLatestOperation' | 'readMuteOnEntry'>>({
  ...ASKED_OF_TEMPORAL,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

export const operationReads = proxyActivities<Pick<Activities, 'readOperation'>>({
  ...ASKED_OF_TEMPORAL,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/**
 * These start something, so a cancellation waits for the attempt that is under way, and keeps Temporal from trying once
 * more: nothing is started after the cancellation.
 */
export const operationStarts = proxyActivities<Pick<Activities, 'startOperation'>>({
  ...ASKED_OF_TEMPORAL,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

export const muteOnEntryStarts = proxyActivities<Pick<Activities, 'startMuteOnEntry'>>({
  ...ASKED_OF_TEMPORAL,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** Temporal's lists, asked until they answer. */
export const lists = proxyActivities<Pick<Activities, 'listLiveCalls'>>({
  startToCloseTimeout: ATTEMPT_MS,
  retry: { initialInterval: 500, backoffCoefficient: 2, maximumInterval: 10_000 },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/**
 * The rules of policies, requested until Temporal answers, so that nobody stays muted because it was slow for a
 * moment.
 */
export const rules = proxyActivities<
  Pick<Activities, 'policyLevel' | 'policyOnEstablished' | 'quietCalls' | 'quietUntil' | 'isLeftMuted'>
>({
  startToCloseTimeout: RULES_MS,
  retry: { initialInterval: 500, backoffCoefficient: 2, maximumInterval: 30_000 },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** How long an event is tried to be delivered. */
const EVENT_MS = 24 * 3_600_000;

/** A POST to the receiver of events ends by itself before its limit. Operations go before it, if tasks wait for a worker. */
export const eventPosts = proxyActivities<Pick<Activities, 'postEvent'>>({
  startToCloseTimeout: 2 * ATTEMPT_MS,
  scheduleToCloseTimeout: EVENT_MS,
  retry: EVENT_RETRY,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
  priority: { priorityKey: 5 },
});
