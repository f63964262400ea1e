import type { AnyFailureDetails, FailureType } from '../contract/failure.ts';
import { OperatorError } from '../lib/operator-error.ts';

/**
 * A request to Graph that did not succeed. The message is for people and quotes nothing of a body.
 * https://learn.microsoft.com/graph/errors
 */
export class GraphError extends OperatorError {
  override readonly name = 'GraphError';
  /** The type that an operation fails with because of it. */
  readonly type: FailureType;
  /** Whether the same request may succeed later. */
  readonly isRetryable: boolean;
  /** Graph's status, code and request ID, if it answered. */
  readonly details: AnyFailureDetails;

  constructor(
    type: FailureType,
    message: string,
    options: { isRetryable?: boolean; details?: AnyFailureDetails } = {},
  ) {
    super(message);
    this.type = type;
    this.isRetryable = options.isRetryable ?? false;
    this.details = options.details ?? {};
  }
}

/** As much of an HTTP answer as an error needs. */
export interface Answer {
  status: number;
  clientRequestId: string;
  headers: Record<string, string | string[] | undefined>;
  body: unknown;
}

/**
 * The error for an answer that is not a success, to a request that was to do `what` ("mute call …").
 *
 * Statuses and codes: https://learn.microsoft.com/graph/errors, and for calls the numbers that Graph's calling
 * service puts in `error.code`: 8522 (call not found), 7503 (calling is not enabled for the application), 7504 (the
 * tenant has not consented).
 */
export function fromAnswer(what: string, answer: Answer, permission = 'Calls.Initiate.All'): GraphError {
  const code = codeOf(answer.body);
  const requestId = requestIdOf(answer);
  const retryAfterSeconds = retryAfterOf(answer);
  const details: AnyFailureDetails = {
    status: answer.status,
    clientRequestId: answer.clientRequestId,
    ...(code !== undefined && { code }),
    ...(requestId !== undefined && { requestId }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
  const said = `Graph answered ${answer.status}${code === undefined ? '' : ` (code ${code})`} when asked to ${what}`;
  const { type, remedy, isRetryable = false } = meaningOf(answer.status, code, retryAfterSeconds, permission);
  return new GraphError(type, `${said}: ${remedy}`, { isRetryable, details });
}

interface Meaning {
  type: FailureType;
  remedy: string;
  isRetryable?: boolean;
}

function meaningOf(
  status: number,
  code: string | undefined,
  retryAfterSeconds: number | undefined,
  permission: string,
): Meaning {
  if (status === 401) {
    const remedy = "the token is invalid. Check the application's credentials, its tenant and the cloud.";
    return { type: 'Unauthorized', remedy };
  }
  if (status === 403) return { type: 'PermissionDenied', remedy: remedyForRefusal(code, permission) };
  if (status === 404 || status === 410) {
    const remedy = 'there is no such call. Check the call ID, and that the call was made by this application.';
    return { type: 'CallNotFound', remedy };
  }
  if (status === 429) {
    const remedy =
      retryAfterSeconds === undefined ? 'it is throttling.' : `it is throttling. Retry after ${retryAfterSeconds} s.`;
    return { type: 'GraphUnavailable', remedy, isRetryable: true };
  }
  if (status === 408 || status >= 500) {
    const remedy = 'it is temporarily unavailable.';
    return { type: 'GraphUnavailable', remedy, isRetryable: true };
  }
  if (status >= 300 && status < 400) {
    const remedy = 'redirects are not followed. Set MODERATION_GRAPH_URL to the address of Graph itself.';
    return { type: 'OperationFailed', remedy };
  }
  const remedy =
    'it refuses the request. Look up the status and the code in the reference of Graph; support needs the request ID.';
  return { type: 'OperationFailed', remedy };
}

function remedyForRefusal(code: string | undefined, permission: string): string {
  switch (code) {
    case '7503':
      return 'the application is not registered for calling. Enable calling for the bot in its Teams channel.';
    case '7504':
      return `the tenant has not granted the application's permissions. Have its administrator consent to ${permission}.`;
    default:
      return `the application may not do this. It needs ${permission}, granted before the call was created.`;
  }
}

/** `error.code`; some refusals hide theirs in a JSON string that stands in `error.message`. */
function codeOf(body: unknown): string | undefined {
  const error = fieldOf(body, 'error');
  const wrapped = fieldOf(error, 'message');
  if (typeof wrapped === 'string' && wrapped.trimStart().startsWith('{')) {
    const code = toCode(fieldOf(parse(wrapped), 'errorCode'));
    if (code !== undefined) return code;
  }
  return toCode(fieldOf(error, 'code'));
}

/** Codes are words and numbers; anything else is not let into histories and logs. */
function toCode(value: unknown): string | undefined {
  const code = typeof value === 'number' ? String(value) : value;
  return typeof code === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(code) ? code : undefined;
}

export function requestIdOf({ headers, body }: Pick<Answer, 'headers' | 'body'>): string | undefined {
  const inner = fieldOf(fieldOf(body, 'error'), 'innerError') ?? fieldOf(fieldOf(body, 'error'), 'innererror');
  return toCode(headers['request-id']) ?? toCode(fieldOf(inner, 'request-id'));
}

/** Seconds from `Retry-After`, which is a number of seconds or an HTTP date. RFC 9110, section 10.2.3. */
export function retryAfterOf({ headers }: Pick<Answer, 'headers'>): number | undefined {
  const value = headers['retry-after'];
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1_000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
