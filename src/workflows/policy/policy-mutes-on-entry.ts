import { ActivityFailure, isCancellation, sleep } from '@temporalio/workflow';
import type { MuteOnEntryOrder, MuteOnEntryStart } from '../../activities/types.ts';
import { policyPriority } from '../../contract/priority.ts';
import { muteOnEntryStarts, lookups } from '../activity-proxies.ts';
import type { Operations } from '../orders/ordered-operations.ts';
import { delayOf } from '../call/polling.ts';

/**
 * A mute on entry that a policy starts on a call.
 *
 * **What is reported has happened.** It is waited for until it has read who is in the call, from which moment on it
 * mutes those who come, or has failed. If it has not begun in time, the outcome is `NotBegun`.
 */

/** A read of the roster fails after a minute at the latest. */
const WITHIN_MS = 75_000;

/** Delays before it is queried whether it has begun, which takes two requests to Graph. The last one repeats. */
const DELAYS_MS = [1_000, 2_000, 5_000] as const;

export async function beginMuteOnEntry(operations: Operations, order: MuteOnEntryOrder): Promise<MuteOnEntryStart> {
  const { callId, tenantId } = order.request;
  const options = { summary: `Mute who comes into ${callId}`, priority: policyPriority('mute', tenantId) };
  const given = { ...order, startId: operations.nextId() };
  const started = await muteOnEntryStarts.startMuteOnEntry.executeWithOptions(options, [given]);
  if ('message' in started) return started;
  const deadline = Date.now() + WITHIN_MS;
  for (let round = 0; Date.now() < deadline; round += 1) {
    await sleep(delayOf(DELAYS_MS, round), { summary: 'Until it has read who is in the call' });
    const reading = await readOnce(callId);
    if (reading?.kind === 'begun') return started;
    if (reading?.kind === 'ended') return reading.outcome ?? started;
  }
  const message = `The mute on entry of call ${callId} has not yet read who is in the call. See its state: call-moderation status ${callId}.`;
  return { outcome: 'NotBegun', message };
}

/** `undefined` if Temporal does not answer. */
async function readOnce(callId: string) {
  try {
    return await lookups.readMuteOnEntry.executeWithOptions({ summary: 'Has it begun?' }, [callId]);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return undefined;
  }
}
