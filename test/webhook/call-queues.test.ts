import { describe, expect, it, vi } from 'vitest';
import { toRosterUpdate, type RosterParticipant, type RosterUpdate } from '../../src/contract/signals.ts';
import { TemporalUnavailable, type Deliverable } from '../../src/webhook/delivery/signal-workflows.ts';
import { CallQueues } from '../../src/webhook/delivery/call-queues.ts';
import { mergeRosters } from '../../src/webhook/delivery/merge-rosters.ts';
import {
  CALL,
  deltaEntry,
  entry,
  notifications,
  participant,
  Recorder,
  rig,
  rosterEntry,
} from '../support/webhook-kit.ts';

const soon = (): number => Date.now() + 4500;

function full(...participants: RosterParticipant[]): RosterUpdate {
  return { participants, full: true };
}

function delta(sequenceNumber: number | undefined, ...participants: RosterParticipant[]): RosterUpdate {
  const sequence = sequenceNumber === undefined ? {} : { sequence: sequenceNumber };
  return {
    participants: participants.map((one) => ({ ...one, ...sequence })),
    full: false,
    ...(sequenceNumber !== undefined && { sequenceNumber }),
  };
}

const muted = (id: string): RosterParticipant => ({ id, isMuted: true });
const open = (id: string): RosterParticipant => ({ id, isMuted: false });

const roster = (payload: RosterUpdate, callId = CALL): Deliverable => ({ kind: 'rosterUpdated', callId, payload });
const end: Deliverable = { kind: 'callEnded', callId: CALL, payload: {} };
const operation: Deliverable = {
  kind: 'operationUpdated',
  callId: CALL,
  payload: { operationId: 'op', status: 'running' },
};

describe('merging', () => {
  it.each<[string, RosterUpdate[], RosterUpdate]>([
    ['a full roster replaces a full one', [full(muted('a'), muted('b')), full(open('a'))], full(open('a'))],
    ['a full roster replaces a delta', [delta(7, muted('a')), full(open('b'))], full(open('b'))],
    [
      'a delta on a full roster leaves it full',
      [full(muted('a'), muted('b')), delta(3, open('b'))],
      { participants: [muted('a'), { ...open('b'), sequence: 3 }], full: true, sequenceNumber: 3 },
    ],
    [
      'deltas add up',
      [delta(1, muted('a')), delta(2, open('b'))],
      {
        participants: [
          { ...muted('a'), sequence: 1 },
          { ...open('b'), sequence: 2 },
        ],
        full: false,
        sequenceNumber: 2,
      },
    ],
    ['a later delta replaces', [delta(1, muted('a')), delta(2, open('a'))], delta(2, open('a'))],
    ['an older delta does not', [delta(2, open('a')), delta(1, muted('a'))], delta(2, open('a'))],
    ['one of the same number does', [delta(2, open('a')), delta(2, muted('a'))], delta(2, muted('a'))],
    [
      'without numbers the later one does',
      [delta(undefined, open('a')), delta(undefined, muted('a'))],
      delta(undefined, muted('a')),
    ],
    [
      'a full roster that is older for a participant keeps the newer state',
      [delta(5, open('a')), full({ ...muted('a'), sequence: 4 })],
      full({ ...open('a'), sequence: 5 }),
    ],
    [
      'nothing of a replaced state stays',
      [full({ ...muted('a'), serverMuted: true }), full(muted('a'))],
      full(muted('a')),
    ],
  ])('%s', (_what, updates, merged) => {
    expect(mergeRosters(updates)).toEqual(merged);
  });
});

const rostersOf = (recorder: Recorder): RosterUpdate[] =>
  recorder.handed.flatMap(({ payload }) => ('full' in payload ? [payload] : []));

const many = (from: string): RosterUpdate => delta(1, ...Array.from({ length: 600 }, (_, i) => muted(`${from}${i}`)));

describe('a lane', () => {
  it('hands over the first roster at once and merges those that come meanwhile', async () => {
    const recorder = new Recorder();
    const lanes = new CallQueues(recorder.deliver);
    const began = performance.now();
    await lanes.send(roster(full(open('a'))), soon());
    expect(performance.now() - began).toBeLessThan(50);
    const fates = await Promise.all([
      lanes.send(roster(delta(1, muted('b'))), soon()),
      lanes.send(roster(full(muted('a'))), soon()),
      lanes.send(roster(delta(2, muted('c'))), soon()),
    ]);
    expect(fates).toEqual(['handed-over', 'handed-over', 'handed-over']);
    expect(recorder.handed.map(({ payload }) => payload)).toEqual([
      full(open('a')),
      { participants: [muted('a'), { ...muted('c'), sequence: 2 }], full: true, sequenceNumber: 2 },
    ]);
    const [first, second] = recorder.handed;
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(100);
    expect(second!.at - first!.at).toBeLessThan(150);
  });

  it('answers only when the hand-over that contains the roster has ended, and keeps the order when it is slow', async () => {
    const recorder = new Recorder();
    const releases: (() => void)[] = [];
    recorder.before = () => new Promise<void>((resolve) => releases.push(resolve));
    const lanes = new CallQueues(recorder.deliver);
    const ended: number[] = [];
    const sent = Array.from({ length: 5 }, async (_, i) => {
      if (i > 0) await vi.waitUntil(() => releases.length > 0);
      await lanes.send(roster(delta(i, muted(`p${i}`))), soon());
      ended.push(i);
    });
    await vi.waitUntil(() => releases.length === 1);
    // Longer than the interval: still only one at a time.
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(recorder.handed).toHaveLength(1);
    expect(ended).toEqual([]);
    releases[0]!();
    await vi.waitUntil(() => releases.length === 2);
    expect(ended).toEqual([0]);
    expect(recorder.handed[1]!.payload).toMatchObject({ sequenceNumber: 4, participants: { length: 4 } });
    releases[1]!();
    await Promise.all(sent);
    expect(ended).toEqual([0, 1, 2, 3, 4]);
    expect(recorder.mostAtOnce).toBe(1);
  });

  it('never tells the end of a call before the rosters that came first, nor after it those that came later', async () => {
    const recorder = new Recorder();
    const lanes = new CallQueues(recorder.deliver);
    await Promise.all(
      [roster(full(open('a'))), roster(full(muted('a'))), operation, end, roster(full(open('b')))].map((one) =>
        lanes.send(one, soon()),
      ),
    );
    expect(
      recorder.handed.map(({ kind, payload }) => [kind, 'full' in payload && payload.participants[0]?.id]),
    ).toEqual([
      ['rosterUpdated', 'a'],
      ['operationUpdated', false],
      ['callEnded', false],
      ['rosterUpdated', 'b'],
    ]);
    expect(recorder.mostAtOnce).toBe(1);
  });

  it('blocks no other call', async () => {
    const recorder = new Recorder();
    recorder.before = ({ callId }) => (callId === CALL ? new Promise(() => undefined) : undefined);
    const lanes = new CallQueues(recorder.deliver);
    void lanes.send(roster(full(muted('a'))), soon());
    await expect(lanes.send(roster(full(muted('a')), 'other'), soon())).resolves.toBe('handed-over');
  });

  it('gives all of a batch its failure, and continues', async () => {
    const recorder = new Recorder();
    const lanes = new CallQueues(recorder.deliver);
    await lanes.send(roster(full(muted('a'))), soon());
    recorder.before = () => Promise.reject(new TemporalUnavailable('down'));
    const failed = [1, 2, 3].map((i) => lanes.send(roster(delta(i, muted('a'))), soon()));
    const results = await Promise.allSettled(failed);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    recorder.before = () => undefined;
    await expect(lanes.send(roster(full(open('a'))), soon())).resolves.toBe('handed-over');
    expect(recorder.handed).toHaveLength(3);
  });

  it('does not send what has waited past its deadline', async () => {
    const recorder = new Recorder();
    let release!: () => void;
    recorder.before = () => new Promise<void>((resolve) => (release = resolve));
    const lanes = new CallQueues(recorder.deliver);
    const first = lanes.send(roster(full(muted('a'))), soon());
    await vi.waitUntil(() => recorder.handed.length === 1);
    const late = lanes.send(roster(full(open('a'))), Date.now() + 20);
    const lateEnd = lanes.send(end, Date.now() + 20);
    setTimeout(() => release(), 50);
    await expect(first).resolves.toBe('handed-over');
    await expect(late).rejects.toThrow(TemporalUnavailable);
    await expect(lateEnd).rejects.toThrow(TemporalUnavailable);
    expect(recorder.handed).toHaveLength(1);
  });

  it('closes a batch before it contains more participants than a signal may', async () => {
    const recorder = new Recorder();
    const lanes = new CallQueues(recorder.deliver);
    const fates = await Promise.all(['a', 'b', 'c'].map((from) => lanes.send(roster(many(from)), soon())));
    expect(fates).toEqual(['handed-over', 'handed-over', 'handed-over']);
    expect(rostersOf(recorder).map(({ participants }) => participants[0]?.id)).toEqual(['a0', 'b0', 'c0']);
    expect(rostersOf(recorder).map(({ participants }) => participants.length)).toEqual([600, 600, 600]);
  });

  it('closes a batch before it contains more bytes than a signal may', async () => {
    const recorder = new Recorder();
    const lanes = new CallQueues(recorder.deliver);
    // 4 of these are 128 KiB: few people, but Graph says nothing of how long an ID may be.
    const long = (from: string): RosterUpdate =>
      delta(1, ...Array.from({ length: 100 }, (_, i) => muted(`${from}${i}`.padEnd(256, '\u00e9'))));
    await Promise.all(['a', 'b', 'c', 'd'].map((from) => lanes.send(roster(long(from)), soon())));
    expect(rostersOf(recorder).map(({ participants }) => participants.length)).toEqual([200, 200]);
    expect(recorder.handed.every(({ payload }) => JSON.stringify(payload).length < 2 ** 17)).toBe(true);
  });

  it('continues with a batch that a full roster makes smaller', async () => {
    const recorder = new Recorder();
    const lanes = new CallQueues(recorder.deliver);
    const sent = [many('first'), many('a'), full(muted('bot')), delta(2, open('b'))];
    await Promise.all(sent.map((one) => lanes.send(roster(one), soon())));
    expect(rostersOf(recorder)).toMatchObject([
      { participants: { length: 600 } },
      { full: true, participants: [{ id: 'bot' }, { id: 'b' }] },
    ]);
  });

  it('hands over in parts what is too large by itself, at once, in order, and full no more', async () => {
    const recorder = new Recorder();
    const lanes = new CallQueues(recorder.deliver);
    const ids = Array.from({ length: 40_000 }, (_, i) => `p${i}`);
    const began = performance.now();
    const sent = [full(...ids.map(muted)), delta(7, open('late')), delta(8, open('later'))];
    await Promise.all(sent.map((one) => lanes.send(roster(one), soon())));
    expect(performance.now() - began).toBeLessThan(2_000);
    const handed = rostersOf(recorder);
    expect(handed.flatMap(({ participants }) => participants.map(({ id }) => id))).toEqual([...ids, 'late', 'later']);
    expect(handed.map((one) => one.full)).not.toContain(true);
    // Each of them is one that an operation takes.
    for (const one of handed) expect(toRosterUpdate(one)).toStrictEqual(one);
    expect(handed.at(-1)).toMatchObject({ sequenceNumber: 8, participants: { length: 2 } });
    expect(recorder.mostAtOnce).toBe(1);
  });

  it('is answered as failed where one part of it is', async () => {
    const recorder = new Recorder();
    const lanes = new CallQueues(recorder.deliver);
    recorder.before = () => (recorder.handed.length > 1 ? Promise.reject(new TemporalUnavailable('down')) : undefined);
    const sent = lanes.send(roster(full(...Array.from({ length: 2_500 }, (_, i) => muted(`p${i}`)))), soon());
    await expect(sent).rejects.toThrow(TemporalUnavailable);
    expect(recorder.handed).toHaveLength(2);
  });

  it('is gone when its call is quiet', async () => {
    const lanes = new CallQueues(new Recorder().deliver);
    await Promise.all(Array.from({ length: 100 }, (_, i) => lanes.send(roster(full(muted('a')), `call-${i}`), soon())));
    expect(lanes.size).toBe(100);
    await vi.waitUntil(() => lanes.size === 0);
    expect(lanes.size).toBe(0);
  });
});

describe('a storm over HTTP', () => {
  it('of rosters on one call becomes at most ten hand-overs a second, and the last state wins', async () => {
    const storm = await rig();
    storm.recorder.before = () => new Promise((resolve) => setTimeout(resolve, 5));
    const answers: Promise<Response>[] = [];
    const began = performance.now();
    let sent = 0;
    // A storm on a machine that is busy takes longer, and is one all the same.
    while (sent < 120 || performance.now() - began < 1200) {
      const isMuted = sent % 2 === 0;
      answers.push(storm.post(notifications(rosterEntry(CALL, participant('bot', isMuted)))));
      sent += 1;
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    await Promise.all(answers);
    answers.push(storm.post(notifications(rosterEntry(CALL, participant('bot', true, { rosterSequenceNumber: 1 })))));
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([202]));

    const times = storm.recorder.handed.map(({ at }) => at);
    for (const from of times) {
      // Eleven if the process stood still at the first of them, because each is noted when it is done.
      expect(times.filter((at) => at >= from && at < from + 1000).length).toBeLessThanOrEqual(11);
    }
    expect(times.length).toBeGreaterThanOrEqual(10);
    expect(storm.recorder.handed.at(-1)?.payload).toMatchObject({ participants: [{ isMuted: true, sequence: 1 }] });
    const counted = await storm.metrics.notifications.get();
    expect(counted.values.filter(({ value }) => value > 0)).toEqual([
      { labels: { kind: 'rosterUpdated', outcome: 'handed-over' }, value: sent + 1 },
    ]);
    await storm.close();
  });

  it('of deltas loses nobody', async () => {
    const storm = await rig();
    const began = performance.now();
    await Promise.all(
      Array.from({ length: 120 }, (_, i) =>
        storm.post(notifications(deltaEntry(CALL, i + 1, participant(`p${i % 40}`, i >= 80)))),
      ),
    );
    const rosters = storm.recorder.handed.flatMap(({ payload }) => ('full' in payload ? [payload] : []));
    // Ten a second, however long a busy machine takes.
    expect(rosters.length).toBeLessThanOrEqual((performance.now() - began) / 100 + 2);
    expect(rosters.length).toBeLessThan(120);
    const last = mergeRosters(rosters);
    expect(last.full).toBe(false);
    expect(last.sequenceNumber).toBe(120);
    expect(last.participants).toHaveLength(40);
    expect(last.participants.every(({ isMuted, sequence }) => isMuted && sequence! > 80)).toBe(true);
    await storm.close();
  });

  it('of one delta of a mebibyte becomes signals that Temporal takes', async () => {
    const storm = await rig();
    const listed = Array.from({ length: 25_000 }, (_, i) => ({ id: `${i}`, isMuted: true }));
    const body = notifications(
      entry(`/communications/calls/${CALL}/participants`, {
        '@odata.type': '#microsoft.graph.deltaParticipants',
        sequenceNumber: Number.MAX_SAFE_INTEGER,
        participants: listed,
      }),
    );
    expect(JSON.stringify(body).length).toBeGreaterThan(700_000);
    expect((await storm.post(body)).status).toBe(202);
    const handed = rostersOf(storm.recorder);
    expect(handed.flatMap(({ participants }) => participants).map(({ id }) => id)).toEqual(listed.map(({ id }) => id));
    for (const one of handed) expect(JSON.stringify(one).length).toBeLessThan(2 ** 18);
    await storm.close();
  });

  it('of everything keeps what came over one connection in its order', async () => {
    const storm = await rig();
    const body = notifications(
      ...Array.from({ length: 20 }, (_, i) => rosterEntry(CALL, participant('bot', i % 2 === 0))),
      rosterEntry(CALL, participant('bot', true)),
      entry(`/communications/calls/${CALL}`, undefined, 'deleted'),
    );
    expect((await storm.post(body)).status).toBe(202);
    expect(storm.recorder.handed.map(({ kind }) => kind)).toEqual(['rosterUpdated', 'callEnded']);
    expect(storm.recorder.handed[0]?.payload).toEqual(full(muted('bot')));
    await storm.close();
  });
});
