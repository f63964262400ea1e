import { setTimeout as pause } from 'node:timers/promises';
import { invalid } from '../client/errors.ts';
import type { MuteOnEntryHandle } from '../client/mutes-on-entry.ts';
import type { OnRunning } from '../client/mutes-on-entry.ts';
import {
  checkMuteOnEntry,
  type MuteOnEntryRequest,
  type MuteOnEntryResult,
  type MuteOnEntryStatus,
} from '../contract/mute-on-entry.ts';
import { withClient } from './client.ts';
import type { Context } from './context.ts';
import { DONE, FAILED, printJson, reporting } from './exit.ts';

/**
 * `mute-on-entry CALL`: start it, or give the one that runs these terms, and wait until it knows who is there; with
 * `--wait` until it has ended. Either way it goes on without this process.
 */

export interface MuteOnEntryFlags {
  for?: number;
  until?: string;
  except?: readonly string[];
  onRunning: OnRunning;
  tenantId?: string;
  requestedBy?: string;
  reason?: string;
  wait: boolean;
  json: boolean;
}

const POLL_MS = 200;

/** When to say that nobody seems to work, in ms. */
const PATIENCE_MS = 5_000;

const UNTOLD =
  'The roster ends at 100 participants, so who was there is not known: nobody is muted until a roster lists everyone.\n';

export async function muteOnEntry(this: Context, flags: MuteOnEntryFlags, callId: string): Promise<void> {
  const { stdout, stderr } = this.process;
  const { json, wait, onRunning } = flags;
  await reporting(this, json, async () => {
    const checked = checkMuteOnEntry(requestOf(flags, callId));
    if (!checked.ok) throw invalid(checked.faults);
    return await withClient(this, async (moderation, taskQueue) => {
      const handle = await moderation.muteOnEntry(checked.request, { onRunning });
      if (handle.joined && !json) stderr.write('It was running already, and has these terms from now on.\n');
      const begun = await untilBegun(handle, () => {
        if (!json) stderr.write(`No worker has answered yet. Is one running on task queue ${taskQueue}?\n`);
      });
      if (!begun.isRosterComplete && !('endedBy' in begun) && !json) stderr.write(UNTOLD);
      if ('endedBy' in begun || wait) {
        const result = 'endedBy' in begun ? begun : await handle.result();
        if (json) printJson(this, result);
        else
          stdout.write(`${result.callId}: ${result.endedBy}, ${result.muted} of ${result.newcomers} who came muted\n`);
        return result.endedBy === 'gaveUp' ? FAILED : DONE;
      }
      if (json) printJson(this, begun);
      else stdout.write(`${lineOf(handle.callId, begun)}\n`);
      return DONE;
    });
  });
}

function lineOf(callId: string, { until, wereThere }: MuteOnEntryStatus): string {
  const end = until === undefined ? 'until it is released' : `until ${until}`;
  return `muting who comes into ${callId} ${end}; ${wereThere} were there`;
}

function requestOf(flags: MuteOnEntryFlags, callId: string): MuteOnEntryRequest {
  const { for: forSeconds, until, except, tenantId, requestedBy, reason } = flags;
  return {
    callId,
    ...(forSeconds !== undefined && { forSeconds }),
    ...(until !== undefined && { until }),
    ...(except !== undefined && { except }),
    ...(tenantId !== undefined && { tenantId }),
    ...(requestedBy !== undefined && { requestedBy }),
    ...(reason !== undefined && { reason }),
  };
}

/** Until it has read who is there, or has ended, which it also does where that fails. */
async function untilBegun(
  handle: MuteOnEntryHandle,
  onSilence: () => void,
): Promise<MuteOnEntryStatus | MuteOnEntryResult> {
  const patience = setTimeout(onSilence, PATIENCE_MS);
  try {
    for (;;) {
      const status = await handle.status().catch(() => undefined);
      if (status !== undefined) clearTimeout(patience);
      if (status?.phase === 'ended') return await handle.result();
      if (status !== undefined && status.phase !== 'reading') return status;
      await pause(POLL_MS);
    }
  } finally {
    clearTimeout(patience);
  }
}
