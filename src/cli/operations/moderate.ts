import { setTimeout as pause } from 'node:timers/promises';
import { ModerationError } from '../../client/errors.ts';
import type { ConflictOptions, ModerationClient } from '../../client/moderation-client.ts';
import type { OperationHandle } from '../../client/operations/operation-handle.ts';
import type { Action } from '../../contract/names.ts';
import {
  isEveryoneMuted,
  type ModerationResult,
  type OperationStatus,
  type ParticipantsMuteResult,
  type ParticipantResult,
  type Phase,
} from '../../contract/operation.ts';
import { checkRequest, type ModerationRequest } from '../../contract/request.ts';
import { withClient } from '../client.ts';
import type { Context } from '../context.ts';
import { DONE, FAILED, printJson, reporting } from '../exit.ts';
import { table } from '../table.ts';
import { isTimed, muteFor, refuseTimedUnmute, type MuteForFlags } from './mute-for.ts';
import { whomOf } from './whom.ts';

/**
 * `mute CALL` and `unmute CALL`: start the operation, print its progress on standard error, and its result on
 * standard output.
 */

export type ModerateFlags = MuteForFlags;

const POLL_MS = 200;

/** Delay before the remark that no worker answers, in ms. */
const PATIENCE_MS = 5_000;

export function command(action: Action) {
  return async function moderate(this: Context, flags: ModerateFlags, callId: string): Promise<void> {
    const { onConflict, json, participant, others, except, for: _for, until: _until, wait: _wait, ...fields } = flags;
    if (isTimed(flags))
      return action === 'mute' ? await muteFor(this, flags, callId) : await refuseTimedUnmute(this, json);
    const { stdout, stderr } = this.process;
    await reporting(this, json, async () => {
      const target = whomOf({ participant, others, except });
      const request = checked({ callId, ...fields, ...(target !== undefined && { target }) }, action);
      return await withClient(this, async (moderation, taskQueue) => {
        const started = Date.now();
        const say = (line: string): void => {
          const seconds = ((Date.now() - started) / 1_000).toFixed(2).padStart(7);
          if (!json) stderr.write(`${seconds} s  ${line}\n`);
        };
        say(`requesting ${action} of call ${request.callId}`);
        const letGo = onInterrupt(() => {
          stderr.write(`The operation continues. See its state: call-moderation status ${request.callId}\n`);
        });
        const handle = await start(moderation, action, request, { onConflict });
        const end = new AbortController();
        const telling = tell(handle, taskQueue, say, end.signal);
        try {
          const result = await handle.result();
          end.abort();
          await telling;
          if (json) printJson(this, result);
          if ('participants' in result) {
            if (!json) stdout.write(tableOf(result));
            return isEveryoneMuted(result) ? DONE : FAILED;
          }
          say(`confirmed: isMuted ${result.isMuted}, by ${result.confirmedBy}`);
          if (!json) stdout.write(`${action}d ${result.callId}\n`);
          return DONE;
        } finally {
          letGo();
          end.abort();
          await telling;
        }
      });
    });
  };
}

async function start(
  moderation: ModerationClient,
  action: Action,
  { target, ...request }: ModerationRequest,
  options: ConflictOptions,
): Promise<OperationHandle<ModerationResult | ParticipantsMuteResult>> {
  if (action === 'unmute') return await moderation.unmute(request, options);
  if (target === undefined || target === 'self') return await moderation.mute(request, options);
  return await moderation.muteParticipants({ ...request, target }, options);
}

function tableOf({ participants, isRosterComplete }: ParticipantsMuteResult): string {
  const rows = participants.map(({ participantId, outcome, code = '' }) => [participantId, outcome, code]);
  const rest = isRosterComplete
    ? ''
    : 'The roster was incomplete: there may be other participants, whose state is unknown.\n';
  return table([['PARTICIPANT', 'OUTCOME', 'CODE'], ...rows]) + rest;
}

/** Refuses an invalid request before it connects to Temporal. */
function checked(input: ModerationRequest, action: Action): ModerationRequest {
  const result = checkRequest(input, action);
  if (result.ok) return result.request;
  const { issues } = result;
  throw new ModerationError('InvalidRequest', `The request is not valid: ${issues.join('; ')}.`, { issues });
}

/** Calls `before` when Ctrl-C is about to end this process, until the function that it returns is called. */
function onInterrupt(before: () => void): () => void {
  const interrupt = (): void => {
    before();
    // The listener is gone, so that this ends the process as the first would have done.
    process.kill(process.pid, 'SIGINT');
  };
  process.once('SIGINT', interrupt);
  return () => process.off('SIGINT', interrupt);
}

/** Prints each phase that a worker reports, until the end; prints nothing if no worker answers. */
async function tell(
  handle: OperationHandle<ModerationResult | ParticipantsMuteResult>,
  taskQueue: string,
  say: (line: string) => void,
  end: AbortSignal,
): Promise<void> {
  const ended = aborted(end);
  const patience = setTimeout(() => {
    say(`no worker has answered yet. Is one running on task queue ${taskQueue}? The operation waits for it.`);
  }, PATIENCE_MS);
  end.addEventListener('abort', () => clearTimeout(patience), { once: true });

  const run = await Promise.race([handle.run().catch(() => undefined), ended]);
  if (run?.attached === true) say('attached to the running operation, which already does this');
  let told = '';
  while (!end.aborted) {
    const status = await Promise.race([handle.status().catch(() => undefined), ended]);
    if (status !== undefined) {
      clearTimeout(patience);
      const line = lineOf(status);
      if (line !== told && line !== '') say(line);
      told = line;
    }
    await pause(POLL_MS, undefined, { signal: end }).catch(() => undefined);
  }
}

function lineOf({ phase, attempts, before, participants, request: { target } }: OperationStatus): string {
  if (target !== undefined && target !== 'self') return lineOfOthers(phase, participants ?? []);
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
  return await new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function lineOfOthers(phase: Phase, participants: readonly ParticipantResult[]): string {
  const muted = participants.filter(({ outcome }) => outcome === 'confirmed').length;
  if (phase === 'reading') return 'reading the call and its roster';
  return phase === 'requesting' || phase === 'confirming' ? `${muted} of ${participants.length} are muted` : '';
}
