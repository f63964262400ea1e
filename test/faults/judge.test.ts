import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LogEntry } from '../../src/simulator/index.ts';
import { Service, untilPhase } from '../support/service.ts';
import { evidenceOf } from './evidence.ts';
import { judge, type Evidence, type JudgedRun } from './judge.ts';

/** A judge that finds nothing is worth something only if it finds what is there. */

const OWN = 'own';
/** Nothing that comes late can be taken for new. */
const NUMBERED = { roster: 'delta', numberedReads: true } as const;
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

const told = (at: number, isMuted = true): JudgedRun['signals'] => [{ name: 'rosterUpdated', at: T + at, isMuted }];

const roster = (from: number, to: number, isMuted?: boolean): LogEntry => ({
  type: 'notification',
  seq: 0,
  kind: 'roster',
  messageId: '',
  attempt: 1,
  startedAt: T + from,
  endedAt: T + to,
  status: 202,
  ...(isMuted !== undefined && { own: { isMuted, serverMuted: isMuted } }),
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
  signals: [],
  ...given,
});

const failed = (given: Partial<JudgedRun>): JudgedRun => run({ outcome: 'Unconfirmed', result: undefined, ...given });

/** The rule that a violation names. */
function ruleOf(violation: string): string {
  return violation.slice(0, violation.indexOf(':'));
}

function violationsOf(log: LogEntry[], runs: JudgedRun[], form: Evidence['form'] = NUMBERED): string[] {
  return judge({ callId: 'call', participantId: OWN, log, runs, form }).violations.map(ruleOf);
}

describe('the judge finds', () => {
  test('nothing where all is well', () => {
    const log = [post('mute', 100, 200), change(150, true), roster(210, 220, true)];
    expect(violationsOf(log, [run({ signals: told(215) })])).toEqual([]);
  });

  test('a confirmation of what never was', () => {
    expect(violationsOf([post('mute', 100, 200)], [run()])).toContain('confirmed is true');
    expect(violationsOf([change(-500, true), change(-100, false)], [run()])).toContain('confirmed is true');
  });

  test('but for one that a late full roster has misled, which it counts', () => {
    const log = [roster(300, 310, true)];
    const evidence = { callId: 'call', participantId: OWN, log, runs: [run({ signals: told(305) })] };
    const misled = { violations: [], misled: 1, overtaken: 0 };
    expect(judge({ ...evidence, form: { roster: 'full' } })).toEqual(misled);
    expect(judge({ ...evidence, form: NUMBERED }).violations[0]).toContain('confirmed is true');
  });

  test('but for one that a late delta roster has misled, where the run knew no number', () => {
    const log = [{ ...roster(300, 310, true), sequenceNumber: 7 } as LogEntry];
    const knowing = (sequence: number): JudgedRun =>
      run({ signals: [{ name: 'rosterUpdated', at: T + 40, sequence }, ...told(305)] });
    const verdict = (sequence: number, form: Evidence['form'] = { roster: 'delta' }) =>
      judge({ callId: 'call', participantId: OWN, log, runs: [knowing(sequence)], form });
    expect(verdict(6)).toEqual({ violations: [], misled: 1, overtaken: 0 });
    expect(verdict(7).violations[0]).toContain('confirmed is true');
    expect(verdict(6, NUMBERED).violations[0]).toContain('confirmed is true');
  });

  test('a restore that is none, one that sent nothing, and one that was sent in secret', () => {
    const restored = failed({ details: { restored: true } });
    const sent = [post('mute', 100, 200), change(150, true), post('unmute', 300, 400)];
    expect(violationsOf(sent, [restored])).toEqual(['restored is true']);
    expect(violationsOf([...sent, change(350, false)], [restored])).toEqual([]);
    expect(violationsOf([], [restored])).toEqual(['restored is true']);
    const secret = [post('mute', 100, 200), post('unmute', 300, 400)];
    expect(violationsOf(secret, [failed({ details: { restored: false } })])).toEqual(['restored is true']);
  });

  test('a run that outlives its deadlines, or never ends', () => {
    expect(violationsOf([], [failed({ closedAt: T + 400_000 })])).toEqual(['in time']);
    expect(violationsOf([], [failed({ closedAt: undefined })])).toEqual(['in time']);
  });

  test('requests that overlap, but for the same one again after a broken connection', () => {
    const both = (first: LogEntry, second: LogEntry): string[] => violationsOf([first, second], [failed({})]);
    expect(both(post('mute', 100, 300), post('unmute', 200, 400))).toEqual(['one at a time']);
    expect(both(post('mute', 100, 300), post('mute', 200, 400))).toEqual(['one at a time']);
    const broken = { ...post('mute', 100, 300), outcome: 'gone' } as LogEntry;
    expect(both(broken, post('mute', 200, 400))).toEqual([]);
    expect(both(broken, post('unmute', 200, 400))).toEqual(['one at a time']);
  });

  test('runs that overlap, and a request that is of none or outlives its own', () => {
    const next = failed({ runId: 'next', startedAt: T + 500, closedAt: T + 2_000 });
    expect(violationsOf([], [failed({}), next])).toEqual(['one at a time']);
    expect(violationsOf([post('mute', 3_000, 3_100)], [failed({})])).toEqual(['one at a time']);
    expect(violationsOf([post('mute', 900, 1_500)], [failed({})])).toEqual(['one at a time']);
  });

  test('a roster that was answered 202 and went nowhere, or as something else', () => {
    const taken = (...signals: JudgedRun['signals']): string[] =>
      violationsOf([roster(300, 310, false)], [failed({ signals })]);
    expect(taken()).toEqual(['nothing is lost']);
    expect(taken(...told(305, false))).toEqual([]);
    expect(taken(...told(305, true))).toEqual(['nothing is lost']);
    expect(taken(...told(800, false))).toEqual(['nothing is lost']);
    // One of two that came together may stand for both.
    const merged = [roster(300, 320, false), roster(301, 320, true)];
    expect(violationsOf(merged, [failed({ signals: told(305, true) })])).toEqual([]);
    // A full roster that leaves the application out replaces what came before it; a delta does not.
    const without = [roster(300, 320, false), roster(301, 320)];
    const left = [failed({ signals: [{ name: 'rosterUpdated', at: T + 305 }] })];
    expect(violationsOf(without, left, { roster: 'full' })).toEqual([]);
    expect(violationsOf(without, left)).toEqual(['nothing is lost']);
  });

  test("(e) the call's end and an operation's news that went nowhere", () => {
    const taken = { type: 'notification', seq: 0, messageId: '', attempt: 1, status: 202 } as const;
    const times = { startedAt: T + 300, endedAt: T + 310 };
    const end: LogEntry = { ...taken, ...times, kind: 'call', state: 'terminated' };
    const news: LogEntry = { ...taken, ...times, kind: 'operation', operation: { id: 'op', status: 'failed' } };
    const at = T + 305;
    expect(violationsOf([end, news], [failed({})])).toEqual(['nothing is lost', 'nothing is lost']);
    const signals = [
      { name: 'callEnded', at },
      { name: 'operationUpdated', at, operationId: 'op' },
    ];
    expect(violationsOf([end, news], [failed({ signals })])).toEqual([]);
  });

  test('a confirmed operation that is not what Graph shows', () => {
    const confirmed = run({ result: { isMuted: true, requestedAt: iso(100), confirmedAt: iso(900) } });
    const ours = (at: number): LogEntry => ({ ...change(at, false), operationId: 'op' }) as LogEntry;
    for (const at of [820, 990])
      expect(violationsOf([change(150, true), ours(at)], [confirmed])).toEqual(['the last confirmed stands']);
    expect(violationsOf([change(-20, true), change(-10, false)], [confirmed])).toContain('the last confirmed stands');
    // Somebody else may change it once it was so, whatever an operation does to the rest of it later.
    for (const at of [820, 990]) expect(violationsOf([change(150, true), change(at, false)], [confirmed])).toEqual([]);
    expect(violationsOf([change(150, true), change(820, false), ours(850)], [confirmed])).toEqual([]);
    // And so may a request of before that Graph had put off.
    const late = [{ ...post('unmute', 10, 20), effect: 'later' } as LogEntry, change(150, true), ours(990)];
    const evidence = { callId: 'call', participantId: OWN, log: late, runs: [confirmed], form: NUMBERED };
    expect(judge(evidence)).toEqual({ violations: [], misled: 0, overtaken: 1 });
  });
});

describe('on the real service', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(async () => await service.stop());

  test('it finds the operation that a lying roster has confirmed', async () => {
    const call = service.call({
      form: { roster: 'delta' },
      faults: {
        requests: [{ on: 'mute', effect: false }],
        notifications: [{ on: 'roster', precededBy: 'wrong', drop: true }],
      },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    // Anyone's change sends a roster, in whose place comes one that lies about the application.
    const other = service.graph.describe(call.id).participants.find(({ id }) => id !== call.participantId);
    await service.graph.setParticipant(call.id, other?.id ?? '', { clientMuted: true });
    await handle.result();
    // As if nothing could be taken for new: such a confirmation would be counted apart.
    const { violations } = judge(await evidenceOf(service.client, call, NUMBERED));
    expect(violations.map(ruleOf)).toContain('confirmed is true');
  });
});
