import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Faults, LogEntry, NewCall, NotificationEntry, RequestEntry } from '../../src/simulator/index.ts';
import { Stage } from '../support/simulator-bot.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(async () => {
  await stage.close();
});

function callWith(faults: Faults, given: Partial<NewCall> = {}): { id: string; myParticipantId: string } {
  return stage.graph.createCall({ callbackUri: stage.bot.url, faults, ...given });
}
const mute = async (id: string) => stage.ask('POST', stage.path(id, '/mute'), { clientContext: 'ctx' });
const unmute = async (id: string) => stage.ask('POST', stage.path(id, '/unmute'), {});
const isMuted = (id: string): boolean => stage.graph.describe(id).self.isMuted;
const isRequest = (entry: LogEntry): entry is RequestEntry => entry.type === 'request' && entry.endedAt !== undefined;
const isNotification = (entry: LogEntry): entry is NotificationEntry => entry.type === 'notification';
const isDelivered = (entry: LogEntry): entry is NotificationEntry =>
  entry.type === 'notification' && entry.outcome === 'delivered';
const isChange = (entry: LogEntry): boolean => entry.type === 'change';
const told = (id: string): (boolean | undefined)[] =>
  stage.graph
    .log(id)
    .filter(isNotification)
    .filter(({ outcome }) => outcome === 'delivered')
    .map(({ own }) => own?.isMuted);

/** Mutes, and unmutes once the mute is told. */
const twice = async (id: string): Promise<void> => {
  await mute(id);
  await stage.graph.settled();
  await unmute(id);
  await stage.graph.settled();
};

describe('faults of requests', () => {
  it('answer otherwise, as often as asked, and then all is well', async () => {
    const { id } = callWith({
      requests: [
        { on: 'mute', times: 2, answer: { status: 429, code: 'TooManyRequests', message: 'Slow.', retryAfter: 7 } },
      ],
    });
    for (const _ of [1, 2]) {
      const { status, headers, body } = await mute(id);
      expect([status, headers.get('retry-after')]).toEqual([429, '7']);
      expect(body).toMatchObject({
        error: { code: 'TooManyRequests', message: 'Slow.', innerError: expect.any(Object) },
      });
    }
    expect(isMuted(id)).toBe(false);
    expect((await mute(id)).status).toBe(200);
    expect(isMuted(id)).toBe(true);
  });

  it('let some pass first, and match by the request', async () => {
    const { id } = callWith({ requests: [{ on: 'getCall', skip: 1, times: 'forever', answer: { status: 500 } }] });
    const statuses = [];
    for (const _ of [1, 2, 3]) statuses.push((await stage.ask('GET', stage.path(id))).status);
    expect(statuses).toEqual([200, 500, 500]);
    expect((await stage.ask('GET', stage.path(id, '/participants'))).status).toBe(200);
  });

  it('match any request, and send any body', async () => {
    const { id } = callWith({
      requests: [{ on: 'any', times: 'forever', answer: { status: 502, rawBody: '<html>', contentType: 'text/html' } }],
    });
    for (const within of ['', '/participants', '/operations']) {
      const { status, body, headers } = await stage.ask('GET', stage.path(id, within));
      expect([status, body, headers.get('content-type')]).toEqual([502, '<html>', 'text/html']);
    }
  });

  it.each([
    ['503', { answer: { status: 503 } }, false],
    ['503 although done', { answer: { status: 503 }, effect: true }, true],
    ['200 although not done', { effect: false }, false],
    ['a failed operation', { operation: { status: 'failed' } }, false],
    ['a failed operation although done', { operation: { status: 'failed' }, effect: true }, true],
    ['an operation that never ends', { operation: { status: null, ends: 'never' } }, false],
    [
      'an operation not started that is done at once',
      { operation: { status: 'notStarted', ends: 'never' }, effect: true },
      true,
    ],
  ] as const)('%s', async (_what, fault, done) => {
    const { id } = callWith({ requests: [{ on: 'mute', ...fault }] });
    const { status, body } = await mute(id);
    expect(status).toBe('answer' in fault ? fault.answer.status : 200);
    if ('operation' in fault) expect(body).toMatchObject({ status: fault.operation.status });
    await stage.graph.settled();
    expect(isMuted(id)).toBe(done);
    expect(told(id)).toEqual(done ? [true] : []);
    const request = await stage.graph.waitFor(id, isRequest);
    expect(request.effect === 'done').toBe(done);
  });

  it.each([
    ['reset', false],
    ['reset', true],
    ['hang', false],
    ['hang', true],
  ] as const)('%s, done: %s', async (answer, effect) => {
    const { id } = callWith({ requests: [{ on: 'mute', answer, effect }] });
    const client = new AbortController();
    const asked = fetch(`${stage.graph.url}${stage.path(id, '/mute')}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await stage.graph.issueToken()}`, 'content-type': 'application/json' },
      body: '{}',
      signal: client.signal,
    });
    const failed = expect(asked).rejects.toThrow(answer === 'reset' ? 'fetch failed' : /abort/);
    const entry = await stage.graph.waitFor(id, isRequest);
    expect(entry).toMatchObject({ outcome: answer === 'reset' ? 'reset' : 'hung' });
    expect(entry).not.toHaveProperty('status');
    if (effect) await stage.graph.waitFor(id, isDelivered);
    if (answer === 'hang') client.abort();
    await failed;
    expect(isMuted(id)).toBe(effect);
  });

  it('put the effect off, beyond the answer', async () => {
    const { id } = callWith({ requests: [{ on: 'mute', effect: { afterMs: 30 } }] });
    expect((await mute(id)).body).toMatchObject({ status: 'completed' });
    expect(isMuted(id)).toBe(false);
    const [request, change, delivered] = [
      await stage.graph.waitFor(id, isRequest),
      await stage.graph.waitFor(id, isChange),
      await stage.graph.waitFor(id, isDelivered),
    ];
    expect(request).toMatchObject({ effect: 'later' });
    expect(change).toMatchObject({ isMuted: true, operationId: expect.any(String) });
    expect(delivered.startedAt).toBeGreaterThanOrEqual(change.startedAt);
  });

  it('take the effect, and tell of it, before a slow answer', async () => {
    const { id } = callWith({ requests: [{ on: 'mute', latencyMs: 500, effect: { afterMs: 0 } }] });
    const answered = mute(id);
    const delivered = await stage.graph.waitFor(id, isDelivered);
    await answered;
    const request = await stage.graph.waitFor(id, isRequest);
    expect(delivered.endedAt).toBeLessThan(request.endedAt ?? 0);
    expect(
      stage.graph
        .log(id)
        .filter(({ type }) => type !== 'change')
        .map(({ type }) => type),
    ).toEqual(['request', 'notification']);
  });

  it('make Graph slow: the effect comes with the answer, also when the client has left', async () => {
    const { id } = callWith({ requests: [{ on: 'mute', latencyMs: 60 }] });
    const asked = fetch(`${stage.graph.url}${stage.path(id, '/mute')}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await stage.graph.issueToken()}`, 'content-type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(20),
    });
    await expect(asked).rejects.toThrow(/timeout/);
    expect(isMuted(id)).toBe(false);
    await stage.graph.waitFor(id, isDelivered);
    expect(isMuted(id)).toBe(true);
    expect(stage.graph.log(id).find(isRequest)).toMatchObject({ outcome: 'gone', effect: 'done' });
  });

  it('a late effect on a call that has ended does nothing', async () => {
    const { id } = callWith({ requests: [{ on: 'mute', effect: { afterMs: 500 } }] });
    await mute(id);
    await stage.graph.endCall(id);
    await stage.graph.settled();
    expect(isMuted(id)).toBe(false);
    expect(told(id)).toHaveLength(1);
  });

  it('are not used up by a bad token', async () => {
    const { id } = callWith({ requests: [{ on: 'mute', answer: { status: 500 } }] });
    const bad = await stage.ask('POST', stage.path(id, '/mute'), {}, { authorization: 'Bearer x' });
    expect([bad.status, (await mute(id)).status]).toEqual([401, 500]);
  });

  it('of the service catch what no call catches', async () => {
    const { id } = callWith({ requests: [{ on: 'getCall', answer: { status: 500 } }] });
    stage.graph.setServiceFaults({
      requests: [
        { on: 'getCall', times: 2, answer: { status: 503 } },
        { on: 'openid', answer: { status: 500 } },
        { on: 'jwks', answer: 'reset' },
        { on: 'createCall', answer: { status: 403, code: '7503' } },
      ],
    });
    const statuses = [];
    for (const path of [id, id, 'never', id]) statuses.push((await stage.ask('GET', stage.path(path))).status);
    expect(statuses).toEqual([500, 503, 503, 200]);
    expect((await fetch(stage.graph.openIdUrl)).status).toBe(500);
    const { jwks_uri } = (await (await fetch(stage.graph.openIdUrl)).json()) as { jwks_uri: string };
    await expect(fetch(jwks_uri)).rejects.toThrow('fetch failed');
    expect((await fetch(jwks_uri)).status).toBe(200);
    expect((await stage.ask('POST', '/v1.0/communications/calls', {})).body).toMatchObject({ error: { code: '7503' } });
    expect(stage.graph.serviceLog.entries).toMatchObject([
      { name: 'getCall', status: 503 },
      { name: 'createCall', status: 403 },
    ]);
  });

  it('are gone when cleared', async () => {
    const { id } = callWith({ requests: [{ on: 'mute', times: 'forever', answer: { status: 500 } }] });
    await mute(id);
    await stage.graph.clearFaults(id);
    expect((await mute(id)).status).toBe(200);
  });

  it.each([
    ['an unknown field', { requests: [{ on: 'mute', latency: 5 }] }, /latency/],
    ['an unknown request', { requests: [{ on: 'unmuteAll' }] }, /requests\[0\]\.on/],
    ['a status that is none', { requests: [{ on: 'mute', answer: { status: 99 } }] }, /status|Invalid input/],
    ['a misspelt list', { request: [] }, /request/],
  ])('with %s are refused, by name', (_what, faults, message) => {
    const { id } = callWith({});
    expect(() => {
      stage.graph.setFaults(id, faults as unknown as Faults);
    }).toThrow(message);
  });
});

describe('faults of notifications', () => {
  it.each([
    ['none', {}, [true, false]],
    ['drop', { drop: true }, [false]],
    ['drop all', { drop: true, times: 'forever' }, []],
    ['copies', { copies: 3 }, [true, true, true, false]],
    ['hold', { hold: true }, [false, true]],
    ['stale', { precededBy: 'stale' }, [false, true, false]],
    ['wrong', { precededBy: 'wrong' }, [false, true, false]],
    ['only later ones', { skip: 1, drop: true }, [true]],
    ['of other kinds', { on: 'call', drop: true }, [true, false]],
  ] as const)('%s', async (_what, fault, wanted) => {
    const { id } = callWith({ notifications: [{ on: 'roster', ...fault }] });
    await twice(id);
    expect(told(id)).toEqual(wanted);
    expect(isMuted(id)).toBe(false);
  });

  it('delay one beyond the next', async () => {
    const { id } = callWith({ notifications: [{ on: 'roster', delayMs: 500 }] });
    await mute(id);
    await unmute(id);
    await stage.graph.settled();
    expect(told(id)).toEqual([false, true]);
  });

  it('number a stale and a held roster as what they are', async () => {
    const form = { roster: 'delta' } as const;
    const { id } = callWith({ notifications: [{ hold: true }, { precededBy: 'stale' }] }, { form });
    await twice(id);
    const numbers = stage.graph
      .log(id)
      .filter(isNotification)
      .filter(isDelivered)
      .map(({ sequenceNumber }) => sequenceNumber);
    expect(numbers).toEqual([2, 3, 2]);
  });

  it('let go what they held when cleared', async () => {
    const { id } = callWith({ notifications: [{ hold: true }] });
    await mute(id);
    await stage.graph.settled();
    expect(told(id)).toEqual([]);
    await stage.graph.clearFaults(id);
    expect(told(id)).toEqual([true]);
  });

  it('deliver early: taken by the bot before the POST is answered', async () => {
    const { id } = callWith({ notifications: [{ early: true }] });
    await mute(id);
    const delivered = stage.graph.log(id).filter(isDelivered);
    expect(delivered).toHaveLength(1);
    const request = await stage.graph.waitFor(id, isRequest);
    await stage.graph.settled();
    expect(told(id)).toEqual([true]);
    expect(delivered[0]?.endedAt).toBeLessThanOrEqual(request.endedAt ?? 0);
  });

  it('keep two copies under one Message-ID, as a delivery that was doubled', async () => {
    const { id } = callWith({ notifications: [{ copies: 2 }] });
    await stage.graph.addParticipants(id, 1);
    const ids = stage.graph
      .log(id)
      .filter(isNotification)
      .map(({ messageId }) => messageId);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });
});

describe('the app itself', () => {
  it('may not be in the roster yet', async () => {
    const { id, myParticipantId } = callWith({ hideSelf: true });
    const list = async () =>
      ((await stage.ask('GET', stage.path(id, '/participants'))).body as { value: object[] }).value;
    expect(await list()).toHaveLength(2);
    expect((await stage.ask('GET', stage.path(id, `/participants/${myParticipantId}`))).status).toBe(404);
    await mute(id);
    await stage.graph.waitFor(id, isDelivered);
    expect(told(id)).toEqual([undefined]);
    expect(isMuted(id)).toBe(true);
    await stage.graph.clearFaults(id);
    expect(await list()).toHaveLength(3);
  });
});
