import { ModerationError } from './errors.ts';

/**
 * Deployments may share a namespace, each with a task queue of its own, and two of them can even be in one call.
 * Workflow IDs are made of call IDs alone, so an ID does not say whose workflow it is. The task queue does: a
 * deployment signals, changes and ends only workflows of its own queue.
 *
 * `describe` returns the queue that a run was started on, also while a worker keeps the run in its cache and polls a
 * sticky queue of its own.
 */
export function requireOwnDeployment(
  { workflowId, taskQueue }: { workflowId: string; taskQueue: string },
  own: string,
  callId: string,
): void {
  if (taskQueue !== own) throw otherDeployment(callId, `workflow ${workflowId}`, taskQueue, own);
}

/** `what` is in a sentence, such as "the mute lock". */
export function otherDeployment(callId: string, what: string, taskQueue: string, own: string): ModerationError {
  const message = `Nothing was done to call ${callId}, because ${what} belongs to another deployment: its task queue is ${taskQueue}, and this client's is ${own}. Ask that deployment, or use a client with its task queue.`;
  return new ModerationError('OtherDeployment', message, { callId });
}
