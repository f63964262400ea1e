import type { Client } from '@temporalio/client';
import { isAction, type Action } from '../../contract/names.ts';
import { checkRequest, type ModerationRequest } from '../../contract/request.ts';
import { UnreadablePayload, unreadableIn } from '../../contract/unreadable.ts';

/** The request of a run. */
export interface WorkflowInput {
  action: Action;
  request: ModerationRequest;
}

/** Throws if its caller may not know of a run that was asked for this. It is `undefined` if the input is no request. */
export type Admit = (asked: ModerationRequest | undefined) => void;

/**
 * Reads a run's input from the first event of its history. Every run has it there, also runs that were started
 * without our client and ended runs, and no worker is needed.
 *
 * @returns `undefined` if the input is not a valid request
 * @throws {UnreadablePayload} if the input is encrypted with a key that is missing here, so that it is unknown
 */
export async function readWorkflowInput(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
): Promise<WorkflowInput | undefined> {
  const { history } = await client.workflow.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  const action = started?.workflowType?.name;
  const checked = checkRequest(await readFirst(client, started?.input?.payloads?.slice(0, 1) ?? []));
  return isAction(action) && checked.ok ? { action, request: checked.request } : undefined;
}

type PayloadCodec = Client['workflow']['options']['loadedDataConverter']['payloadCodecs'][number];

/** As Temporal keeps them. */
export type Payloads = Parameters<PayloadCodec['decode']>[0];

/**
 * The first argument; nothing if no process will ever read it, as the workflow will find, too.
 *
 * @throws {UnreadablePayload} if its key is missing here
 */
export async function readFirst(client: Client, encoded: Payloads): Promise<unknown> {
  const { payloadCodecs, payloadConverter } = client.workflow.options.loadedDataConverter;
  try {
    let payloads = encoded;
    for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
    const [payload] = payloads;
    if (payload === undefined) return undefined;
    // A worker's codec has marked it, and a client that has none has passed it.
    const unreadable = unreadableIn(payload);
    if (unreadable !== undefined) throw unreadable;
    return readableOf(() => payloadConverter.fromPayload(payload));
  } catch (error) {
    if (error instanceof UnreadablePayload && error.missingKey === undefined) return undefined;
    throw error;
  }
}

function readableOf(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}
