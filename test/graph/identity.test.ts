import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { failureOf } from '../support/expect.ts';
import type { Process } from '../support/process.ts';

/**
 * Tokens from `@azure/identity` with a client secret, as a deployment has them: the worker is a process of its own, and
 * Microsoft Entra ID and Graph are the simulator, over TLS.
 */

const APP = { appId: randomUUID(), tenantId: randomUUID(), clientSecret: 'the-client-secret-of-the-tests' };

let service: Deployment;
let folder: string;
let identity: Record<string, string>;
let worker: Process;

beforeAll(async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  folder = await mkdtemp(join(tmpdir(), 'call-moderation-identity-'));
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, cert);
  service = await Deployment.start({ MODERATION_GRAPH_TOKEN: undefined }, { ...APP, tls: { cert, key } });
  identity = {
    AZURE_TENANT_ID: APP.tenantId,
    AZURE_CLIENT_ID: APP.appId,
    AZURE_CLIENT_SECRET: APP.clientSecret,
    AZURE_AUTHORITY_HOST: service.graph.authorityUrl,
    NODE_EXTRA_CA_CERTS: ca,
  };
  await service.webhook(identity);
  worker = await service.worker(identity);
});
afterAll(async () => {
  await service.stop();
  await rm(folder, { recursive: true });
});

/** Only reads confirm quickly enough without a notification; these tests are about tokens, so either will do. */
describe('the worker', () => {
  test('takes one token for many operations', async () => {
    const before = service.graph.counts.token;
    for (let round = 0; round < 3; round += 1) {
      const call = service.call();
      const handle = await service.moderation().mute({ callId: call.id });
      expect(await handle.result()).toMatchObject({ isMuted: true, confirmedBy: 'notification' });
    }
    expect(service.graph.counts.token - before).toBe(1);
  });

  test('takes a token of the tenant that a request names, once', async () => {
    const tenantId = randomUUID();
    const before = service.graph.counts.token;
    for (let round = 0; round < 2; round += 1) {
      const call = service.call();
      const handle = await service.moderation().mute({ callId: call.id, tenantId });
      expect(await handle.result()).toMatchObject({ isMuted: true });
      const post = call.requests.find(({ action }) => action === 'mute');
      expect(post?.tenantId).toBe(tenantId);
    }
    expect(service.graph.counts.token - before).toBe(1);
  });

  test('takes a new token once Graph has refused the old one, and only one for all who were refused', async () => {
    const tenantId = randomUUID();
    const mute = async (): Promise<OperationHandle> =>
      await service.moderation().mute({ callId: service.call().id, tenantId });
    await (await mute()).result();
    const before = service.graph.counts.token;
    const refused = Array.from({ length: 3 }, () =>
      service.call({ faults: { requests: [{ on: 'mute', answer: { status: 401 } }] } }),
    );
    const handles = await Promise.all(
      refused.map(async ({ id: callId }) => await service.moderation().mute({ callId, tenantId })),
    );
    await Promise.all(handles.map(async (handle) => await failureOf(handle, 'Unauthorized')));
    expect(await (await mute()).result()).toMatchObject({ isMuted: true });
    // One that was read while the others were refused may be refused with a new one, too.
    expect(service.graph.counts.token - before).toBeGreaterThanOrEqual(1);
    expect(service.graph.counts.token - before).toBeLessThanOrEqual(3);
  });

  test('asks again while Entra ID is unavailable', async () => {
    service.graph.setServiceFaults({ requests: [{ on: 'token', answer: { status: 503 }, times: 2 }] });
    const call = service.call();
    const handle = await service.moderation().mute({ callId: call.id, tenantId: randomUUID() });
    expect(await handle.result()).toMatchObject({ isMuted: true });
    service.graph.setServiceFaults({ requests: [] });
  });

  test('reports that a secret is invalid, without the secret', async () => {
    const taskQueue = `test-${randomUUID()}`;
    const wrong = 'a-wrong-secret-of-the-tests';
    const other = await service.worker({ ...identity, AZURE_CLIENT_SECRET: wrong, MODERATION_TASK_QUEUE: taskQueue });
    const call = service.call();
    const error = await failureOf(await service.moderation(taskQueue).mute({ callId: call.id }), 'Unauthorized');
    expect(error.message).toContain('AZURE_*');
    expect(error.message).toContain(call.id);
    expect(error.details).toMatchObject({ code: 'AADSTS7000215' });
    expect(JSON.stringify([error.message, error.details])).not.toContain(wrong);
    expect(other.stderr).not.toContain(wrong);
    expect(call.posts).toEqual([]);
    await other.kill();
  });

  test('says that there are no credentials at all, at once', async () => {
    const taskQueue = `test-${randomUUID()}`;
    const { AZURE_AUTHORITY_HOST, NODE_EXTRA_CA_CERTS } = identity;
    const bare = { AZURE_AUTHORITY_HOST, NODE_EXTRA_CA_CERTS, AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' };
    const other = await service.worker({ ...bare, MODERATION_TASK_QUEUE: taskQueue });
    const call = service.call();
    const error = await failureOf(await service.moderation(taskQueue).mute({ callId: call.id }), 'Unauthorized');
    expect(error.message).toContain('AZURE_*');
    await other.kill();
  });

  test('writes neither secret nor token into its log', () => {
    expect(worker.log.length).toBeGreaterThan(0);
    expect(worker.stderr).not.toContain(APP.clientSecret);
    expect(worker.stderr).not.toMatch(/eyJ[\w-]{10,}\./);
  });
});
