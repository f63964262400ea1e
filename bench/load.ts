import { announce } from './child.ts';

/** A block of operations that one contender's client carries out: each on a call of its own, so many at once. */
export interface Load {
  calls: string[];
  atOnce: number;
}

/** One operation as its caller sees it, in ms since the epoch, so that it can be laid beside Temporal's timestamps. */
export interface Timing {
  callId: string;
  startedAt: number;
  /** Temporal has it. */
  acknowledgedAt: number;
  endedAt: number;
  fault?: string;
}

export interface LoadResult {
  elapsedMs: number;
  timings: Timing[];
}

/** What an operation may take; none of the contenders waits longer by itself. */
const OPERATION_WITHIN_MS = 60_000;

type Operation = (callId: string, acknowledge: () => void) => Promise<void>;

/** Carries out the blocks that the benchmark asks for. */
export function serveLoad(operation: Operation, news: Record<string, string> = {}): void {
  const answer = async (load: Load): Promise<void> => {
    process.send?.({ result: await carryOut(load, operation) });
  };
  process.on('message', (load: Load) => void answer(load));
  announce(news);
}

async function carryOut({ calls, atOnce }: Load, operation: Operation): Promise<LoadResult> {
  const timings: Timing[] = [];
  const left = calls.values();
  const began = performance.now();
  const lane = async (): Promise<void> => {
    for (const callId of left) timings.push(await time(callId, operation));
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return { elapsedMs: performance.now() - began, timings };
}

async function time(callId: string, operation: Operation): Promise<Timing> {
  const startedAt = now();
  const timing: Timing = { callId, startedAt, acknowledgedAt: startedAt, endedAt: startedAt };
  let late: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`no end within ${OPERATION_WITHIN_MS} ms`)), OPERATION_WITHIN_MS);
  });
  try {
    const work = operation(callId, () => {
      timing.acknowledgedAt = now();
    });
    await Promise.race([work, limit]);
  } catch (error) {
    timing.fault = error instanceof Error ? error.message : String(error);
  }
  clearTimeout(late);
  timing.endedAt = now();
  return timing;
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
