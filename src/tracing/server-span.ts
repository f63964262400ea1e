import { context, SpanKind } from '@opentelemetry/api';
import { HttpError } from '../http/http-error.ts';
import { inSpan } from './span.ts';

/** Answers a request in a span of its own; never in one that a request brings along, which might be anyone's. */
export async function serverSpan<T extends { statusCode: number }>(
  name: string,
  answered: () => Promise<T>,
): Promise<T> {
  const status = 'http.response.status_code';
  const refused = await inSpan(name, { kind: SpanKind.SERVER }, context.active(), async (span) => {
    try {
      const answer = await answered();
      span.setAttribute(status, answer.statusCode);
      return answer;
    } catch (error) {
      // What we refuse is no failure of ours.
      if (!(error instanceof HttpError)) throw error;
      span.setAttribute(status, error.statusCode);
      if (error.statusCode >= 500) throw error;
      return error;
    }
  });
  if (refused instanceof HttpError) throw refused;
  return refused;
}
