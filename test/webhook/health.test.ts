import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { createHealthServer, Unhealthy, type HealthOptions } from '../../src/health/health.ts';
import { TemporalUnreachable } from '../../src/temporal/connect.ts';
import { CALL, entry, notifications, participant, rig, rosterEntry, silent, type Rig } from '../support/webhook-kit.ts';

let stop: () => Promise<unknown>;

afterEach(async () => stop());

async function health(options: Partial<HealthOptions>): Promise<string> {
  const app = createHealthServer({ checks: {}, registry: new Registry(), log: silent, ...options });
  stop = () => app.close();
  return app.listen({ host: '127.0.0.1', port: 0 });
}

describe('health', () => {
  it('is ready when every check is fine', async () => {
    const url = await health({ checks: { one: () => undefined, two: async () => undefined } });
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ready', checks: { one: 'ok', two: 'ok' } });
  });

  it('names what is not, and waits 2 s for it', async () => {
    const began = performance.now();
    const url = await health({
      checks: {
        fine: () => undefined,
        broken: () => {
          throw new Unhealthy('no poller');
        },
        odd: () => Promise.reject(new Error('')),
        stuck: () => new Promise(() => undefined),
      },
    });
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
    const checks = { fine: 'ok', broken: 'no poller', odd: 'failed', stuck: 'no answer in 2 s' };
    const message = 'broken: no poller; odd: failed; stuck: no answer in 2 s';
    expect(await response.json()).toEqual({
      status: 'not ready',
      checks,
      error: { code: 'ServiceUnavailable', message },
    });
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('leaves out the checks that a probe excludes', async () => {
    const broken = (): never => {
      throw new Unhealthy('is away');
    };
    const url = await health({ checks: { temporal: broken, keys: broken, draining: () => undefined } });
    const ready = async (query: string): Promise<[number, unknown]> => {
      const response = await fetch(`${url}/readyz${query}`);
      return [response.status, ((await response.json()) as { checks: unknown }).checks];
    };
    expect(await ready('?exclude=temporal&exclude=keys')).toEqual([200, { draining: 'ok' }]);
    expect(await ready('?exclude=temporal')).toEqual([503, { keys: 'is away', draining: 'ok' }]);
    expect((await ready('?exclude=Temporal,keys'))[0]).toBe(503);
    expect((await ready('?exclude'))[0]).toBe(503);
  });

  it('says of what another library throws its kind, and none of its words', async () => {
    const grpc = Object.assign(new Error('13 INTERNAL: planted'), {
      code: 13,
      details: 'Metadata string value "planted" contains illegal characters',
      metadata: { planted: true },
    });
    const url = await health({
      checks: {
        temporal: () => Promise.reject(new Error('Unexpected error planted', { cause: grpc })),
        refused: () => Promise.reject(Object.assign(new Error('planted'), { code: 'ECONNREFUSED' })),
        ours: () => Promise.reject(new TemporalUnreachable('planted', new Error('planted'))),
        unknown: () => Promise.reject(new TypeError('planted')),
        // oxlint-disable-next-line prefer-promise-reject-errors
        text: () => Promise.reject('planted'),
      },
    });
    const response = await fetch(`${url}/readyz`);
    const text = await response.text();
    expect(text).not.toContain('planted');
    expect(JSON.parse(text)).toMatchObject({
      checks: {
        temporal: 'a header has a character that HTTP does not allow',
        refused: 'connection refused',
        ours: 'failed',
        unknown: 'failed',
        text: 'failed',
      },
    });
  });

  it('runs one round of checks for all who ask together', async () => {
    let rounds = 0;
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const counted = (): Promise<void> => {
      rounds += 1;
      return held;
    };
    const url = await health({ checks: { counted } });
    const answers = Array.from({ length: 10 }, () => fetch(`${url}/readyz`));
    // Requests to another route come back only after those before them have been taken.
    await fetch(`${url}/livez`);
    release();
    expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(rounds).toBeLessThan(10);
    await fetch(`${url}/readyz`);
    expect(rounds).toBeGreaterThan(1);
  });

  it('is alive until the process says otherwise', async () => {
    let failed = false;
    const alive = (): void => {
      if (failed) throw new Unhealthy('the worker has failed');
    };
    const url = await health({ alive, checks: { broken: () => Promise.reject(new Error('x')) } });
    const live = await fetch(`${url}/livez`);
    expect([live.status, await live.json()]).toEqual([200, { status: 'live' }]);
    failed = true;
    const dead = await fetch(`${url}/livez`);
    expect(dead.status).toBe(503);
    expect(await dead.json()).toMatchObject({ error: { message: 'the worker has failed' } });
  });

  it('adds further metrics, and does without them where they fail', async () => {
    let fail = false;
    const extraMetrics = async (): Promise<string> => {
      if (fail) throw new Error('x');
      return 'temporal_up 1\n';
    };
    const url = await health({ extraMetrics });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('temporal_up 1');
    fail = true;
    const response = await fetch(`${url}/metrics`);
    expect([response.status, await response.text()]).toEqual([200, expect.not.stringContaining('temporal_up')]);
  });

  it('answers HEAD, and 404 elsewhere', async () => {
    const url = await health({});
    expect((await fetch(`${url}/livez`, { method: 'HEAD' })).status).toBe(200);
    const response = await fetch(`${url}/healthz`);
    expect([response.status, await response.json()]).toEqual([
      404,
      { error: expect.objectContaining({ code: 'NotFound' }) },
    ]);
  });
});

describe("the webhook's health", () => {
  let one: Rig;

  it('is not ready without keys, nor while draining, though it takes what comes', async () => {
    one = await rig();
    stop = () => one.close();
    const ROSTER = notifications(rosterEntry(CALL, participant('bot', true)));
    expect((await one.post(ROSTER)).status).toBe(202);
    expect((await fetch(`${one.url}/readyz`)).status).toBe(200);
    one.server.drain();
    const draining = await fetch(`${one.url}/readyz`);
    expect(draining.status).toBe(503);
    expect(await draining.json()).toMatchObject({ checks: { keys: 'ok', draining: 'the process is shutting down' } });
    expect((await fetch(`${one.url}/livez`)).status).toBe(200);
    expect((await one.post(ROSTER)).status).toBe(202);

    await one.keys.down();
    const keyless = await rig({ openIdUrl: one.keys.openIdUrl });
    const response = await fetch(`${keyless.url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ checks: { keys: expect.stringContaining('not been fetched') } });
    await keyless.close();
  });

  it('may listen elsewhere', async () => {
    one = await rig({ healthAddress: { host: '127.0.0.1', port: 0 } });
    stop = () => one.close();
    expect(one.healthUrl).not.toBe(one.url);
    expect((await fetch(`${one.healthUrl}/livez`)).status).toBe(200);
    expect((await fetch(`${one.url}/livez`)).status).toBe(404);
    expect((await one.post({ value: [] }, { path: '/api/calls' })).status).toBe(202);
  });

  it('counts requests, notifications, tokens and keys', async () => {
    one = await rig();
    stop = () => one.close();
    await one.post(
      notifications(
        rosterEntry(CALL, participant('bot', true)),
        rosterEntry(CALL),
        entry(`/app/calls/${CALL}`, { state: 'hold' }),
        entry('/nowhere', {}),
      ),
    );
    await one.post('{}', { headers: { authorization: 'Bearer x.y.z' } });
    const response = await fetch(`${one.url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const text = await response.text();
    for (const line of [
      'call_moderation_notifications_total{kind="rosterUpdated",outcome="handed-over"} 1',
      'call_moderation_notifications_total{kind="rosterUpdated",outcome="ignored"} 1',
      'call_moderation_notifications_total{kind="other",outcome="ignored"} 1',
      'call_moderation_notifications_total{kind="unknown",outcome="ignored"} 1',
      'call_moderation_webhook_answers_total{status="202"} 1',
      'call_moderation_webhook_answers_total{status="401"} 1',
      'call_moderation_tokens_refused_total{fault="malformed"} 1',
      'call_moderation_hand_over_seconds_count{signal="rosterUpdated",outcome="handed-over"} 1',
      'call_moderation_signing_key_fetches_total{outcome="fetched"} 1',
    ]) {
      expect(text).toContain(line);
    }
  });
});
