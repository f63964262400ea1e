import { actionFor, wantedIsMuted, type Action } from '../../contract/names.ts';
import type { MuteState } from '../../contract/operation.ts';

/**
 * How an operation is undone. An operation changes only the server's mute, so the state that was read of it is put
 * back; `isMuted`, which is also true if the client muted itself, is used if the roster had no `serverMuted`.
 */

/** The state of `serverMuted`, or of `isMuted` in its place, that `before` asks to be put back. */
function target(before: MuteState): boolean {
  return before.serverMuted ?? before.isMuted;
}

/**
 * The action that puts `before` back after `action` (`undefined` if only the superseded operation has acted).
 * `undefined` if nothing was read, or if the state that was read is the requested one. This includes a participant
 * that only its own client had muted: an unmute requests its `serverMuted: false`, so no restore ever mutes a
 * participant whom no server had muted.
 */
export function restoringAction(action: Action | undefined, before: MuteState | undefined): Action | undefined {
  if (before === undefined) return undefined;
  if (action !== undefined && target(before) === wantedIsMuted(action)) return undefined;
  return actionFor(target(before));
}

/** Whether a read shows the earlier state again. */
export function isRestored(before: MuteState, now: MuteState): boolean {
  return before.serverMuted !== undefined && now.serverMuted !== undefined
    ? now.serverMuted === before.serverMuted
    : now.isMuted === before.isMuted;
}

/** An unmute was done, yet `isMuted` stays true: the client itself is muted, which no server can change. */
export function isMutedByItsClient(action: Action, seen: MuteState | undefined): boolean {
  return action === 'unmute' && seen?.isMuted === true && seen.serverMuted === false;
}
