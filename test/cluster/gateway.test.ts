import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, AUDIENCE, CALLER, HOME, tokenOf, type Told } from '../gateway/kit.ts';
import { until } from '../support/until.ts';
import { Cluster } from './cluster.ts';

/** The gateway as a deployment has it: two processes behind one address, and callers with tokens of Entra ID. */

let cluster: Cluster;
let token: string;
beforeAll(async () => {
  const env = { MODERATION_GATEWAY_AUDIENCE: AUDIENCE, AZURE_TENANT_ID: HOME };
  cluster = await Cluster.start({ workers: 1, webhooks: 1, gateways: 2, env });
  token = await tokenOf(cluster);
});
afterAll(async () => await cluster?.stop());

async function mute(callId: string, headers: Record<string, string> = {}): Promise<Told> {
  const url = `${cluster.topology.gatewayUrl}/v1.0/communications/calls/${callId}/mute`;
  return await ask(url, { token, headers });
}

test('a mute is completed once the roster has confirmed it, and another process finds it', async () => {
  const call = cluster.call();
  const { status, headers, body } = await mute(call.id, { prefer: 'respond-async' });
  expect(status).toBe(202);
  const location = headers.get('location') ?? '';
  expect(location).toContain(`${cluster.topology.gatewayUrl}/v1.0/communications/calls/${call.id}/operations/`);
  // Two at once take two connections, and the balancer gives them to the two processes.
  const reads = await until(
    async () => await Promise.all([1, 2].map(async () => await ask(location, { method: 'GET', token }))),
    (told) => told.every((one) => one.body.status !== 'running'),
  );
  for (const told of reads) expect(told.body).toMatchObject({ id: body.id, status: 'completed' });
  expect(call.self.isMuted).toBe(true);
  const operation = await cluster.moderation.getLatestOperation(call.id);
  expect(operation?.status?.request.requestedBy).toBe(CALLER);
});

test('both processes are killed while a caller waits; asked again, the same operation is completed', async () => {
  const call = cluster.call({ faults: { requests: [{ on: 'mute', latencyMs: 400 }] } });
  const killed = cluster.when(
    (callId, entry) => callId === call.id && entry.type === 'request' && entry.action === 'mute',
    async () => {
      await Promise.all(cluster.topology.gateways.map(async (part) => await part.kill()));
    },
  );
  const key = { 'idempotency-key': 'from-the-desk-1' };
  await expect(mute(call.id, key)).rejects.toThrow();
  await killed;
  await Promise.all(cluster.topology.gateways.map(async (part) => await part.ready()));
  const again = await mute(call.id, key);
  expect(again).toMatchObject({ status: 200, body: { status: 'completed' } });
  expect(call.self.isMuted).toBe(true);
  expect(call.posts).toEqual(['mute']);
});
