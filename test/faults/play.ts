import type { OperationHandle } from '../../src/client/operation-handle.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import type { ModerationRequest } from '../../src/contract/request.ts';
import type { Service, TestCall } from '../support/service.ts';
import { judge, type JudgedRun, type Verdict } from './judge.ts';
import type { Scenario, Step } from './scenario.ts';

export interface Played extends Verdict {
  runs: number;
  faults: number;
  outcomes: string[];
}

/** Plays a scenario on a call of its own, waits until nothing runs any more, and has it judged. */
export async function play(service: Service, { form, steps }: Scenario): Promise<Played> {
  const call = service.call({ form });
  const handles: OperationHandle[] = [];
  const pending: Promise<unknown>[] = [];
  for (const step of steps) await take(service, call, step, handles, pending);
  await Promise.allSettled(pending);
  await Promise.allSettled(handles.map(async (handle) => await handle.result()));
  await service.graph.clearFaults(call.id);
  const runs = await runsOf(service, call);
  await service.graph.settled();
  const log = call.log;
  const verdict = judge({
    callId: call.id,
    participantId: call.participantId,
    log,
    runs,
    isDelta: form.roster === 'delta',
  });
  return {
    ...verdict,
    runs: runs.length,
    faults: steps.filter(({ kind }) => kind === 'faults' || kind === 'endCall').length,
    outcomes: runs.map(({ outcome }) => outcome),
  };
}

async function take(
  service: Service,
  call: TestCall,
  step: Step,
  handles: OperationHandle[],
  pending: Promise<unknown>[],
): Promise<void> {
  const { graph, moderation, client } = service;
  switch (step.kind) {
    case 'ask': {
      const { action, onConflict, confirmWithinSeconds, onUnconfirmed } = step;
      const asked = moderation[action]({ callId: call.id, confirmWithinSeconds, onUnconfirmed }, { onConflict });
      const kept = asked.then((handle) => handles.push(handle)).catch(() => undefined);
      pending.push(kept);
      // One that queues waits for the others, which are still to come.
      if (onConflict !== 'queue') await kept;
      return;
    }
    case 'supersede': {
      const request: ModerationRequest = { callId: call.id, confirmWithinSeconds: 1 };
      const raw = client.workflow.getHandle(call.workflowId);
      await raw.signal(SIGNAL.supersede, { action: step.action, request }).catch(() => undefined);
      return;
    }
    case 'cancel':
      // Of a superseding operation the run is known only once the other has handed over.
      pending.push(Promise.resolve(handles[step.which]?.cancel()).catch(() => undefined));
      return;
    case 'faults':
      return graph.setFaults(call.id, step.faults);
    case 'clientMute':
      return void graph
        .setParticipant(call.id, call.participantId, { clientMuted: step.isMuted })
        .catch(() => undefined);
    case 'someoneElse': {
      const other = graph.describe(call.id).participants.find(({ id }) => id !== call.participantId);
      if (other === undefined) return;
      return void graph.setParticipant(call.id, other.id, { clientMuted: !other.clientMuted }).catch(() => undefined);
    }
    case 'endCall':
      return void graph.endCall(call.id).catch(() => undefined);
    case 'pause':
      await new Promise((resolve) => {
        setTimeout(resolve, step.ms);
      });
  }
}

/** Temporal's account of every run on the call, from the histories. */
async function runsOf(service: Service, call: TestCall): Promise<JudgedRun[]> {
  const { client } = service;
  const runs: JudgedRun[] = [];
  // Visibility lags behind a little; the chain of runs is complete once the latest is known.
  const latest = await client.workflow
    .getHandle(call.workflowId)
    .describe()
    .catch(() => undefined);
  if (latest === undefined) return runs;
  await client.workflow
    .getHandle(call.workflowId)
    .result()
    .catch(() => undefined);
  const newest = await client.workflow.getHandle(call.workflowId).describe();
  const known = new Set<string>();
  for (let tries = 0; tries < 50 && !known.has(newest.runId); tries += 1) {
    for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${call.workflowId}'` }))
      known.add(runId);
  }
  for (const runId of known) runs.push(await runOf(service, call, runId));
  return runs.toSorted((a, b) => a.startedAt - b.startedAt);
}

async function runOf(service: Service, call: TestCall, runId: string): Promise<JudgedRun> {
  const handle = service.client.workflow.getHandle(call.workflowId, runId, { followRuns: false });
  const [{ events }, status, description] = await Promise.all([
    handle.fetchHistory(),
    handle.query<{ before?: JudgedRun['before']; request: ModerationRequest; action: 'mute' | 'unmute' }>('operation'),
    handle.describe(),
  ]);
  const outcome = description.typedSearchAttributes.get({ name: 'ModerationOutcome', type: 'KEYWORD' }) ?? 'unknown';
  const result = outcome === 'Confirmed' ? ((await handle.result()) as NonNullable<JudgedRun['result']>) : undefined;
  const rosterSignals = (events ?? [])
    .filter((event) => event.workflowExecutionSignaledEventAttributes?.signalName === SIGNAL.rosterUpdated)
    .map(({ eventTime }) => Number(eventTime?.seconds ?? 0) * 1_000 + (eventTime?.nanos ?? 0) / 1e6);
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
    rosterSignals,
  };
}
