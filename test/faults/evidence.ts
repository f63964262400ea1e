import type { Client } from '@temporalio/client';
import { sameId } from '../../src/contract/call-id.ts';
import type { ModerationRequest } from '../../src/contract/request.ts';
import type { TestCall } from '../support/service.ts';
import type { Evidence, JudgedRun, JudgedSignal } from './judge.ts';

/** Gathers what the judge reads of a call: the simulator's log, and Temporal's account of every run. */
export async function evidenceOf(client: Client, call: TestCall, isDelta = false): Promise<Evidence> {
  const runs = await runsOf(client, call);
  await call.settled();
  return { callId: call.id, participantId: call.participantId, log: call.log, runs, isDelta };
}

/** Every run on the call, once the last one has closed. */
async function runsOf(client: Client, { workflowId, participantId }: TestCall): Promise<JudgedRun[]> {
  const handle = client.workflow.getHandle(workflowId);
  const latest = await handle.describe().catch(() => undefined);
  if (latest === undefined) return [];
  await handle.result().catch(() => undefined);
  const newest = await handle.describe();
  // Visibility lags behind a little; the chain of runs is complete once the latest is known.
  const known = new Set<string>();
  for (let tries = 0; tries < 50 && !known.has(newest.runId); tries += 1) {
    for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) known.add(runId);
  }
  const runs = await Promise.all(
    [...known].map(async (runId) => await runOf(client, workflowId, runId, participantId)),
  );
  return runs.toSorted((a, b) => a.startedAt - b.startedAt);
}

async function runOf(client: Client, workflowId: string, runId: string, participantId: string): Promise<JudgedRun> {
  const handle = client.workflow.getHandle(workflowId, runId, { followRuns: false });
  const [{ events }, status, description] = await Promise.all([
    handle.fetchHistory(),
    handle.query<{ before?: JudgedRun['before']; request: ModerationRequest; action: 'mute' | 'unmute' }>('operation'),
    handle.describe(),
  ]);
  const outcome = description.typedSearchAttributes.get({ name: 'ModerationOutcome', type: 'KEYWORD' }) ?? 'unknown';
  const result = outcome === 'Confirmed' ? ((await handle.result()) as NonNullable<JudgedRun['result']>) : undefined;
  const signals = (events ?? []).flatMap((event): JudgedSignal[] => {
    const { signalName, input } = event.workflowExecutionSignaledEventAttributes ?? {};
    if (typeof signalName !== 'string') return [];
    const at = Number(event.eventTime?.seconds ?? 0) * 1_000 + (event.eventTime?.nanos ?? 0) / 1e6;
    return [{ name: signalName, at, ...told(input?.payloads?.[0]?.data, participantId) }];
  });
  const cancelled = description.memo?.['Cancelled'] as JudgedRun['details'];
  const failed = events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo;
  const data = failed?.details?.payloads?.[0]?.data;
  const details = data ? (JSON.parse(Buffer.from(data).toString()) as JudgedRun['details']) : cancelled;
  return {
    runId,
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
  };
  // A signal of a hostile client may be anything.
  if (payload.participants !== undefined && !Array.isArray(payload.participants)) return {};
  const own = payload.participants?.findLast(
    (entry) => typeof entry?.id === 'string' && sameId(entry.id, participantId),
  );
  return { isMuted: own?.isMuted, operationId: payload.operationId };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
