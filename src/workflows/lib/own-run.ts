import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import type { Failure } from './failures.ts';

/**
 * What every workflow asks of the run that it is: that it has the workflow ID which keeps it the only one of its kind on its
 * call, and that only a run of ours has left it anything beside its input.
 */

/** What a raw starter may have got wrong beside the input; `what` is a noun, such as "hold of this call". */
export function faultsOfStart(what: string, expectedId: string, rest: readonly unknown[]): string[] {
  const { workflowId, continuedFromExecutionRunId } = workflowInfo();
  const issues: string[] = [];
  if (workflowId !== expectedId)
    issues.push(`the workflow ID is ${workflowId}, but the ${what} must run as ${expectedId}`);
  if (rest.length > 0 && continuedFromExecutionRunId === undefined) {
    issues.push('the input must be one object; leave out the other arguments');
  }
  return issues;
}

/** What the run before has left to this one. It is set by a run that continues as this one, and by nothing else. */
export function carriedOf([first]: readonly unknown[]): object | undefined {
  const isOurs = workflowInfo().continuedFromExecutionRunId !== undefined;
  return isOurs && typeof first === 'object' && first !== null ? first : undefined;
}

/** The failure that closes a run. Temporal does not retry it. */
export function closing({
  type,
  message,
  details,
}: Pick<Failure, 'message' | 'details'> & { type: string }): ApplicationFailure {
  return ApplicationFailure.create({ type, message, details: [details], nonRetryable: true });
}
