import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import type { ModerationRequest } from '../../src/contract/request.ts';
import type { Service, TestCall } from '../support/service.ts';
import { evidenceOf } from './evidence.ts';
import { judge, type Verdict } from './judge.ts';
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
  const evidence = await evidenceOf(service.client, call, form);
  const { runs } = evidence;
  return {
    ...judge(evidence),
    runs: runs.length,
    faults: steps.filter(
      ({ kind }) => kind === 'faults' || kind === 'endCall' || kind === 'serverMute' || kind === 'clientMute',
    ).length,
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
    case 'serverMute':
      return void graph
        .setParticipant(call.id, call.participantId, { serverMuted: step.isMuted })
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
