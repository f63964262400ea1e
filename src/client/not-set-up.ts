import type { Client } from '@temporalio/client';
import { grpcErrorOf, grpcStatusOf } from './any-error.ts';
import { ModerationError } from './errors.ts';

/**
 * A namespace without the search attributes that workflows are started with. Its operator registers them once, with
 * `call-moderation setup`; then the same request succeeds.
 */

/** The error of a start, as `NotSetUp` if the server does not know a search attribute of it. */
export function orNotSetUp(error: unknown, { options: { namespace } }: Client): unknown {
  if (!isUnknownAttribute(error)) return error;
  const message =
    `Nothing was started: namespace ${namespace} lacks search attributes that operations need. ` +
    'Run `call-moderation setup` once, with the TEMPORAL_* variables of this deployment.';
  return new ModerationError('NotSetUp', message, { namespace }, error);
}

/** The server has no code of its own for that, only words. */
function isUnknownAttribute(error: unknown): boolean {
  return grpcStatusOf(error) === 'INVALID_ARGUMENT' && /search attribute/i.test(grpcErrorOf(error)?.details ?? '');
}
