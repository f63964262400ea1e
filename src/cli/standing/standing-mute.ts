import { setTimeout as pause } from 'node:timers/promises';
import { invalid } from '../../client/errors.ts';
import type { StandingMuteHandle } from '../../client/standing/standing-mute-handle.ts';
import type { ModerationClient } from '../../client/moderation-client.ts';
import type { CheckedFields } from '../../contract/standing-mute.ts';
import { withClient } from '../client.ts';
import type { Context } from '../context.ts';
import { DONE, FAILED, printJson, reporting } from '../exit.ts';

/**
 * The commands that start a standing mute: they start it, or give a running one these terms, and wait until it has
 * begun; with `--wait` until it has ended. Either way it continues without this process.
 */

/** The flags that all of these commands have. */
export interface StandingMuteFlags {
  for?: number;
  until?: string;
  tenantId?: string;
  requestedBy?: string;
  reason?: string;
  wait: boolean;
  json: boolean;
}

export interface StandingMuteCommand<Request, Status extends { phase: string }, Result extends { endedBy: string }> {
  /** Checked before any connection is made. */
  check: () => CheckedFields<Request>;
  start: (moderation: ModerationClient, request: Request) => Promise<StandingMuteHandle<object, Status, Result>>;
  /** The remark if one was already running. */
  attached: string;
  /** The phase before it has begun. */
  first: Status['phase'];
  begun: (status: Status) => string;
  ended: (result: Result) => string;
  /** A warning once it has begun. */
  warning?: (status: Status) => string | undefined;
}

const POLL_MS = 200;

/** Delay before the remark that no worker answers, in ms. */
const PATIENCE_MS = 5_000;

/** The fields of a request that all of these have. */
export function standingMuteRequest({ for: forSeconds, until, tenantId, requestedBy, reason }: StandingMuteFlags) {
  return {
    ...(forSeconds !== undefined && { forSeconds }),
    ...(until !== undefined && { until }),
    ...(tenantId !== undefined && { tenantId }),
    ...(requestedBy !== undefined && { requestedBy }),
    ...(reason !== undefined && { reason }),
  };
}

export async function standingMuteCommand<
  Request,
  Status extends { phase: string },
  Result extends { endedBy: string },
>(
  context: Context,
  { json, wait }: StandingMuteFlags,
  command: StandingMuteCommand<Request, Status, Result>,
): Promise<void> {
  const { stdout, stderr } = context.process;
  const remark = (text: string): void => {
    if (!json) stderr.write(`${text}\n`);
  };
  const tell = (value: Status | Result, text: string): void => {
    if (json) printJson(context, value);
    else stdout.write(`${text}\n`);
  };
  await reporting(context, json, async () => {
    const checked = command.check();
    if (!checked.ok) throw invalid(checked.issues);
    return await withClient(context, async (moderation, taskQueue) => {
      const handle = await command.start(moderation, checked.request);
      if (handle.attached) remark(command.attached);
      const now = await untilBegun(handle, command.first, () =>
        remark(`No worker has answered yet. Is one running on task queue ${taskQueue}?`),
      );
      if ('status' in now) {
        const warning = command.warning?.(now.status);
        if (warning !== undefined) remark(warning);
        if (!wait) {
          tell(now.status, command.begun(now.status));
          return DONE;
        }
      }
      const result = 'result' in now ? now.result : await handle.result();
      tell(result, command.ended(result));
      return result.endedBy === 'gaveUp' ? FAILED : DONE;
    });
  });
}

/** Waits until it has begun or ended; it also ends if its beginning fails. */
async function untilBegun<Status extends { phase: string }, Result extends { endedBy: string }>(
  handle: StandingMuteHandle<object, Status, Result>,
  first: Status['phase'],
  onSilence: () => void,
): Promise<{ status: Status } | { result: Result }> {
  const patience = setTimeout(onSilence, PATIENCE_MS);
  try {
    for (;;) {
      const status = await handle.status().catch(() => undefined);
      if (status !== undefined) clearTimeout(patience);
      if (status?.phase === 'ended') return { result: await handle.result() };
      if (status !== undefined && status.phase !== first) return { status };
      await pause(POLL_MS);
    }
  } finally {
    clearTimeout(patience);
  }
}
