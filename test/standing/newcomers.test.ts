import { describe, expect, test } from 'vitest';
import type { RosterMember, RosterReading } from '../../src/activities/types.ts';
import { NewcomerMemory } from '../../src/workflows/standing/newcomers.ts';

/** Who was there, and who is a newcomer: the pure memory of a mute on entry. */

const OWN = 'bot';

function reading(ids: readonly string[], isComplete = true, lobby: readonly string[] = []): RosterReading {
  const members: RosterMember[] = [
    ...ids.map((id) => ({ id, isInLobby: false })),
    ...lobby.map((id) => ({ id, isInLobby: true })),
  ];
  const kind = { state: 'established', isGroupCall: true, participantId: OWN, isCapped: false };
  return { ...kind, members, isComplete, isAbsenceProven: isComplete };
}

function memory(except: readonly string[] = []): NewcomerMemory {
  const it = new NewcomerMemory((id) => except.includes(id));
  it.know(OWN);
  return it;
}

const named = (...ids: string[]) => ({ participants: ids.map((id) => ({ id, isMuted: false })), full: true });

describe('nobody is a newcomer', () => {
  test('as long as no roster was complete', () => {
    const it = memory();
    for (const ids of [[], ['a'], ['a', 'b'], []]) expect(it.see(reading(ids, false), [])).toBe(0);
    expect(it).toMatchObject({ isWhole: false, pending: [] });
  });

  test('who was shown by an incomplete roster, named by a notification, or shown by the first complete one', () => {
    const it = memory();
    it.see(reading(['a'], false), []);
    it.hear(named('b'));
    it.see(reading([], false), it.takeHints());
    it.see(reading([OWN, 'c']), it.takeHints());
    expect(it.isWhole).toBe(true);
    expect(it.see(reading([OWN, 'a', 'b', 'c']), [])).toBe(0);
    expect(it.see(reading([OWN, 'a', 'b', 'c', 'd']), [])).toBe(1);
    expect(it.pending).toEqual(['d']);
  });

  test('who was there, because a later roster was empty or short', () => {
    const it = memory();
    it.see(reading([OWN, 'a', 'b']), []);
    for (const ids of [[], ['b'], [OWN]]) it.see(reading(ids, false), []);
    expect(it.see(reading([OWN, 'a', 'b']), [])).toBe(0);
  });
});

test('an incomplete roster shows newcomers if the memory is whole', () => {
  const it = memory(['chair']);
  it.see(reading([OWN, 'a']), []);
  expect(it.see(reading(['b', 'chair'], false), [])).toBe(1);
  expect(it.nextToMute()).toEqual(['b']);
});

test('who waited in the lobby is a newcomer once admitted, also if a notification named them before', () => {
  const it = memory();
  it.hear(named('a', 'b'));
  it.see(reading([], false, ['b']), it.takeHints());
  it.see(reading([OWN, 'a'], true, ['b']), it.takeHints());
  expect(it.waiting).toEqual(['b']);
  expect(it.see(reading([OWN, 'a', 'b']), [])).toBe(1);
});

test('who is named while the first complete roster is read is looked for', () => {
  const it = memory();
  const hinted = it.takeHints();
  it.hear(named('late'));
  it.see(reading([OWN, 'a']), hinted);
  expect(it.isAnyHinted).toBe(true);
  expect(it.see(reading([OWN, 'a', 'late']), it.takeHints())).toBe(1);
});

test('a roster of the application alone proves that nobody is there only when it has come three times in a row', () => {
  const it = memory();
  for (const ids of [[OWN], [OWN], [], [OWN], [OWN]]) it.see(reading(ids, ids.length > 0), []);
  expect(it.isWhole).toBe(false);
  it.see(reading([OWN]), []);
  expect(it).toMatchObject({ isWhole: true, wereThere: 0 });
  expect(it.see(reading([OWN, 'late']), [])).toBe(1);
  const other = memory();
  other.see(reading([OWN]), []);
  other.see(reading([OWN, 'a']), []);
  expect(other).toMatchObject({ isWhole: true, wereThere: 1 });
  expect(other.see(reading([OWN, 'a']), [])).toBe(0);
});

test('it goes along as plain data', () => {
  const it = memory();
  it.see(reading([OWN, 'a'], true, ['w']), []);
  it.see(reading([OWN, 'a', 'b']), []);
  const other = new NewcomerMemory(() => false, structuredClone(it.remembered));
  expect(other.see(reading([OWN, 'a', 'b', 'w']), [])).toBe(1);
  expect(other.settle(['b'], [{ participantId: 'b', outcome: 'confirmed' }])).toBe(1);
  expect(other).toMatchObject({ pending: ['w'], counts: { newcomers: 2, muted: 1 } });
});
