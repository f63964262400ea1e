import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import type { ModerationRequest } from '../../src/contract/request.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { until } from '../support/until.ts';
import { Deployment } from '../support/deployment.ts';
import type { LogLine, Process } from '../support/process.ts';
import { EventReceiver } from '../support/event-receiver.ts';
import { findProgram, missing } from '../support/programs.ts';
import { expectFires, Prometheus, type Sample, type Scenario } from '../support/prometheus.ts';

/**
 * What the processes tell Prometheus, as a real Prometheus reads it: every query of the dashboard and of the alert
 * rules must find something there, and every rule must be able to fire.
 */

const fileOf = (name: string): string =>
  fileURLToPath(new URL(`../../deploy/helm/call-moderation/files/${name}`, import.meta.url));
const RULES = fileOf('alerts.yml');

interface Alert {
  alert: string;
  expr: string;
  annotations: Record<string, string>;
}
const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Alert[] }[] };
const alerts = groups.flatMap(({ rules }) => rules);

interface Panel {
  title: string;
  targets?: { expr: string; legendFormat: string }[];
}
const dashboard = JSON.parse(readFileSync(fileOf('dashboard.json'), 'utf8')) as {
  panels: Panel[];
};
const targets = dashboard.panels.flatMap(({ title, targets: own = [] }) => own.map((target) => ({ title, ...target })));

const prometheusProgram = await findProgram(['prometheus']);
const promtool = await findProgram(['promtool']);
if (prometheusProgram === undefined || promtool === undefined) missing('test/operators/metrics.test.ts', 'Prometheus');

let service: Deployment;
let worker: Process;
let receiver: EventReceiver;
let gatewayUrl: string;
beforeAll(async () => {
  [service, receiver] = await Promise.all([Deployment.start(), EventReceiver.start()]);
  await service.webhook();
  worker = await service.worker(receiver.env);
  const gateway = await service.gateway({
    MODERATION_GATEWAY_AUDIENCE: '7d1f0f0c-1d5e-4c2b-9c0a-9f6f5f0f3c11',
    AZURE_TENANT_ID: service.graph.addresses.tenantId,
    AZURE_AUTHORITY_HOST: service.graph.authorityUrl,
  });
  gatewayUrl = String((await gateway.untilLogged('gateway is listening'))['url']);
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const untold: Faults['notifications'] = [{ on: 'roster', drop: true, times: 'forever' }];
const without = { on: 'mute', effect: false } as const;

/** One operation for each thing that is counted, and what else comes to a webhook and a worker. */
const ways: readonly { faults: Faults; request?: Partial<ModerationRequest> }[] = [
  { faults: {} },
  { faults: { notifications: [...untold] } },
  { faults: { requests: [{ on: 'mute', answer: { status: 429, retryAfter: 1 } }] } },
  { faults: { requests: [{ on: 'mute', answer: { status: 503 } }] } },
  { faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] } },
  {
    faults: { requests: [without], notifications: [...untold] },
    request: { confirmWithinSeconds: 1, onUnconfirmed: 'leave' },
  },
  {
    faults: {
      requests: [without, { on: 'unmute', answer: { status: 403, code: '7503' } }],
      notifications: [...untold],
    },
    request: { confirmWithinSeconds: 1 },
  },
];

async function traffic(): Promise<void> {
  const moderation = service.moderation();
  const operations = ways.map(async ({ faults, request }) => {
    const call = service.call({ faults });
    await (await moderation.mute({ callId: call.id, ...request })).result().catch(() => undefined);
  });
  const stranger = { authorization: 'Bearer not.a.token', 'content-type': 'application/json' };
  const refused = fetch(service.callbackUrl, { method: 'POST', headers: stranger, body: '{"value":[]}' });
  const muteUrl = `${gatewayUrl}/v1.0/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896/mute`;
  const refusedByGateway = fetch(muteUrl, { method: 'POST', headers: stranger });
  await Promise.all([...operations, refused, refusedByGateway]);
}

async function scrape(url: string): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}

/** Value of a counter in a scrape, where all these labels are. */
function valueIn(text: string, name: string, labels: Record<string, string> = {}): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const found = lines.filter((line) => wanted.every((one) => line.includes(one)));
  return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

describe('the worker', () => {
  test('counts operations by outcome, and requests to Graph by status', async () => {
    const before = await scrape(worker.healthUrl);
    const operations = 'call_moderation_operations_total';
    expect(before).toMatch(/^call_moderation_operations_total\{action="unmute",.*outcome="RestoreFailed".*\} 0$/m);
    await traffic();
    const text = await scrape(worker.healthUrl);
    const counted = (outcome: string): number => valueIn(text, operations, { action: 'mute', outcome });
    expect(['Confirmed', 'PermissionDenied', 'Unconfirmed', 'RestoreFailed'].map(counted)).toEqual([4, 1, 1, 1]);
    // One family, though both the process and its workflows count in it.
    expect(text.match(/^# TYPE call_moderation_operations_total /gm)).toHaveLength(1);

    const path = '/calls/{id}/mute';
    const requests = (status: string): number =>
      valueIn(text, 'call_moderation_graph_requests_total', { method: 'POST', path, status });
    expect(['200', '403', '429', '503'].map(requests)).toEqual([6, 1, 1, 1]);
    expect(valueIn(text, 'call_moderation_graph_retry_after_seconds_sum', { status: '429' })).toBe(1);
    expect(valueIn(text, 'call_moderation_acceptance_seconds_count', { action: 'mute' })).toBe(6);
    const confirmation = 'call_moderation_confirmation_seconds_count';
    expect(valueIn(text, confirmation, { confirmed_by: 'roster-read' })).toBeGreaterThanOrEqual(1);
    expect(valueIn(text, confirmation)).toBe(4);
    expect(text).toContain('call_moderation_confirmation_seconds_bucket{action="mute",confirmed_by="roster-read"');
    expect(text).toMatch(/call_moderation_acceptance_seconds_bucket\{.*le="60"\}/);
  });

  test('writes a line for each operation that ends, with what support asks for', async () => {
    const lines = (outcome: string): LogLine[] =>
      worker.log.filter((line) => line.msg === 'operation has ended' && line['outcome'] === outcome);
    // Temporal's Core hands on what workflows log a little later.
    await expect.poll(() => lines('Confirmed').length).toBe(4);
    await expect.poll(() => lines('PermissionDenied').length).toBe(1);
    const [denied] = lines('PermissionDenied');
    const callId = String(denied?.['callId']);
    expect(denied).toMatchObject({
      callId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      workflowId: `call-moderation/${callId}`,
      runId: expect.any(String),
      action: 'mute',
      status: 403,
      code: '7504',
      requestId: expect.any(String),
      clientRequestId: expect.any(String),
    });
    for (const line of lines('Confirmed')) {
      expect(line).toMatchObject({ confirmedBy: expect.any(String), runId: expect.any(String) });
    }
  });

  test('counts mute locks by outcome, and how often they mute again', async () => {
    const call = service.call({ faults: { unmutes: [{ who: 'app', times: 2, afterMs: 2_500 }] } });
    const atMost = { mutes: 1, withinSeconds: 60 };
    const hold = await service.moderation().keepMuted({ callId: call.id, atMost });
    expect(await hold.result()).toMatchObject({ endedBy: 'gaveUp', mutesAgain: 1 });
    const text = await scrape(worker.healthUrl);
    expect(valueIn(text, 'call_moderation_mute_locks_total', { outcome: 'GaveUp' })).toBe(1);
    expect(valueIn(text, 'call_moderation_mute_locks_total')).toBe(1);
    expect(valueIn(text, 'call_moderation_mute_lock_mutes_total')).toBe(1);
  });

  test('counts mutes on entry by outcome, and the people whom they have muted', async () => {
    const call = service.call();
    const handle = await service.moderation().muteOnEntry({ callId: call.id });
    await until(
      async () => await handle.status(),
      ({ phase }) => phase === 'watching',
    );
    await service.graph.addParticipants(call.id, 2);
    await until(
      async () => await handle.status(),
      ({ muted }) => muted === 2,
    );
    await handle.release();
    await handle.result();
    const text = await scrape(worker.healthUrl);
    expect(valueIn(text, 'call_moderation_mutes_on_entry_total', { outcome: 'Released' })).toBe(1);
    expect(valueIn(text, 'call_moderation_mutes_on_entry_total')).toBe(1);
    expect(valueIn(text, 'call_moderation_muted_on_entry_total')).toBe(2);
  });

  test('tells nothing that names a call', async () => {
    const text = await scrape(worker.healthUrl);
    const ids = text.replaceAll(service.env['MODERATION_TASK_QUEUE'] ?? '', '').match(/[0-9a-f]{8}-[0-9a-f]{4}-/g);
    expect(ids).toBeNull();
  });
});

describe.skipIf(prometheusProgram === undefined || promtool === undefined)('Prometheus', () => {
  let prometheus: Prometheus;
  beforeAll(async () => {
    const hostOf = (url: string): string => new URL(url).host;
    const jobs = {
      worker: hostOf(worker.healthUrl),
      webhook: hostOf(service.webhookUrl),
      gateway: hostOf(gatewayUrl),
    };
    prometheus = await Prometheus.start(prometheusProgram ?? '', jobs, RULES);
    // A workflow type that no worker knows: its task fails, again and again.
    const workflowId = randomUUID();
    const taskQueue = service.env['MODERATION_TASK_QUEUE'] ?? '';
    const stuck = await service.client.workflow.start('unknown', { workflowId, taskQueue });
    // Rates are told by what changes between two scrapes.
    await untilFound('count(up == 1) == 3');
    await traffic();
    await untilFound('temporal_workflow_task_execution_failed');
    await traffic();
    return async () => {
      await stuck.terminate();
      await prometheus.stop();
    };
  });

  async function untilFound(expression: string): Promise<void> {
    const isFound = async (): Promise<boolean> => (await holds(expression)).length > 0;
    await vi.waitUntil(isFound, { timeout: 30_000, interval: 250 });
  }

  /** What a query finds, without what is not a number. */
  async function holds(expression: string): Promise<Sample[]> {
    return (await prometheus.query(expression)).filter(({ value }) => Number.isFinite(value));
  }

  async function expectFound(expression: string): Promise<Sample[]> {
    let found: Sample[] = [];
    const count = async (): Promise<number> => (found = await holds(expression)).length;
    await expect.poll(count, { timeout: 15_000, interval: 500, message: expression }).toBeGreaterThan(0);
    return found;
  }

  test.each(targets)('$title: $expr', async ({ expr, legendFormat }) => {
    const found = await expectFound(expr.replaceAll('$__rate_interval', '1m'));
    const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
    for (const { metric } of found) expect(Object.keys(metric)).toEqual(expect.arrayContaining(labels));
    for (const selector of selectorsOf(expr)) await expectFound(selector);
  });

  test.each(alerts)('$alert: $expr', async ({ expr }) => {
    // What is compared, which is there whether or not it is too much; and each series that it rests on.
    const compared = /^(.+) [<>] [\d.]+$/.exec(expr)?.[1] ?? '';
    await expectFound(compared);
    for (const selector of selectorsOf(expr)) await expectFound(selector);
  });

  test('takes every rule, and some of them fire now', async () => {
    const named = async (state: string): Promise<string[]> =>
      (await prometheus.rules()).filter((rule) => rule.state === state).map(({ name }) => name);
    await expect
      .poll(async () => await named('firing'), { timeout: 20_000 })
      .toEqual(['CallModerationTasksFail', 'CallModerationRestoreFailed', 'CallModerationRefused']);
    const rules = await prometheus.rules();
    expect(rules.map(({ name, health }) => [name, health])).toEqual(alerts.map(({ alert }) => [alert, 'ok']));
  });

  /** For each rule, what must make it fire. */
  const scenarios: Record<string, Scenario> = {
    CallModerationNoWorker: { series: { 'up{job="worker"}': '0x10' }, minutes: 5 },
    CallModerationNoWebhook: { series: { 'up{job="worker"}': '1x10' }, minutes: 5 },
    CallModerationNoGateway: { series: { 'up{job="gateway"}': '1 1 1 _x20' }, minutes: 12 },
    CallModerationTasksWait: {
      series: {
        'temporal_workflow_task_schedule_to_start_latency_bucket{le="1"}': '0x20',
        'temporal_workflow_task_schedule_to_start_latency_bucket{le="5"}': '0+10x20',
        'temporal_workflow_task_schedule_to_start_latency_bucket{le="+Inf"}': '0+10x20',
      },
      minutes: 15,
    },
    CallModerationTasksFail: { series: { temporal_workflow_task_execution_failed: '0+1x20' }, minutes: 5 },
    CallModerationRestoreFailed: {
      series: { 'call_moderation_operations_total{outcome="RestoreFailed"}': '0 0 1x10' },
      minutes: 4,
    },
    CallModerationUnconfirmed: {
      series: {
        'call_moderation_operations_total{outcome="Unconfirmed"}': '0+1x30',
        'call_moderation_operations_total{outcome="Confirmed"}': '0+10x30',
      },
      minutes: 20,
    },
    CallModerationRefused: {
      series: { 'call_moderation_operations_total{outcome="Unauthorized"}': '0 0 1x10' },
      minutes: 4,
    },
    CallModerationGraphFails: {
      series: {
        'call_moderation_graph_requests_total{status="none"}': '0+1x20',
        'call_moderation_graph_requests_total{status="503"}': '0+1x20',
        'call_moderation_graph_requests_total{status="200"}': '0+10x20',
      },
      minutes: 12,
    },
    CallModerationGraphThrottles: {
      series: { 'call_moderation_graph_requests_total{status="429"}': '0+1x20' },
      minutes: 12,
    },
    CallModerationTokenRefreshFails: {
      series: { 'call_moderation_token_refreshes_total{outcome="failed"}': '0 1x10' },
      minutes: 4,
    },
    CallModerationNotificationsMissing: {
      series: {
        'call_moderation_confirmation_seconds_count{confirmed_by="roster-read"}': '0+6x40',
        'call_moderation_confirmation_seconds_count{confirmed_by="notification"}': '0+4x40',
      },
      minutes: 35,
    },
    CallModerationNotificationsNotTaken: {
      series: { 'call_moderation_notifications_total{outcome="failed"}': '0+1x10' },
      minutes: 5,
    },
    CallModerationTokensRefused: {
      series: { 'call_moderation_tokens_refused_total{fault="signature"}': '0+60x30' },
      minutes: 25,
    },
    CallModerationSigningKeysMissing: {
      series: { 'call_moderation_signing_key_fetches_total{outcome="failed"}': '0 1x10' },
      minutes: 4,
    },
    CallModerationMuteLockGaveUp: {
      series: { 'call_moderation_mute_locks_total{outcome="GaveUp"}': '0 0 1x10' },
      minutes: 4,
    },
    CallModerationGatewayFails: {
      series: {
        'call_moderation_gateway_answers_total{asked="mute",status="503"}': '0+1x20',
        'call_moderation_gateway_answers_total{asked="mute",status="200"}': '0+5x20',
      },
      minutes: 12,
    },
    CallModerationGatewayTokensRefused: {
      series: { 'call_moderation_gateway_tokens_refused_total{fault="role-missing"}': '0+60x30' },
      minutes: 25,
    },
    CallModerationGatewaySigningKeysMissing: {
      series: { 'call_moderation_gateway_signing_key_fetches_total{outcome="failed"}': '0 1x10' },
      minutes: 4,
    },
    CallModerationEventsNotTaken: {
      series: {
        'call_moderation_event_posts_total{status="500"}': '0+3x40',
        'call_moderation_event_posts_total{status="204"}': '0+2x40',
      },
      minutes: 35,
    },
    CallModerationEventsLost: {
      series: { 'call_moderation_events_total{outcome="GaveUp"}': '0 0 1x10' },
      minutes: 4,
    },
  };

  test('lets each rule fire where it must', async () => {
    expect(Object.keys(scenarios)).toEqual(alerts.map(({ alert }) => alert));
    await expectFires(promtool ?? '', RULES, scenarios);
  });
});

/** Every series that an expression names, with its labels. */
function selectorsOf(expression: string): string[] {
  return expression.match(/\b(?:up|(?:call_moderation|temporal|process|nodejs)_\w+)(?:\{[^}]*\})?/g) ?? [];
}

const page = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8');

test('every metric of ours is explained on the page, and no other', async () => {
  const scrapes = await Promise.all([worker.healthUrl, service.webhookUrl, gatewayUrl].map(scrape));
  const served = scrapes.join('\n').matchAll(/^# TYPE (call_moderation_\w+) /gm);
  const explained = page.matchAll(/^\| `(call_moderation_\w+)` \| ([`\w, ]+) \|/gm);
  const names = (found: Iterable<RegExpMatchArray>): string[] => [...found].map(([, name = '']) => name).toSorted();
  expect(names(explained)).toEqual(names(served));
});

test('every alert has its entry in the runbook', () => {
  const entries = [...page.matchAll(/^### (CallModeration\w+)$/gm)].map(([, name]) => name);
  expect(entries).toEqual(alerts.map(({ alert }) => alert));
  for (const { alert, annotations } of alerts) {
    expect(annotations['runbook_url']).toBe(`docs/operate.md#${alert.toLowerCase()}`);
  }
});
