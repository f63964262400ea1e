import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import { wantsTraces } from '../../src/config/traces.ts';
import { TRACE_HEADER } from '../../src/contract/trace.ts';
import { startTracing } from '../../src/tracing/tracing.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';
import { Collector, type Span } from '../support/collector.ts';
import { Deployment } from '../support/deployment.ts';

/**
 * Traces as a collector gets them from the processes of a deployment: the caller (a command), the run, its requests to
 * Graph, and the notification that confirms.
 */

let collector: Collector;
let service: Deployment;
beforeAll(async () => {
  collector = await Collector.start();
  // Sent soon, so that the tests need not wait for it.
  service = await Deployment.start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' });
  await service.webhook();
  await service.worker();
});
afterAll(async () => {
  await killCommands();
  await service.stop();
  collector.stop();
});

/** The spans of a trace, once all these have come. */
async function spansOf(traceId: string, names: readonly string[]): Promise<Record<string, Span>> {
  const found = (): Span[] => collector.spans.filter((span) => span.traceId === traceId);
  await vi.waitUntil(() => names.every((name) => found().some((span) => span.name === name)), { timeout: 40_000 });
  return Object.fromEntries(found().map((span) => [span.name, span]));
}

async function traceIdOf(workflowId: string): Promise<string> {
  return await vi.waitUntil(
    () => collector.spans.find((span) => span.attributes['temporal.workflow.id'] === workflowId)?.traceId,
    { timeout: 40_000 },
  );
}

const REQUESTS = ['GET /calls/{id}', 'GET /calls/{id}/participants', 'POST /calls/{id}/mute'];

test('join the caller, the run, Graph and the notification', async () => {
  const call = service.call();
  const { code, stderr } = await new Command(BIN, ['mute', call.id], service.env).ended;
  expect(code, stderr).toBe(0);
  const traceId = await traceIdOf(call.workflowId);
  const names = ['StartWorkflow:mute', 'RunWorkflow:mute', 'RunActivity:readAndMute', ...REQUESTS];
  const spans = await spansOf(traceId, [...names, 'HandleSignal:rosterUpdated']);
  const parentOf = (name: string): string | undefined =>
    Object.values(spans).find(({ spanId }) => spanId === spans[name]?.parentId)?.name;

  expect(spans['StartWorkflow:mute']).toMatchObject({ service: 'call-moderation-cli', parentId: '' });
  expect(spans['RunWorkflow:mute']).toMatchObject({ service: 'call-moderation-worker', isFailed: false });
  expect(parentOf('RunWorkflow:mute')).toBe('StartWorkflow:mute');
  expect(parentOf('RunActivity:readAndMute')).toBe('RunWorkflow:mute');
  expect(parentOf('HandleSignal:rosterUpdated')).toBe('RunWorkflow:mute');
  expect(REQUESTS.map(parentOf)).toEqual(REQUESTS.map(() => 'RunActivity:readAndMute'));
  expect(spans['POST /calls/{id}/mute']?.attributes).toMatchObject({
    'http.response.status_code': 200,
    'graph.request_id': expect.any(String),
    'graph.client_request_id': expect.any(String),
  });
  // The run's span has an ID that its run ID tells.
  const runId = String(spans['RunWorkflow:mute']?.attributes['temporal.run.id']);
  expect(spans['RunWorkflow:mute']?.spanId).toBe(runId.replaceAll('-', '').slice(16));

  // The notification has a trace of its own, and is linked.
  const [link] = spans['HandleSignal:rosterUpdated']?.links ?? [];
  const notification = await spansOf(link?.traceId ?? '', ['SignalWorkflow:rosterUpdated', 'POST /api/calls']);
  const signal = notification['SignalWorkflow:rosterUpdated'];
  expect(signal).toMatchObject({ service: 'call-moderation-webhook', spanId: link?.spanId });
  expect(signal?.parentId).toBe(notification['POST /api/calls']?.spanId);
  expect(notification['POST /api/calls']).toMatchObject({
    parentId: '',
    attributes: { 'http.response.status_code': 202 },
  });
});

test('of a run that nobody has begun in a trace have an ID that its run ID tells', async () => {
  const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] } });
  const run = await service.client.workflow.start('mute', {
    workflowId: call.workflowId,
    taskQueue: service.env['MODERATION_TASK_QUEUE'] ?? '',
    args: [{ callId: call.id }],
  });
  await run.result().catch(() => undefined);
  const traceId = run.firstExecutionRunId.replaceAll('-', '');
  const spans = await spansOf(traceId, ['RunWorkflow:mute', 'RunActivity:readAndMute', 'POST /calls/{id}/mute']);
  expect(spans['RunWorkflow:mute']?.isFailed).toBe(true);
  expect(spans['POST /calls/{id}/mute']).toMatchObject({
    isFailed: true,
    attributes: { 'http.response.status_code': 403, 'error.type': 'PermissionDenied' },
    parentId: spans['RunActivity:readAndMute']?.spanId,
  });
});

test('of one that supersedes go on in the trace of whoever has asked for it', async () => {
  // It waits for a roster that never comes, as long as the other takes to start.
  const call = service.call({ faults: { requests: [{ on: 'mute', effect: false }] } });
  const mute = new Command(BIN, ['mute', call.id], service.env);
  await call.untilAsked('mute');
  const unmute = await new Command(BIN, ['unmute', call.id], service.env).ended;
  expect(unmute.code, unmute.stderr).toBe(0);
  expect((await mute.ended).code).toBe(1);
  const [signal] = collector.named('SignalWorkflow:supersede');
  const spans = await spansOf(signal?.traceId ?? '', ['RunWorkflow:unmute', 'POST /calls/{id}/unmute']);
  expect(spans['RunWorkflow:unmute']?.parentId).toBe(signal?.spanId);
  expect(signal?.service).toBe('call-moderation-cli');
});

test('a bad trace in a header is no trace, and harms nothing', async () => {
  const call = service.call();
  const connection = await Connection.connect({ address: service.env['TEMPORAL_ADDRESS'] ?? '' });
  const headers = { [TRACE_HEADER]: defaultPayloadConverter.toPayload({ traceparent: '00-x' }) };
  const interceptor: WorkflowClientInterceptor = {
    startWithDetails: async (input, next) => await next({ ...input, headers }),
  };
  const client = new Client({ connection, interceptors: { workflow: [interceptor] } });
  const taskQueue = service.env['MODERATION_TASK_QUEUE'] ?? '';
  const args = [{ callId: call.id }];
  const handle = await client.workflow.start('mute', { workflowId: call.workflowId, taskQueue, args });
  expect(await handle.result()).toMatchObject({ isMuted: true });
  await connection.close();
  await spansOf(handle.firstExecutionRunId.replaceAll('-', ''), ['RunWorkflow:mute']);
});

test('a command is done, and ends soon, where the collector is not there', async () => {
  const call = service.call();
  const env = { ...service.env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
  const { code, stdout, stderr } = await new Command(BIN, ['mute', call.id], env).ended;
  expect(code, stderr).toBe(0);
  expect(stdout).toBe(`muted ${call.id}\n`);
  const said = /confirmed: .*\n/.exec(stderr);
  expect(stderr.slice((said?.index ?? 0) + (said?.[0].length ?? 0))).toMatch(/^OpenTelemetry: .*not sent/);
});

describe('without a collector', () => {
  test('none are made, and nothing of them is sent to Temporal', async () => {
    const taskQueue = `test-${randomUUID()}`;
    const off = { OTEL_EXPORTER_OTLP_ENDPOINT: undefined, MODERATION_TASK_QUEUE: taskQueue };
    await service.worker(off);
    const call = service.call();
    const before = collector.spans.length;
    await new Command(BIN, ['mute', call.id], { ...service.env, ...off }).ended;
    const history = await service.client.workflow.getHandle(call.workflowId).fetchHistory();
    const headers = history.events?.flatMap((event) => [
      event.workflowExecutionStartedEventAttributes?.header?.fields ?? {},
      event.activityTaskScheduledEventAttributes?.header?.fields ?? {},
    ]);
    expect(headers?.flatMap((fields) => Object.keys(fields))).toEqual([]);
    const own = collector.spans.slice(before).filter((span) => span.service !== 'call-moderation-webhook');
    expect(own).toEqual([]);
  });

  test.each([
    [{}, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, true],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' }, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_SDK_DISABLED: 'true' }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_TRACES_EXPORTER: 'none' }, false],
  ])('%j: %s', (env, expected) => {
    expect(wantsTraces(env)).toBe(expected);
  });

  test('an address that is none, or a protocol that is not spoken, is a fault of the configuration', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(() => loadWorkerConfig(env)).toThrow(
      /OTEL_EXPORTER_OTLP_ENDPOINT: .*\n.*OTEL_EXPORTER_OTLP_PROTOCOL: must be/,
    );
  });

  test('that optional packages are missing is said in words', async () => {
    const missing = Object.assign(new Error('no such package'), { code: 'ERR_MODULE_NOT_FOUND' });
    const started = startTracing(
      true,
      'worker',
      () => undefined,
      () => Promise.reject(missing),
    );
    await expect(started).rejects.toThrow('--omit=optional');
  });
});
