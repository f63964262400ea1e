import type { OperationHandle } from '../client/operation-handle.ts';
import type { OnConflict } from '../client/starter.ts';
import type { Action } from '../contract/names.ts';
import type { OperationStatus } from '../contract/operation.ts';
import type { ModerationRequest } from '../contract/request.ts';
import { withClient } from './client.ts';
import type { Context } from './context.ts';
import { DONE, printJson, reporting } from './exit.ts';

/** `mute CALL` and `unmute CALL`: start the operation, tell how it goes on standard error, print its result. */

export interface ModerateFlags extends Omit<ModerationRequest, 'callId'> {
  onConflict: OnConflict;
  json: boolean;
}

const POLL_MS = 200;

/** When to say that nobody seems to work, in ms. */
const PATIENCE_MS = 5_000;

export function command(action: Action) {
  return async function moderate(this: Context, flags: ModerateFlags, callId: string): Promise<void> {
    const { onConflict, json, ...fields } = flags;
    await reporting(this, json, async () => {
      return await withClient(this, async (moderation, taskQueue) => {
        const started = Date.now();
        const handle = await moderation[action]({ callId, ...fields }, { onConflict });
        const say = (line: string): void => {
          const seconds = ((Date.now() - started) / 1_000).toFixed(2).padStart(7);
          if (!json) this.process.stderr.write(`${seconds} s  ${line}\n`);
        };
        const end = new AbortController();
        const telling = tell(handle, taskQueue, say, end.signal);
        try {
          const result = await handle.result();
          end.abort();
          await telling;
          say(`confirmed: isMuted ${result.isMuted}, by ${result.confirmedBy}`);
          if (json) printJson(this, result);
          else this.process.stdout.write(`${action}d ${result.callId}\n`);
          return DONE;
        } finally {
          end.abort();
          await telling;
        }
      });
    });
  };
}

/** Tells each phase as a worker reports it, until the end; silent where none answers. */
async function tell(
  handle: OperationHandle,
  taskQueue: string,
  say: (line: string) => void,
  end: AbortSignal,
): Promise<void> {
  say(`asked for ${handle.action} of call ${handle.callId}`);
  const begin = Date.now();
  let told = '';
  let isPatient = true;
  while (!end.aborted) {
    const status = await Promise.race([handle.status().catch(() => undefined), aborted(end), after(POLL_MS)]);
    if (end.aborted) return;
    const line = status === undefined ? told : lineOf(status);
    if (line !== told && line !== '') say(line);
    told = line;
    if (told === '' && isPatient && Date.now() - begin > PATIENCE_MS) {
      isPatient = false;
      say(`no worker has answered yet. Is one running on task queue ${taskQueue}? The operation waits for it.`);
    }
    await Promise.race([aborted(end), after(POLL_MS)]);
  }
}

function lineOf({ phase, attempts, before }: OperationStatus): string {
  switch (phase) {
    case 'reading':
      return 'reading the call and its roster';
    case 'requesting':
      return `asking Graph (the roster shows isMuted ${before?.isMuted ?? 'not'})`;
    case 'confirming':
      return `accepted by Graph${attempts > 1 ? ` at attempt ${attempts}` : ''}; waiting for the roster`;
    case 'restoring':
      return 'putting the call back as it was';
    default:
      return '';
  }
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return undefined;
  return await new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

async function after(ms: number): Promise<undefined> {
  return await new Promise((resolve) => {
    setTimeout(() => resolve(undefined), ms);
  });
}
