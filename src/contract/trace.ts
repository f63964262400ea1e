/**
 * How a trace travels through Temporal: in the header that Temporal's own OpenTelemetry interceptors use in every
 * language, as the fields of W3C Trace Context (https://www.w3.org/TR/trace-context/). So the trace of a caller that
 * has those installed continues here.
 */
export const TRACE_HEADER = '_tracer-data';

export interface Carrier {
  traceparent: string;
  tracestate?: string;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** It becomes a header of HTTP again. */
const TRACESTATE = /^[ -~]{1,512}$/;

/** The trace in a header; `undefined` if it contains no valid one, because anyone may send a header. */
export function toCarrier(value: unknown): Carrier | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { traceparent, tracestate } = value as Record<string, unknown>;
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return undefined;
  const isState = typeof tracestate === 'string' && TRACESTATE.test(tracestate);
  return { traceparent, ...(isState && { tracestate }) };
}

/** The IDs of a run's own span, and of its trace if no caller has begun one: both follow from the run ID. */
export function idsOf(runId: string): { traceId: string; spanId: string } {
  const traceId = runId.replaceAll('-', '');
  return { traceId, spanId: traceId.slice(16) };
}

/** The same trace, below the span of a run. */
export function below({ traceparent, tracestate }: Carrier, runId: string): Carrier {
  const own = traceparent.replace(TRACEPARENT, `00-$1-${idsOf(runId).spanId}-$3`);
  return { traceparent: own, ...(tracestate !== undefined && { tracestate }) };
}
