import { msNumberToTs } from '@temporalio/common/lib/time.js';
import type { temporal } from '@temporalio/proto';
import type { Timer } from '../clock.ts';
import type { Activity } from './activity.ts';
import type { Command, Instance, Job } from './instance.ts';
import type { Worker } from './worker.ts';

export type Payload = temporal.api.common.v1.IPayload;
export type Fields = Record<string, Payload>;
export type Failure = temporal.api.failure.v1.IFailure;

export const STATUS = {
  running: 1,
  completed: 2,
  failed: 3,
  cancelled: 4,
  terminated: 5,
  continued: 6,
  timedOut: 7,
} as const;

/** What a run was started with. */
export interface Start {
  workflowId: string;
  type: string;
  taskQueue: string;
  input: Payload[];
  memo: Fields;
  attributes: Fields;
  headers: Fields;
  requestId?: string | undefined;
  continuedFrom?: Run | undefined;
}

/** One workflow task that was done: what a replay repeats. */
export interface Done {
  time: number;
  historyLength: number;
  historySize: number;
  jobs: readonly Job[];
  commands: readonly Command[];
}

/** One run as the server keeps it. */
export class Run {
  readonly start: Start;
  readonly runId: string;
  readonly firstRunId: string;
  readonly startedAt: number;
  /** Its place among all starts. */
  readonly order: number;
  status: number = STATUS.running;
  closedAt: number | undefined;
  closeEvent: temporal.api.history.v1.IHistoryEvent | undefined;
  next: Run | undefined;
  memo: Fields;
  attributes: Fields;
  isCancelRequested = false;
  cancelRequestedAt: number | undefined;
  /** Events that no workflow task has seen yet. */
  pending: Job[] = [];
  readonly done: Done[] = [];
  task: { state: 'scheduled' | 'started'; jobs: Job[]; timeout?: Timer } | undefined;
  taskFailures = 0;
  cached: { instance: Instance; worker: Worker } | undefined;
  readonly timers = new Map<number, Timer>();
  readonly activities = new Map<number, Activity>();
  events = 1;
  bytes = 0;
  signals = 0;
  readonly signalNames: string[] = [];
  /** When it was told to end, and has not been told otherwise since. */
  releasedAt: number | undefined;
  /** Operations that it has ordered, and when. */
  readonly ordered: { at: number; order: Payload }[] = [];
  /** Why the server has ended it, where it has gone over a limit. */
  overLimit: string | undefined;
  readonly onClose: (() => void)[] = [];

  constructor(start: Start, runId: string, startedAt: number, order: number) {
    this.start = start;
    this.runId = runId;
    this.firstRunId = start.continuedFrom?.firstRunId ?? runId;
    this.startedAt = startedAt;
    this.order = order;
    this.releasedAt = start.continuedFrom?.releasedAt;
    this.memo = { ...start.memo };
    this.attributes = { ...start.attributes };
    this.bytes = sizeOf(start.input) + 500;
  }

  get isOpen(): boolean {
    return this.status === STATUS.running;
  }

  /** Counts events, with the payloads that they carry. */
  count(events: number, payloads: readonly Payload[] = []): void {
    this.events += events;
    this.bytes += events * 120 + sizeOf(payloads);
  }
}

export function sizeOf(payloads: readonly Payload[]): number {
  return payloads.reduce((sum, { data }) => sum + (data?.length ?? 0) + 30, 0);
}

export function toTimestamp(ms: number) {
  return msNumberToTs(ms);
}
