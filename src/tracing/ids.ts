import { randomBytes } from 'node:crypto';

/**
 * IDs of spans: random ones, but for a span that is to have a certain ID, so that others can name it before it is
 * there.
 */
export interface Ids {
  traceId?: string;
  spanId?: string;
}

let chosen: Ids = {};

/** Spans that `work` begins, before it returns, get these IDs; a trace's only where they have no parent. */
export function withIds<T>(ids: Ids, work: () => T): T {
  chosen = ids;
  try {
    return work();
  } finally {
    chosen = {};
  }
}

/** OpenTelemetry's `IdGenerator`. */
export const idGenerator = {
  generateTraceId: (): string => chosen.traceId ?? randomBytes(16).toString('hex'),
  generateSpanId: (): string => chosen.spanId ?? randomBytes(8).toString('hex'),
};
