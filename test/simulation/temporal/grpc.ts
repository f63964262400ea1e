/** Errors as gRPC brings them to the SDK's client. */
export const GRPC = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  unavailable: 14,
} as const;

export function grpcError(code: number, details: string): Error {
  const metadata = { get: () => [], getMap: () => ({}) };
  return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata });
}
