import { isGrpcServiceError } from '@temporalio/client';
import { OperatorError } from '../lib/operator-error.ts';
import { reasonOf } from '../lib/error-reason.ts';

/** What Temporal's answer means to an operator: what it refused, and what to do. Its own words are not repeated. */
export interface Refusal {
  reason: string;
  remedy: string;
}

/** Thrown if a process cannot continue because Temporal has refused a request. */
export class TemporalRefused extends OperatorError {
  override readonly name = 'TemporalRefused';

  constructor({ reason, remedy }: Refusal, cause: unknown) {
    super(`${reason}. ${remedy}`, { cause });
  }
}

const GRPC = { deadlineExceeded: 4, notFound: 5, permissionDenied: 7, unavailable: 14, unauthenticated: 16 } as const;

/** `undefined` if `error` is no answer of Temporal's, nor the lack of one. */
export function refusalOf(error: unknown, address: string, namespace: string): Refusal | undefined {
  const status = statusOf(error);
  if (status === undefined) return undefined;
  switch (status.code) {
    case GRPC.deadlineExceeded:
    case GRPC.unavailable:
      return {
        reason: `Temporal does not answer at ${address} (${reasonOf(error)})`,
        remedy: 'Start it, or correct TEMPORAL_ADDRESS and TEMPORAL_TLS.',
      };
    case GRPC.notFound:
      return {
        reason: `Namespace not found: '${namespace}'`,
        remedy: 'Create it, or set TEMPORAL_NAMESPACE to yours.',
      };
    case GRPC.permissionDenied:
    case GRPC.unauthenticated:
      return {
        reason: `Temporal refuses these credentials (${reasonOf(error)})`,
        remedy: 'Check TEMPORAL_API_KEY or TEMPORAL_TLS_*, and their permissions.',
      };
    default:
      return {
        reason: `Temporal refuses the request (${reasonOf(error)}, gRPC status ${status.code})`,
        remedy: 'Check the TEMPORAL_* variables, and read the log of the server.',
      };
  }
}

/** The status itself, or that of what caused `error`: the SDK wraps some. */
function statusOf(error: unknown): { code: number } | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (isGrpcServiceError(at)) return { code: at.code };
    if (at.name === 'NamespaceNotFoundError') return { code: GRPC.notFound };
  }
  return undefined;
}
