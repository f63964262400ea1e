import {
  ApplicationFailure,
  condition,
  defineSignal,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RosterParticipant } from '../graph.ts';
import type { Activities } from './activities.ts';

/**
 * The mute as Temporal's samples would write it: regular activities with default options, a signal, a `condition` with a
 * time limit, and a compensation. It takes the same reads and sends the same POST as ours, and promises less: no read
 * where a notification is lost, no supersede, no care for a cancellation, no search attributes.
 */
const { readCall, postMute, postUnmute } = proxyActivities<Activities>({ startToCloseTimeout: '10 seconds' });

export const rosterUpdated = defineSignal<[RosterParticipant[]]>('rosterUpdated');

export async function muteCall(callId: string): Promise<{ callId: string; isMuted: true; operationId: string }> {
  let roster: RosterParticipant[] = [];
  setHandler(rosterUpdated, (update) => {
    roster = update;
  });
  const before = await readCall(callId);
  roster = [];
  const clientContext = workflowInfo().runId;
  const operationId = await postMute(callId, clientContext);
  const isMuted = (): boolean => roster.some((entry) => entry.id === before.participantId && entry.isMuted);
  if (await condition(isMuted, '30s')) return { callId, isMuted: true, operationId };
  if (!before.isMuted) await postUnmute(callId, clientContext);
  throw ApplicationFailure.nonRetryable(`The roster has not confirmed the mute of call ${callId}`, 'Unconfirmed');
}
