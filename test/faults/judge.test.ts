import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LogEntry } from '../../src/simulator/index.ts';
import { Service } from '../support/service.ts';
import { judge, type JudgedRun } from './judge.ts';
import { play } from './play.ts';

/** A judge that finds nothing is worth something only if it finds what is there. */

const OWN = 'own';
const T = 1_700_000_000_000;
const iso = (ms: number): string => new Date(T + ms).toISOString();

const change = (at: number, isMuted: boolean): LogEntry => ({
  type: 'change',
  seq: 0,
  startedAt: T + at,
  participantId: OWN,
  isMuted,
  serverMuted: isMuted,
});

const post = (action: 'mute' | 'unmute', from: number, to: number): LogEntry => ({
  type: 'request',
  seq: 0,
  name: action,
  method: 'POST',
  path: `/${action}`,
  requestId: '',
  clientRequestId: '',
  action,
  startedAt: T + from,
  endedAt: T + to,
});

const roster = (from: number, to: number, isMuted: boolean): LogEntry => ({
  type: 'notification',
  seq: 0,
  kind: 'roster',
  messageId: '',
  attempt: 1,
  startedAt: T + from,
  endedAt: T + to,
  status: 202,
  own: { isMuted, serverMuted: isMuted },
});

const run = (given: Partial<JudgedRun> = {}): JudgedRun => ({
  runId: 'run',
  action: 'mute',
  startedAt: T,
  closedAt: T + 1_000,
  confirmWithinSeconds: 1,
  outcome: 'Confirmed',
  result: { isMuted: true, requestedAt: iso(100), confirmedAt: iso(900) },
  details: undefined,
  before: { isMuted: false, serverMuted: false },
  rosterSignals: [],
  ...given,
});

const failed = (given: Partial<JudgedRun>): JudgedRun => run({ outcome: 'Unconfirmed', result: undefined, ...given });

function violationsOf(log: LogEntry[], runs: JudgedRun[], isDelta = true): string[] {
  return judge({ callId: 'call', participantId: OWN, log, runs, isDelta }).violations.map((text) => text.slice(0, 3));
}

describe('the judge finds', () => {
  test('nothing where all is well', () => {
    const log = [post('mute', 100, 200), change(150, true), roster(210, 220, true)];
    expect(violationsOf(log, [run({ rosterSignals: [T + 215] })])).toEqual([]);
  });

  test('(a) a confirmation of what never was', () => {
    expect(violationsOf([post('mute', 100, 200)], [run()])).toContain('(a)');
    expect(violationsOf([change(-500, true), change(-100, false)], [run()])).toContain('(a)');
  });

  test('(a) but for one that a late full roster has misled, which it counts', () => {
    const log = [roster(300, 310, true)];
    const evidence = { callId: 'call', participantId: OWN, log, runs: [run({ rosterSignals: [T + 305] })] };
    expect(judge({ ...evidence, isDelta: false })).toEqual({ violations: [], misled: 1 });
    expect(judge({ ...evidence, isDelta: true }).violations[0]).toContain('(a)');
  });

  test('(b) a restore that is none, and one that was sent in secret', () => {
    const log = [change(-10, true)];
    expect(violationsOf(log, [failed({ details: { restored: true } })])).toEqual(['(b)']);
    const secret = [post('mute', 100, 200), post('unmute', 300, 400)];
    expect(violationsOf(secret, [failed({ details: { restored: false } })])).toEqual(['(b)']);
  });

  test('(c) a run that outlives its deadlines, or never ends', () => {
    expect(violationsOf([], [failed({ closedAt: T + 400_000 })])).toEqual(['(c)']);
    expect(violationsOf([], [failed({ closedAt: undefined })])).toEqual(['(c)']);
  });

  test('(d) requests that overlap', () => {
    expect(violationsOf([post('mute', 100, 300), post('unmute', 200, 400)], [])).toEqual(['(d)']);
  });

  test('(e) a roster that was answered 202 and went nowhere', () => {
    expect(violationsOf([roster(300, 310, false)], [failed({})])).toEqual(['(e)']);
    expect(violationsOf([roster(300, 310, false)], [failed({ rosterSignals: [T + 305] })])).toEqual([]);
  });

  test('(f) a confirmed operation that is not what Graph shows', () => {
    const log = [change(150, true), change(820, false)];
    const confirmed = run({ result: { isMuted: true, requestedAt: iso(100), confirmedAt: iso(900) } });
    expect(violationsOf(log, [confirmed])).toEqual(['(f)']);
  });
});

describe('on the real service', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(async () => await service.stop());

  test('it finds the operation that a lying roster has confirmed', async () => {
    const { violations } = await play(service, {
      form: { roster: 'delta' },
      steps: [
        {
          kind: 'faults',
          faults: { requests: [{ on: 'mute', effect: false }], notifications: [{ on: 'roster', precededBy: 'wrong' }] },
        },
        { kind: 'ask', action: 'mute', confirmWithinSeconds: 3, onUnconfirmed: 'restore', onConflict: 'supersede' },
        { kind: 'pause', ms: 300 },
        // Anyone's change sends a roster, before which comes one that lies about the application.
        { kind: 'someoneElse' },
      ],
    });
    expect(violations.map((text) => text.slice(0, 3))).toContain('(a)');
  });
});
