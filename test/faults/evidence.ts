import type { Client } from '@temporalio/client';
import { resultOf } from '../../src/client/operations/run-result.ts';
import { sameId } from '../../src/contract/call-id.ts';
import { endedAs } from '../../src/contract/ended-as.ts';
import type { ModerationRequest } from '../../src/contract/request.ts';
import type { TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';
import type { Evidence, JudgedRun, JudgedSignal } from './judge.ts';

/** Gathers what the judge reads of a call: the simulator's log, and Temporal's account of every run. */
export async function evidenceOf(client: Client, call: TestCall, form: Evidence['form'] = {}): Promise<Evidence> {
  const runs = await runsOf(client, call);
  await call.settled();
  return { callId: call.id, participantId: call.participantId, log: call.log, runs, form };
}

/** Every run on the call, once the last one has closed. */
async function runsOf(client: Client, { workflowId, participantId }: TestCall): Promise<JudgedRun[]> {
  const handle = client.workflow.getHandle(workflowId);
  const latest = await handle.describe().catch(() => undefined);
  if (latest === undefined) return [];
  await handle.result().catch(() => undefined);
  const newest = await handle.describe();
  const known = new Set<string>();
  const list = async (): Promise<void> => {
    for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) known.add(runId);
  };
  // Lists lag behind, and not in order: what is missing of a chain, its neighbours tell.
  await until(list, () => known.has(newest.runId));
  await list();
  const runs: JudgedRun[] = [];
  for (const runId of known) {
    const run = await runOf(client, workflowId, runId, participantId);
    for (const neighbour of run.neighbours) known.add(neighbour);
    runs.push(run);
  }
  return runs.toSorted((a, b) => a.startedAt - b.startedAt);
}

async function runOf(
  client: Client,
  workflowId: string,
  runId: string,
  participantId: string,
): Promise<JudgedRun & { neighbours: string[] }> {
  const handle = client.workflow.getHandle(workflowId, runId, { followRuns: false });
  const [{ events }, status, description] = await Promise.all([
    handle.fetchHistory(),
    handle.query<{ before?: JudgedRun['before']; request: ModerationRequest; action: 'mute' | 'unmute' }>('operation'),
    handle.describe(),
  ]);
  const outcome = description.typedSearchAttributes.get({ name: 'ModerationOutcome', type: 'KEYWORD' }) ?? 'unknown';
  const result = outcome === 'Confirmed' ? ((await resultOf(handle)) as NonNullable<JudgedRun['result']>) : undefined;
  const signals = (events ?? []).flatMap((event): JudgedSignal[] => {
    const { signalName, input } = event.workflowExecutionSignaledEventAttributes ?? {};
    if (typeof signalName !== 'string') return [];
    const at = Number(event.eventTime?.seconds ?? 0) * 1_000 + (event.eventTime?.nanos ?? 0) / 1e6;
    return [{ name: signalName, at, ...told(input?.payloads?.[0]?.data, participantId) }];
  });
  const ended = endedAs(description.memo);
  const inMemo = ended !== undefined && 'failure' in ended ? ended.failure.details : description.memo?.['Cancelled'];
  const failed = events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo;
  const data = failed?.details?.payloads?.[0]?.data;
  const details = data
    ? (JSON.parse(Buffer.from(data).toString()) as JudgedRun['details'])
    : (inMemo as JudgedRun['details']);
  const neighbours = [
    events?.at(0)?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId,
    events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId,
  ];
  return {
    runId,
    neighbours: neighbours.flatMap((neighbour) => (neighbour ? [neighbour] : [])),
    action: status.action,
    startedAt: description.startTime.getTime(),
    closedAt: description.closeTime?.getTime(),
    confirmWithinSeconds: status.request.confirmWithinSeconds ?? 30,
    outcome,
    result,
    details,
    before: status.before,
    signals,
  };
}

/** What a signal says of the application, or of an operation. */
function told(data: Uint8Array | null | undefined, participantId: string): Partial<JudgedSignal> {
  if (!data || data.length === 0) return {};
  const payload = (parse(Buffer.from(data).toString()) ?? {}) as {
    operationId?: string;
    participants?: { id: string; isMuted: boolean }[];
    sequenceNumber?: number;
  };
  // A signal of a hostile client may be anything.
  if (payload.participants !== undefined && !Array.isArray(payload.participants)) return {};
  const own = payload.participants?.findLast(
    (entry) => typeof entry?.id === 'string' && sameId(entry.id, participantId),
  );
  return { isMuted: own?.isMuted, operationId: payload.operationId, sequence: payload.sequenceNumber };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
