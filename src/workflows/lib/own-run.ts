import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import type { Failure } from './failures.ts';

/**
 * Every workflow checks its own run: it must have the workflow ID that makes it the only one of its kind on its call,
 * and only a run of ours may have passed on anything beside its input.
 */

/** What a raw starter may have got wrong beside the input; `what` is a noun, such as "mute lock of this call". */
export function faultsOfStart(what: string, expectedId: string, rest: readonly unknown[]): string[] {
  const { workflowId, continuedFromExecutionRunId } = workflowInfo();
  const issues: string[] = [];
  if (workflowId !== expectedId)
    issues.push(`the workflow ID is ${workflowId}, but the workflow ID of the ${what} must be ${expectedId}`);
  if (rest.length > 0 && continuedFromExecutionRunId === undefined) {
    issues.push('the input must be one object; leave out the other arguments');
  }
  return issues;
}

/** The state that the previous run carried over. Only a run that continues as this one sets it. */
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
