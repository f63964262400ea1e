import { setTimeout as pause } from 'node:timers/promises';
import { invalid } from '../client/errors.ts';
import type { StandingMuteHandle } from '../client/standing/standing-mute-handle.ts';
import type { ModerationClient } from '../client/moderation-client.ts';
import type { CheckedFields } from '../contract/standing-mute.ts';
import { withClient } from './client.ts';
import type { Context } from './context.ts';
import { DONE, FAILED, printJson, reporting } from './exit.ts';

/**
 * The commands that start something lasting on a call: start it, or give the one that runs these terms, and wait until it
 * has begun; with `--wait` until it has ended. Either way it goes on without this process.
 */

/** Whom it is for, and how it is told. */
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
  /** Checked before anything is connected to. */
  check: () => CheckedFields<Request>;
  start: (moderation: ModerationClient, request: Request) => Promise<StandingMuteHandle<object, Status, Result>>;
  /** What to say where one was running already. */
  attached: string;
  /** The phase before it has begun. */
  first: Status['phase'];
  begun: (status: Status) => string;
  ended: (result: Result) => string;
  /** What there is to be warned of once it has begun. */
  warning?: (status: Status) => string | undefined;
}

const POLL_MS = 200;

/** When to say that nobody seems to work, in ms. */
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

/** Until it has begun, or has ended, which it also does where its beginning fails. */
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
