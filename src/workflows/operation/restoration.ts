import { actionFor, wantedIsMuted, type Action } from '../../contract/names.ts';
import type { MuteState } from '../../contract/operation.ts';

/**
 * How an operation is undone. The server's mute is all that an operation changes, so what was read of it is what is put
 * back; `isMuted`, which is true for a client's own mute too, stands in where the roster did not tell `serverMuted`.
 */

/** The state of `serverMuted`, or of `isMuted` in its place, that `before` asks to be put back. */
function target(before: MuteState): boolean {
  return before.serverMuted ?? before.isMuted;
}

/**
 * The action that puts `before` back after `action`, or where only the operation that was superseded has acted, after none.
 * Nothing where nothing was read, or where what was read is what was asked for. A participant that only its own client
 * had muted is covered by that: its `serverMuted: false` is what an unmute asks for, so no restore ever mutes what no
 * server had muted.
 */
export function restoringAction(action: Action | undefined, before: MuteState | undefined): Action | undefined {
  if (before === undefined) return undefined;
  if (action !== undefined && target(before) === wantedIsMuted(action)) return undefined;
  return actionFor(target(before));
}

/** Whether what a read shows now is what was read before. */
export function isRestored(before: MuteState, now: MuteState): boolean {
  return before.serverMuted !== undefined && now.serverMuted !== undefined
    ? now.serverMuted === before.serverMuted
    : now.isMuted === before.isMuted;
}

/** An unmute was done, yet `isMuted` stays true: the client itself is muted, which no server can change. */
export function isMutedByItsClient(action: Action, seen: MuteState | undefined): boolean {
  return action === 'unmute' && seen?.isMuted === true && seen.serverMuted === false;
}
