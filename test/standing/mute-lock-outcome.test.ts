import { describe, expect, test } from 'vitest';
import type { OperationOutcome } from '../../src/activities/types.ts';
import { afterFirstMute, afterMuteAgain } from '../../src/workflows/standing/mute-lock-outcome.ts';

/** What a mute lock does after one of its mutes: without a server. */

function outcome(type: string, details: object = {}): OperationOutcome {
  return { outcome: type, message: 'why', details } as OperationOutcome;
}

describe('after its first mute, a mute lock', () => {
  test.each<[does: string, of: OperationOutcome, mayHaveMuted: boolean, next: string]>([
    ['looks again if a newer wish has superseded it', outcome('Superseded'), false, 'look again'],
    ['ends at once if the call was left as it was', outcome('PermissionDenied'), false, 'end'],
    ['ends at once if the mute was put back', outcome('Unconfirmed', { restored: true }), false, 'end'],
    ['unmutes if the mute was not put back', outcome('Unconfirmed', { restored: false }), false, 'end with an unmute'],
    ['unmutes if the mute has not ended', outcome('NotEnded'), false, 'end with an unmute'],
    ['looks again after an outage if it has muted before', outcome('GraphUnavailable'), true, 'look again'],
    ['unmutes after a lasting failure if it has muted before', outcome('PermissionDenied'), true, 'end with an unmute'],
  ])('%s', (_, of, mayHaveMuted, next) => {
    expect(afterFirstMute(of, mayHaveMuted)).toBe(next);
  });
});

describe('after a mute against an unmute, a mute lock', () => {
  test.each<[does: string, of: OperationOutcome, next: string]>([
    ['looks again if a newer wish has superseded it', outcome('Superseded'), 'look again'],
    ['looks again after an outage', outcome('GraphUnavailable'), 'look again'],
    ['ends at once after a lasting failure, because the call is unmuted', outcome('PermissionDenied'), 'end'],
    ['unmutes if the mute was not put back', outcome('OperationFailed', { restored: false }), 'end with an unmute'],
  ])('%s', (_, of, next) => {
    expect(afterMuteAgain(of)).toBe(next);
  });
});
