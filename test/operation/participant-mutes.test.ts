import { expect, test } from 'vitest';
import type { RosterReading } from '../../src/activities/types.ts';
import { ParticipantMutes } from '../../src/workflows/operation/participant-mutes.ts';

/** Whom a mute of others mutes, if the first roster was incomplete (`src/workflows/operation/participant-mutes.ts`). */

const OWN = '05491616-385f-44a8-9974-18cc5f9933c1';
const ANN = '1de1b1f0-3a3c-4c52-8a10-6e6ae17a1f0a';
const BOB = '2b0e6c52-9b34-4a64-8f6e-55ed1a8f3b7e';

const INCOMPLETE: RosterReading = {
  state: 'established',
  isGroupCall: true,
  participantId: OWN,
  members: [{ id: ANN, isInLobby: false, state: { isMuted: false } }],
  isComplete: false,
  isCapped: false,
  isAbsenceProven: false,
};

function listing(...ids: string[]) {
  return { participants: [OWN, ...ids].map((id) => ({ id, isMuted: false })), full: true };
}

function gathering(): ParticipantMutes {
  const members = new ParticipantMutes({ callId: 'call', target: 'others' });
  members.choose(INCOMPLETE);
  return members;
}

test('whoever a full notification lists is looked for again after a read that failed', () => {
  const members = gathering();
  members.take(listing(ANN, BOB));
  expect(members.isEveryoneNew).toBe(true);
  expect(members.takeWanted().ids).toContain(BOB);
  expect(members.isEveryoneNew, 'the next look waits its time').toBe(false);

  const wanted = members.takeWanted();
  expect(wanted.ids).toContain(BOB);
  members.see(INCOMPLETE, wanted);
  expect(members.all.map(({ id }) => id)).toEqual([ANN, BOB]);
  expect(members.isRosterComplete).toBe(true);
  expect(members.takeWanted().everyone).toBeUndefined();
});

test('a full notification that comes during a read is kept for the next one', () => {
  const members = gathering();
  const wanted = members.takeWanted();
  members.take(listing(ANN, BOB));
  members.see(INCOMPLETE, wanted);
  expect(members.isEveryoneNew).toBe(true);
  expect(members.takeWanted().ids).toContain(BOB);
});

test('a run that continues has what a notification had listed', () => {
  const members = gathering();
  members.take(listing(ANN, BOB));
  members.takeWanted();
  const continued = new ParticipantMutes({ callId: 'call', target: 'others' }, members.state);
  expect(continued.isEveryoneNew).toBe(true);
  expect(continued.takeWanted().ids).toContain(BOB);
});
