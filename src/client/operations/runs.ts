import type { Client, WorkflowHandle } from '@temporalio/client';
import { QUERY } from '../../contract/names.ts';
import type { OperationStatus } from '../../contract/operation.ts';

/** How long to wait for a worker's answer about the state of an operation, in ms. */
const STATUS_WITHIN_MS = 3_000;

/** The runs of operations, as one client sees them. */
export class Runs {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  /** One run, without those that it continues as. */
  of(workflowId: string, runId: string): WorkflowHandle {
    return this.client.workflow.getHandle(workflowId, runId, { followRuns: false });
  }

  /** A worker's answer about a run; `undefined` if none answers. */
  async statusOf(handle: WorkflowHandle): Promise<OperationStatus | undefined> {
    try {
      return await this.client.withDeadline(Date.now() + STATUS_WITHIN_MS, () =>
        handle.query<OperationStatus>(QUERY.operation),
      );
    } catch {
      return undefined;
    }
  }
}
