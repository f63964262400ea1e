import type { Client, WorkflowHandle } from '@temporalio/client';
import { QUERY, SIGNAL } from '../../contract/names.ts';
import type { OperationStatus } from '../../contract/operation.ts';

/** How long to wait for a worker's answer about the state of an operation, in ms. */
const STATUS_WITHIN_MS = 3_000;

/** A run that no worker takes has few events; one with more of them has been taken, and its worker is away. */
const NEWEST_EVENTS = 1_000;

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

  /**
   * Whether another operation takes over from this run. The history tells it if no worker answers: a run that has not taken
   * the signal yet hands over as soon as it does.
   */
  async isSuperseded({ workflowId }: WorkflowHandle, runId: string): Promise<boolean> {
    const { history } = await this.client.workflow.workflowService.getWorkflowExecutionHistoryReverse({
      namespace: this.client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: NEWEST_EVENTS,
    });
    return (history?.events ?? []).some(
      ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName === SIGNAL.supersede,
    );
  }
}
