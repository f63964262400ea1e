import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RosterParticipant, RosterUpdate } from '../../src/contract/signals.ts';
import { Roster } from '../../src/workflows/call/roster.ts';

/** The rules of `src/workflows/call/roster.ts`. */

const OWN = '05491616-385f-44a8-9974-18cc5f9933c1';

function known(): Roster {
  const roster = new Roster();
  roster.know(OWN);
  return roster;
}

function update(entry: Partial<RosterParticipant> = {}, sequenceNumber?: number) {
  const participants = [{ id: OWN, isMuted: true, ...entry }];
  return { participants, full: sequenceNumber === undefined, ...(sequenceNumber !== undefined && { sequenceNumber }) };
}

describe('what rosters prove about the application', () => {
  test('a roster counts for nothing before the participant is known', () => {
    const roster = new Roster();
    roster.ask();
    roster.take(update());
    roster.know(OWN);
    expect(roster.notified).toBeUndefined();
    expect(roster.lastSeen).toBeUndefined();
  });

  test('a roster from before the POST does not confirm, nor does its repetition', () => {
    const roster = known();
    roster.take(update({}, 4));
    expect(roster.notified).toBeUndefined();
    roster.ask();
    roster.take(update({}, 4));
    expect(roster.notified).toBeUndefined();
    roster.take(update({}, 5));
    expect(roster.notified).toEqual({ isMuted: true });
  });

  test('a roster that is no newer than what was known at the POST does not confirm', () => {
    const others = { participants: [{ id: 'other', isMuted: true }], full: false, sequenceNumber: 6 };
    const told: ((roster: Roster) => void)[] = [
      (roster) => roster.take(others),
      (roster) => roster.see({ isMuted: false, sequence: 6 }),
      (roster) => roster.inherit(6),
    ];
    for (const tell of told) {
      const roster = known();
      tell(roster);
      roster.ask();
      roster.take(update({}, 6));
      expect(roster.notified).toBeUndefined();
      roster.take(update({}, 7));
      expect(roster.notified).toEqual({ isMuted: true });
    }
  });

  test('a roster confirms also if newer ones without the participant came first', () => {
    const roster = known();
    roster.take(update({ isMuted: false }, 4));
    roster.ask();
    roster.take({ participants: [{ id: 'other', isMuted: true }], full: false, sequenceNumber: 6 });
    roster.take(update({}, 5));
    expect(roster.notified).toEqual({ isMuted: true });
  });

  test('a sequence number of 0 means none in a read and in a full roster, and the first in delta rosters', () => {
    const roster = known();
    roster.see({ isMuted: false, sequence: 0 });
    roster.take(update({ isMuted: false, sequence: 0 }));
    roster.ask();
    roster.take(update({ sequence: 0 }));
    expect(roster.notified).toEqual({ isMuted: true });
    roster.take(update({ isMuted: false, sequence: 0 }));
    expect(roster.notified).toEqual({ isMuted: false });
    roster.take(update({}, 1));
    roster.take(update({ isMuted: false }, 0));
    expect(roster.notified).toEqual({ isMuted: true });
  });

  test('a delta roster with the sequence number 0 confirms if no other came before it', () => {
    const roster = known();
    roster.see({ isMuted: false });
    roster.ask();
    roster.take(update({}, 0));
    expect(roster.notified).toEqual({ isMuted: true });
  });

  test('an older roster is dropped', () => {
    const roster = known();
    roster.ask();
    roster.take(update({ isMuted: true, sequence: 9 }));
    roster.take(update({ isMuted: false, sequence: 8 }));
    expect(roster.notified).toEqual({ isMuted: true });
  });

  test('the newest roster decides', () => {
    const roster = known();
    roster.ask();
    roster.take(update({ isMuted: true }));
    roster.take(update({ isMuted: false }));
    expect(roster.notified).toEqual({ isMuted: false });
  });

  test('a removed participant is dropped', () => {
    const roster = known();
    roster.ask();
    roster.take(update({ removed: true }));
    expect(roster.notified).toBeUndefined();
  });

  test('a missing serverMuted keeps what was reported since the POST, and nothing from before', () => {
    const roster = known();
    roster.see({ isMuted: true, serverMuted: true });
    roster.ask();
    roster.take(update());
    expect(roster.lastSeen).toEqual({ isMuted: true });
    roster.see({ isMuted: true, serverMuted: false });
    roster.take(update());
    expect(roster.lastSeen).toEqual({ isMuted: true, serverMuted: false });
    roster.take(update({ isMuted: false }));
    expect(roster.lastSeen).toEqual({ isMuted: false });
  });

  test('finds the participant in any spelling, and not another one', () => {
    const roster = known();
    roster.ask();
    roster.take({ participants: [{ id: OWN.replaceAll('-', '').toUpperCase(), isMuted: true }], full: true });
    expect(roster.notified).toEqual({ isMuted: true });
    roster.take({ participants: [{ id: 'somebody', isMuted: false }], full: true });
    expect(roster.notified).toEqual({ isMuted: true });
  });

  test('in whatever order numbered rosters arrive, the one with the highest number stands', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(numbers, (sequences) => {
        const roster = known();
        roster.ask();
        for (const sequence of sequences) roster.take(update({ sequence, isMuted: sequence % 2 === 0 }));
        expect(roster.notified?.isMuted).toBe(Math.max(...sequences) % 2 === 0);
      }),
    );
  });
});

describe('what a roster knows', () => {
  const ID = 'the-application';
  const muted = (sequence?: number): RosterUpdate => ({
    full: false,
    participants: [{ id: ID, isMuted: true, ...(sequence !== undefined && { sequence }) }],
  });

  test('comes from a read, and of it only what was read', () => {
    const roster = new Roster();
    expect([roster.participantId, roster.newest]).toEqual([undefined, undefined]);
    roster.read({ participantId: ID, self: { isMuted: true, serverMuted: true, sequence: 4 } });
    expect([roster.participantId, roster.newest]).toEqual([ID, 4]);
    expect(roster.lastSeen).toEqual({ isMuted: true, serverMuted: true });
    roster.read({});
    roster.read();
    expect(roster.participantId).toBe(ID);
    expect(roster.lastSeen).toEqual({ isMuted: true, serverMuted: true });
  });

  test('is carried to the run that continues it', () => {
    const roster = new Roster();
    roster.read({ participantId: ID, self: { isMuted: false, sequence: 4 } });
    roster.ask();
    const next = new Roster(roster.state);
    next.take(muted(4));
    expect(next.notified).toBeUndefined();
    next.take(muted(5));
    expect(next.notified).toEqual({ isMuted: true });
    expect(roster.notified).toBeUndefined();
  });

  test('is nothing of a participant before the application is known', () => {
    const roster = new Roster();
    roster.ask();
    roster.take(muted(1));
    expect([roster.lastSeen, roster.newest]).toEqual([undefined, 1]);
  });

  test('does not lose a roster that is as new as the newest', () => {
    const roster = new Roster();
    roster.know(ID);
    roster.see({ isMuted: false, sequence: 3 });
    roster.take(muted(3));
    expect(roster.lastSeen).toEqual({ isMuted: true });
  });

  test.each([
    [true, { isMuted: true }],
    [false, undefined],
  ])('of rosters that were kept confirms only if it may: %s', (mayConfirm, expected) => {
    const roster = new Roster();
    roster.know(ID);
    roster.hold();
    roster.ask();
    roster.take(muted());
    expect(roster.lastSeen).toBeUndefined();
    roster.release(mayConfirm);
    expect([roster.lastSeen, roster.notified]).toEqual([{ isMuted: true }, expected]);
    roster.take(muted());
    expect(roster.notified).toEqual({ isMuted: true });
  });

  test('confirms nothing that was kept before the POST, and nothing twice', () => {
    const roster = new Roster();
    roster.know(ID);
    roster.release(true);
    roster.hold();
    roster.take(muted());
    roster.release(true);
    roster.release(true);
    expect([roster.lastSeen, roster.notified]).toEqual([{ isMuted: true }, undefined]);
  });

  test('keeps the newest 256 rosters, in their order', () => {
    // Only the first roster shows the application, so it is seen for as long as that roster is kept.
    const seenBefore = (others: number) => {
      const roster = new Roster();
      roster.know(ID);
      roster.hold();
      roster.take(muted());
      for (let i = 0; i < others; i += 1) roster.take({ full: false, participants: [{ id: `p${i}`, isMuted: true }] });
      roster.release(true);
      return roster.lastSeen;
    };
    expect(seenBefore(255)).toEqual({ isMuted: true });
    expect(seenBefore(256)).toBeUndefined();
  });
});
