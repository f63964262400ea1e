import { request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Collector } from '../support/collector.ts';
import { Deployment } from '../support/deployment.ts';
import type { Process } from '../support/process.ts';

/**
 * Planted secrets and personal data: they are sent through everything, and must come out nowhere. The processes log all
 * that they ever would.
 */

const PLANTED = {
  token: 'planted-bearer-token-of-graph',
  personInError: 'Planted Person In An Error',
  personInRoster: 'Person 1',
};

/** For Temporal's histories, which are the audit trail, and for nothing else. */
const ASKED = { reason: 'planted reason of an operation', by: 'planted-asker' };

let service: Deployment;
let collector: Collector;
let worker: Process;
let webhook: Process;
beforeAll(async () => {
  collector = await Collector.start();
  const env = {
    LOG_LEVEL: 'trace',
    MODERATION_GRAPH_TOKEN: PLANTED.token,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
  service = await Deployment.start(env, { fixedToken: PLANTED.token });
  webhook = await service.webhook();
  worker = await service.worker();
});
afterAll(async () => {
  await service.stop();
  collector.stop();
});

/** What a person reads of a history: every payload decoded. */
async function historyOf(workflowId: string): Promise<string> {
  const texts: string[] = [];
  for await (const { runId } of service.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const history = await service.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const decoded = (_: string, data: string): string => `"data":${Buffer.from(data, 'base64').toString('utf8')}`;
    texts.push(JSON.stringify(history).replaceAll(/"data":"([^"]+)"/g, decoded));
  }
  return texts.join('\n');
}

test('neither tokens nor names come out of logs, histories, errors, metrics or traces', async () => {
  const message = `${PLANTED.personInError} (28:planted-user-id) may not do this`;
  const call = service.call({ participants: 5 });
  const moderation = service.moderation();
  const confirmed = await moderation.mute({ callId: call.id, reason: ASKED.reason, requestedBy: ASKED.by });
  await confirmed.result();
  service.graph.setFaults(call.id, { requests: [{ on: 'unmute', answer: { status: 403, code: '7503', message } }] });
  const refused: unknown = await (
    await moderation.unmute({ callId: call.id })
  )
    .result()
    .catch((error: unknown) => error);
  // One that is invalid, with its token: what is refused is logged, the token is not.
  const bad = await service.graph.signNotification({ claims: { aud: 'somebody-else' } });
  const headers = { authorization: `Bearer ${bad}`, 'content-type': 'application/json' };
  const answer = await request(service.callbackUrl, { method: 'POST', headers, body: '{"value":[]}' });
  expect(answer.statusCode).toBe(401);
  const metrics = await Promise.all(
    [`${worker.healthUrl}/metrics`, `${service.webhookUrl}/metrics`].map(async (url) => {
      const { body } = await request(url);
      return await body.text();
    }),
  );
  const history = await historyOf(call.workflowId);
  await vi.waitUntil(
    () => collector.named('RunWorkflow:unmute').length > 0 && collector.named('POST /api/calls').length > 1,
    {
      timeout: 20_000,
    },
  );
  const lastName = service.graph.describe(call.id).participants.at(-1)?.name ?? '';
  const places = {
    'the log of the worker': worker.stderr + worker.stdout,
    'the log of the webhook': webhook.stderr + webhook.stdout,
    'the histories': history,
    'the errors': JSON.stringify(refused, Object.getOwnPropertyNames(refused)),
    'the answer to a stranger': await answer.body.text(),
    'the metrics': metrics.join('\n'),
    'the traces': collector.raw,
  };
  // That something is looked at: each place has what it should have.
  const expected: [keyof typeof places, string][] = [
    ['the log of the worker', 'worker is polling'],
    ['the log of the webhook', 'token-audience'],
    ['the histories', call.participantId],
    ['the histories', 'PermissionDenied'],
    ['the errors', '7503'],
    ['the metrics', 'call_moderation_notifications_total'],
    ['the metrics', 'call_moderation_operations_total'],
    ['the metrics', 'temporal_'],
    ['the traces', 'RunWorkflow:unmute'],
    ['the traces', 'PermissionDenied'],
    ['the traces', 'POST /api/calls'],
  ];
  for (const [place, text] of expected) expect(places[place].includes(text), `${place}: ${text}`).toBe(true);

  const secrets = [...Object.values(PLANTED), 'planted-user-id', bad, bad.split('.')[2] ?? bad, lastName];
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) expect(text.includes(secret), `${place}: ${secret}`).toBe(false);
    expect(/Bearer\s+[\w-]{8,}/.test(text), place).toBe(false);
  }

  // The audit trail has who asked and why; logs and metrics have not, and no metric has a label of a call of its own.
  for (const [place, text] of Object.entries(places)) {
    const isTrail = place === 'the histories';
    for (const asked of Object.values(ASKED)) expect(text.includes(asked), `${place}: ${asked}`).toBe(isTrail);
  }
  for (const id of [call.id, call.workflowId, call.participantId, service.graph.addresses.tenantId]) {
    expect(places['the metrics'].includes(id), id).toBe(false);
  }
});
