import { describe, expect, test } from 'vitest';
import type { RequestEntry } from '../../../src/simulator/index.ts';
import { judgeDay, type DayEvidence, type DayRun, type LifeAccount } from './judge.ts';

/** The judge of a day finds each of its violations, and nothing in a good day. */

const callId = '11111111-1111-4111-8111-111111111111';

function post(name: 'mute' | 'unmute' | 'muteParticipant', startedAt: number, of = 'P'): RequestEntry {
  return {
    type: 'request',
    seq: 1,
    name,
    method: 'POST',
    path: name === 'muteParticipant' ? `/participants/${of}/mute` : `/${name}`,
    startedAt,
    endedAt: startedAt + 10,
    requestId: '',
    clientRequestId: '',
    ...(name !== 'muteParticipant' && { action: name }),
  };
}

const run: DayRun = { type: 'mute', callId, startedAt: 0, closedAt: 9_000, outcome: 'Confirmed', events: 18 };

const good: LifeAccount = {
  kind: 'locked',
  callId,
  log: [post('mute', 1_000), post('muteParticipant', 5_000, 'NEW'), post('unmute', 8_000)],
  endedMuted: false,
  isServerMuted: false,
  participants: [
    { id: 'OLD', joinedAt: 0 },
    { id: 'NEW', joinedAt: 4_500 },
  ],
  muteOnEntryAt: 4_000,
  late: [],
  failed: [],
  kept: [{ from: 1_200, until: 7_000, by: 'a mute lock' }],
};

function violationsOf(life: Partial<LifeAccount>, others: Partial<DayEvidence> = {}): string[] {
  return judgeDay({ lives: [{ ...good, ...life }], runs: [run], running: [], active: [], ...others });
}

test('a good day has no violation', () => {
  expect(violationsOf({})).toEqual([]);
  expect(violationsOf({ endedMuted: true, isServerMuted: true })).toEqual([]);
});

describe('a violation is', () => {
  test.each<[string, Partial<LifeAccount>, string]>([
    ['a call that is left muted', { isServerMuted: true }, 'newest wish'],
    ['a mute of somebody who was there', { log: [post('muteParticipant', 5_000, 'OLD')] }, 'who was there'],
    ['a request after the last run', { log: [post('unmute', 9_500)] }, 'silence after the end'],
    ['something late', { late: ['an unmute was not seen'] }, 'deadlines and limits'],
    ['a failure without a reason', { failed: ['the mute has ended as Unconfirmed'] }, 'calm times'],
    ['an unmute before its time', { log: [post('unmute', 6_000)] }, 'not before its time'],
  ])('%s', (_what, life, rule) => {
    const found = violationsOf(life);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^${rule}: call ${callId}.*\\[locked\\]$`));
  });

  test('what does not end', () => {
    expect(violationsOf({}, { running: ['call-moderation/x'], active: [callId] })).toEqual([
      'end of the day: call-moderation/x still runs',
      `end of the day: call ${callId} has ended, and is listed as active`,
    ]);
  });

  test('a request on a call of which no run is known', () => {
    expect(violationsOf({}, { runs: [] })).toContainEqual(expect.stringMatching(/^silence after the end:/));
  });
});
