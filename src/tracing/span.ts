import { SpanStatusCode, trace, type Context, type Span, type SpanOptions } from '@opentelemetry/api';

/**
 * Spans through OpenTelemetry's API, which does nothing until an SDK is installed (`otel.ts`). They hold IDs,
 * statuses and words of ours: no token, no name, no body.
 */

export const tracer = trace.getTracer('call-moderation');

/** Runs `work` in a span that is the active one meanwhile. What it throws is told by its type alone, and thrown on. */
export async function inSpan<T>(
  name: string,
  options: SpanOptions,
  parent: Context,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  return await tracer.startActiveSpan(name, options, parent, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      markFailed(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

function markFailed(span: Span, error: unknown): void {
  const told = error instanceof Error && 'type' in error && typeof error.type === 'string' ? error.type : undefined;
  const type = told ?? (error instanceof Error ? error.name : 'unknown');
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, message: type });
}
