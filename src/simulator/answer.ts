import type { Caller } from './access-tokens.ts';
import type { Call } from './call.ts';
import type { RequestFault } from './faults.ts';
import type { Posting } from './notifier.ts';
import { isPending, type Operation } from './operation.ts';
import { Problem } from './problem.ts';

/** What a handler of Graph's API is asked, what it makes of it, and how a fault bends that. */
export interface Ask {
  readonly call: Call | undefined;
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  /** The body as text; a handler that wants one reads it with `jsonOf`. */
  readonly text: string;
  readonly contentType: string;
}

export interface Outcome {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => unknown;
  readonly effect?: () => Posting;
  /** The operation that stands for the effect: one that a fault leaves pending takes effect when it ends. */
  readonly operation?: Operation;
}

export type Handler = (ask: Ask) => Outcome;

export type Answer = Pick<Outcome, 'status' | 'headers'> & { payload: unknown };
export type Plan = boolean | { afterMs: number } | 'atEnd';

/** Whether and when the effect is done. */
export function planOf(fault: RequestFault | undefined, operation: Operation | undefined): Plan {
  if (fault?.effect !== undefined) return fault.effect;
  if (fault?.answer !== undefined) return false;
  if (operation && isPending(operation)) return 'atEnd';
  return operation?.status !== 'failed';
}

/** Gives an operation the status that the fault asks for. */
export function bend(operation: Operation, fault: RequestFault | undefined): void {
  if (!fault?.operation) return;
  operation.status = fault.operation.status;
  if (operation.status === 'failed') operation.resultInfo = fault.operation.result;
}

export function scriptedAnswer(scripted: Exclude<RequestFault['answer'], string | undefined>): Answer {
  const { status, code = 'UnknownError', message = `The simulator was told to answer ${status}.` } = scripted;
  const retryAfter = scripted.retryAfter === undefined ? {} : { 'retry-after': String(scripted.retryAfter) };
  if (scripted.rawBody !== undefined) {
    return { status, headers: { ...retryAfter, 'content-type': scripted.contentType }, payload: scripted.rawBody };
  }
  return { status, headers: retryAfter, payload: new Problem(status, code, message) };
}

export function refusal(error: unknown): Answer {
  const problem =
    error instanceof Problem
      ? error
      : new Problem(500, 'InternalServerError', `The simulator failed: ${String(error)}`);
  return { status: problem.status, headers: problem.headers, payload: problem };
}

/** For the log, whatever becomes of the request. */
export function contextIn(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null || !('clientContext' in body)) return undefined;
    return typeof body.clientContext === 'string' ? body.clientContext.slice(0, 300) : undefined;
  } catch {
    return undefined;
  }
}

/** The body of a request whose content type must be JSON. */
export function jsonOf({ text, contentType }: Ask): unknown {
  if (!/^application\/json\b/i.test(contentType)) {
    throw new Problem(415, 'UnsupportedMediaType', 'The content type must be application/json.');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Problem(400, 'BadRequest', 'Unable to read JSON request payload.');
  }
}
