import { setTimeout as pause } from 'node:timers/promises';
import type { HoldHandle } from '../client/holds.ts';
import type { OnHeld } from '../client/holds.ts';
import { checkHold, type HoldRequest, type HoldResult, type HoldStatus } from '../contract/hold.ts';
import { invalid } from '../client/errors.ts';
import { withClient } from './client.ts';
import type { Context } from './context.ts';
import { DONE, FAILED, printJson, reporting } from './exit.ts';

/**
 * `hold CALL` and `pause CALL`: start it, or give the one that runs these terms, and wait until the application is muted;
 * with `--wait` until it has ended. Either way it goes on without this process.
 */

export interface HoldFlags {
  for?: number;
  until?: string;
  mutes?: number;
  within?: number;
  onHeld: OnHeld;
  tenantId?: string;
  requestedBy?: string;
  reason?: string;
  wait: boolean;
  json: boolean;
}

const POLL_MS = 200;

/** When to say that nobody seems to work, in ms. */
const PATIENCE_MS = 5_000;

export function command(enforce: boolean) {
  return async function hold(this: Context, flags: HoldFlags, callId: string): Promise<void> {
    const { stdout, stderr } = this.process;
    const { json, wait, onHeld } = flags;
    await reporting(this, json, async () => {
      const checked = checkHold(requestOf(flags, callId, enforce));
      if (!checked.ok) throw invalid(checked.faults);
      return await withClient(this, async (moderation, taskQueue) => {
        const handle = await moderation.hold(checked.request, { onHeld });
        if (handle.joined && !json) stderr.write('It was held already, and has these terms from now on.\n');
        const begun = await untilMuted(handle, () => {
          if (!json) stderr.write(`No worker has answered yet. Is one running on task queue ${taskQueue}?\n`);
        });
        if ('endedBy' in begun || wait) {
          const result = 'endedBy' in begun ? begun : await handle.result();
          if (json) printJson(this, result);
          else stdout.write(`${result.callId}: ${result.endedBy}, muted again ${result.mutesAgain} times\n`);
          return result.endedBy === 'gaveUp' ? FAILED : DONE;
        }
        if (json) printJson(this, begun);
        else
          stdout.write(
            `${enforce ? 'held' : 'paused'} ${handle.callId} ${begun.until === undefined ? 'until it is released' : `until ${begun.until}`}\n`,
          );
        return DONE;
      });
    });
  };
}

function requestOf(flags: HoldFlags, callId: string, enforce: boolean): HoldRequest {
  const { for: forSeconds, until, mutes, within, tenantId, requestedBy, reason } = flags;
  if ((mutes === undefined) !== (within === undefined)) {
    throw invalid(['--mutes and --within go together: give both, or neither']);
  }
  return {
    callId,
    enforce,
    ...(forSeconds !== undefined && { forSeconds }),
    ...(until !== undefined && { until }),
    ...(mutes !== undefined && within !== undefined && { atMost: { mutes, withinSeconds: within } }),
    ...(tenantId !== undefined && { tenantId }),
    ...(requestedBy !== undefined && { requestedBy }),
    ...(reason !== undefined && { reason }),
  };
}

/** Until the first mute is confirmed, or the hold has ended, which it also does where that mute fails. */
async function untilMuted(handle: HoldHandle, onSilence: () => void): Promise<HoldStatus | HoldResult> {
  const patience = setTimeout(onSilence, PATIENCE_MS);
  try {
    for (;;) {
      const status = await handle.status().catch(() => undefined);
      if (status !== undefined) clearTimeout(patience);
      if (status?.phase === 'ended') return await handle.result();
      if (status !== undefined && status.phase !== 'muting') return status;
      await pause(POLL_MS);
    }
  } finally {
    clearTimeout(patience);
  }
}
