import type { Policy, PolicyOverlap, PolicyReport } from '../../contract/policy.ts';

/** What a policy has besides its terms. */
export interface PolicyState {
  /**
   * Stored, but not run until it is resumed.
   *
   * @default false
   */
  paused?: boolean;
  /** For people: why it is there, or why it is paused. */
  note?: string;
}

/** A change of a policy: each given field replaces the old one. */
export type PolicyChange = Partial<Omit<Policy, 'id'>> & Pick<PolicyState, 'note'>;

/** A policy as Temporal lists it. */
export interface PolicySummary {
  id: string;
  paused: boolean;
  note: string;
  /** When it runs next, at most 10 times, ISO 8601 in UTC. Empty if it is paused or will not run any more. */
  nextTimes: string[];
}

/** A policy with its runs. Times are ISO 8601 in UTC. */
export interface PolicyDescription extends PolicySummary {
  policy: Policy;
  /** Runs that were started. */
  runs: number;
  /** Runs skipped because an outage lasted longer than the catch-up window. */
  missed: number;
  /** Runs that were not started because the one before had not ended. */
  skipped: number;
  createdAt: string;
  updatedAt?: string;
  lastRun?: PolicyRunRecord;
}

/** One run of a policy. Times are ISO 8601 in UTC. */
export interface PolicyRunRecord {
  workflowId: string;
  runId: string;
  /** When it was due. */
  scheduledAt: string;
  /** When it was started. */
  takenAt: string;
  /** As Temporal has it: `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED` or another end. */
  status: string;
  /** The report so far of a running run, if a worker answers. */
  report?: PolicyReport;
}

/** The calls that a stopped policy leaves muted. */
export interface LeftBehind {
  /**
   * Calls that its last run muted, that are muted by nothing newer, and that have not ended, as far as Temporal
   * knows.
   */
  muted: string[];
  /**
   * Calls with a running mute on entry that the policy has started, in any run or when they were established:
   * the first 2,000, if there are any. One that was running already, and was given the policy's terms, is its
   * starter's.
   */
  mutingOnEntry?: string[];
  /** A message with these numbers, and with what to do. */
  message: string;
}

/** A past period. */
export interface BackfillRange {
  /** Dates, as in a policy. */
  start: string;
  end: string;
  /** @default 'bufferAll' */
  overlap?: PolicyOverlap;
}
