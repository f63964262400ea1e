import { invalid } from '../client/errors.ts';
import type { OnHeld } from '../client/holds.ts';
import { checkHold, type HoldRequest, type HoldResult, type HoldStatus } from '../contract/hold.ts';
import { lastsUntil } from '../contract/summary.ts';
import type { Context } from './context.ts';
import { lastingRequest, runLasting, type LastingFlags } from './lasting.ts';

/** `hold CALL` and `pause CALL`, which have begun once the application is muted. */

export interface HoldFlags extends LastingFlags {
  mutes?: number;
  within?: number;
  onHeld: OnHeld;
}

export function command(enforce: boolean) {
  return async function hold(this: Context, flags: HoldFlags, callId: string): Promise<void> {
    await runLasting<HoldRequest, HoldStatus, HoldResult>(this, flags, {
      check: () => checkHold(requestOf(flags, callId, enforce)),
      start: (moderation, request) => moderation.hold(request, { onHeld: flags.onHeld }),
      joined: 'It was held already, and has these terms from now on.',
      first: 'muting',
      begun: ({ until }) => `${enforce ? 'held' : 'paused'} ${callId} ${lastsUntil(until)}`,
      ended: ({ endedBy, mutesAgain }) => `${callId}: ${endedBy}, muted again ${mutesAgain} times`,
    });
  };
}

function requestOf(flags: HoldFlags, callId: string, enforce: boolean): HoldRequest {
  const { mutes, within } = flags;
  if ((mutes === undefined) !== (within === undefined)) {
    throw invalid(['--mutes and --within go together: give both, or neither']);
  }
  return {
    callId,
    enforce,
    ...lastingRequest(flags),
    ...(mutes !== undefined && within !== undefined && { atMost: { mutes, withinSeconds: within } }),
  };
}
