import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LatestOperation } from '../../src/activities/types.ts';
import { verdictOf, type Look } from '../../src/workflows/standing/mute-lock-verdict.ts';
import { Looks } from '../../src/workflows/standing/looks.ts';
import { Unmuting } from '../../src/workflows/standing/unmuting.ts';

/** When a mute lock looks, what follows from a look, and how often it tries to unmute: without a server. */

const HELD = 1_000;

function newest(given: Partial<LatestOperation>): LatestOperation {
  return { action: 'unmute', outcome: 'Confirmed', wishedAt: HELD + 1, isLast: true, ...given } as LatestOperation;
}

describe('what follows from a look of a mute lock', () => {
  const unmuted: Look = { isMuted: false, newest: undefined, isMet: true, isEnforced: true, wishedAt: HELD };
  const older = newest({ wishedAt: HELD - 1 });
  test.each<[name: string, look: Partial<Look>, verdict: string]>([
    ['a client has unmuted it', {}, 'mute again'],
    ['a client has unmuted a pause', { isEnforced: false }, 'settled'],
    ['an unmute that is newer was confirmed', { newest: newest({}) }, 'unmuted'],
    [
      'an unmute that is newer ran before a mute of the mute lock',
      { isMuted: true, newest: newest({ isLast: false }) },
      'overruled',
    ],
    ['an unmute that is newer has failed', { newest: newest({ outcome: 'PermissionDenied' }) }, 'mute again'],
    ['an unmute that is newer is under way', { newest: newest({ outcome: 'Pending' }) }, 'ask again'],
    ['a mute is under way', { newest: newest({ action: 'mute', outcome: 'Pending' }) }, 'ask again'],
    ['an unmute that is older was confirmed', { newest: older }, 'mute again'],
    ['an unmute that is older than an extension has unmuted it', { newest: older, isMet: false }, 'mute'],
    [
      'an unmute that is older than an extension is under way',
      { isMuted: true, newest: { ...older, outcome: 'Pending' }, isMet: false },
      'mute',
    ],
    ['Graph did not answer after an extension', { isMuted: undefined, isMet: false }, 'ask again'],
    ['Graph did not answer, and nothing is to be done', { isMuted: undefined }, 'settled'],
    ['it is muted', { isMuted: true, isMet: false }, 'settled'],
  ])('%s', (_, look, verdict) => {
    expect(verdictOf({ ...unmuted, ...look })).toBe(verdict);
  });
});

describe('with a clock of the test', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => void vi.useRealTimers());
  const wait = ({ state: { at } }: Looks | Unmuting): number => (at - Date.now()) / 1_000;

  test('a mute lock looks at growing intervals after its mute, and a timed mute only until its mute is known to be the newest wish', () => {
    const [hold, pause] = [new Looks(), new Looks()];
    for (const looks of [hold, pause]) {
      const isEnforced = looks === hold;
      looks.confirmed(true, isEnforced);
      expect(wait(looks)).toBe(6);
      for (const seconds of [30, 60, 60]) {
        looks.begin(isEnforced);
        expect(wait(looks)).toBe(seconds);
      }
      looks.settled(isEnforced);
    }
    expect(wait(hold)).toBe(60);
    expect(wait(pause)).toBeGreaterThan(365 * 86_400);
  });

  test('a disturbed look comes again soon, then more seldom, until a mute is confirmed', () => {
    const looks = new Looks();
    const waits = Array.from({ length: 7 }, () => {
      looks.again(undefined, true);
      return wait(looks);
    });
    expect(waits).toEqual([1, 2, 5, 10, 30, 60, 60]);
    looks.confirmed(false, true);
    expect(looks.isDue).toBe(true);
    looks.again(undefined, true);
    expect(wait(looks)).toBe(1);
  });

  test('a timed mute that cannot reach Temporal retries once a day in the end, and a mute lock still reads the roster', () => {
    const [hold, pause] = [new Looks(), new Looks()];
    for (const looks of [hold, pause]) {
      const isEnforced = looks === hold;
      looks.confirmed(true, isEnforced);
      for (let times = 0; times < 20; times += 1) looks.again(true, isEnforced);
    }
    expect(wait(pause)).toBe(86_400);
    expect(wait(hold)).toBe(6);
    expect(hold.isToAsk(true)).toBe(false);
    expect(hold.isToAsk(false)).toBe(true);
  });

  test('an unmute is tried for a day, ten times at least, and three times if Graph does it without effect', () => {
    const unmuting = new Unmuting();
    unmuting.now();
    let attempts = 0;
    for (let goesOn = true; goesOn; attempts += 1) {
      vi.setSystemTime(unmuting.state.at);
      unmuting.begin();
      goesOn = unmuting.fail('GraphUnavailable');
      expect(wait(unmuting)).toBeLessThanOrEqual(300);
    }
    expect(Date.now() - unmuting.state.firstAt).toBeGreaterThanOrEqual(86_400_000);
    expect(Date.now() - unmuting.state.firstAt).toBeLessThan(86_400_000 + 300_000);
    expect(attempts).toBeGreaterThan(280);

    const away = new Unmuting();
    for (let times = 1; times < 10; times += 1) {
      away.begin();
      expect(away.fail('GraphUnavailable')).toBe(true);
      vi.setSystemTime(Date.now() + 86_400_000);
    }
    away.begin();
    expect(away.fail('GraphUnavailable')).toBe(false);

    const withoutEffect = new Unmuting();
    const tries = [1, 2, 3].map(() => {
      withoutEffect.begin();
      return withoutEffect.fail('Unconfirmed');
    });
    expect(tries).toEqual([true, true, false]);
  });
});
