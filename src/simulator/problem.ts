import { z } from 'zod';

/** Graph's error body. https://learn.microsoft.com/graph/errors */
export interface ErrorBody {
  error: {
    code: string;
    message: string;
    innerError: { '@odata.type': string; date: string; 'request-id': string; 'client-request-id': string };
  };
}

/** A refusal of a request, by Graph or by the simulator's own API. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export function errorBody(code: string, message: string, requestId: string, clientRequestId: string): ErrorBody {
  return {
    error: {
      code,
      message,
      innerError: {
        '@odata.type': '#microsoft.graph.ODataErrors.InnerError',
        // Graph writes the time without milliseconds and without a zone.
        date: new Date().toISOString().slice(0, 19),
        'request-id': requestId,
        'client-request-id': clientRequestId,
      },
    },
  };
}

/** An ended call is not to be found any more: Graph has no other answer for it. */
export function callNotFound(): Problem {
  return new Problem(404, '8522', 'Call not found.');
}

/** Checks what came from outside; every fault is named with its path. */
export function check<T extends z.ZodType>(schema: T, input: unknown, what: string): z.output<T> {
  const checked = schema.safeParse(input);
  if (checked.success) return checked.data;
  throw new Problem(400, 'BadRequest', `${what}: ${z.prettifyError(checked.error).replaceAll('\n', ' ')}`);
}
