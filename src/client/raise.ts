import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { goesBefore, type Priority } from '../contract/priority.ts';

/** A run, and how urgent it is by now. */
export interface Rankable {
  workflowId: string;
  runId: string;
  priority: Priority;
}

export function rankOf({ workflowId, runId, priority = {} }: WorkflowExecutionDescription): Rankable {
  return { workflowId, runId, priority };
}

/** It is of use at once or not at all. */
const WITHIN_MS = 2_000;

/**
 * Gives a run the priority of somebody who joins it, supersedes it or waits for it, if that is more urgent. Without this, an
 * unmute on request would wait behind all the mutes of policies if one of them runs on its call. A workflow task that waits
 * already moves up; an activity that waits stays where it is. What the run continues as inherits it.
 *
 * It is an order of work and no result, so nothing fails with it: an older server, or an older SDK of the caller, ignores it.
 */
export async function raise(client: Client, run: Rankable, priority: Priority): Promise<void> {
  if (!goesBefore(priority, run.priority)) return;
  const { workflowId, runId } = run;
  try {
    const { workflowService } = client.workflow;
    await client.withDeadline(Date.now() + WITHIN_MS, async () =>
      workflowService.updateWorkflowExecutionOptions({
        namespace: client.options.namespace,
        identity: client.options.identity ?? null,
        workflowExecution: { workflowId, runId },
        // As a whole: the key alone would be set to 0 by an SDK that does not know of priorities here.
        workflowExecutionOptions: { priority: { ...run.priority, priorityKey: priority.priorityKey ?? null } },
        updateMask: { paths: ['priority'] },
      }),
    );
  } catch {
    // It keeps its place.
  }
}
