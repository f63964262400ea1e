import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { startWorker } from '../../src/worker.ts';
import { log, Service } from '../support/service.ts';
import { COMPLETED, OPERATION_ID, PARTICIPANT, StandIn, type Manner } from '../support/stand-in.ts';
import { temporal, temporalJson } from '../support/temporal.ts';

/** What others bring works as well: the official CLI, a Graph of their own, signing keys of their own. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

interface Closed {
  status: string;
  result?: { action?: string; isMuted?: boolean; callId?: string };
}

describe.concurrent('the official CLI', () => {
  const start = (callId: string, type: string, input: object): string[] => [
    ...['workflow', 'start', '--type', type, '--task-queue', service.taskQueue, '--fail-existing'],
    ...['--workflow-id', `call-moderation/${callId}`, '--input', JSON.stringify(input)],
  ];

  test('starts an operation, gets its result, its status, and finds it in a list', async () => {
    const call = service.call();
    expect(await temporal(...start(call.id, 'mute', { callId: call.id }))).toMatchObject({ code: 0 });
    const closed = await temporalJson<Closed>('workflow', 'result', '--workflow-id', call.workflowId);
    expect(closed).toMatchObject({ status: 'COMPLETED', result: { action: 'mute', isMuted: true, callId: call.id } });
    const { queryResult } = await temporalJson<{ queryResult: object[] }>(
      ...['workflow', 'query', '--workflow-id', call.workflowId, '--type', 'operation'],
    );
    expect(queryResult[0]).toMatchObject({ phase: 'confirmed', action: 'mute', participantId: call.participantId });
    const query = `ModerationCallId = '${call.id}' AND ModerationAction = 'mute' AND ModerationOutcome = 'Confirmed'`;
    // Visibility is written a moment after the run has closed.
    await vi.waitFor(
      async () => expect(await temporalJson<unknown[]>('workflow', 'list', '--query', query)).toHaveLength(1),
      { timeout: 10_000, interval: 200 },
    );
  });

  test('gets an error if an operation is already running', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 3_000 }] } });
    expect(await temporal(...start(call.id, 'mute', { callId: call.id }))).toMatchObject({ code: 0 });
    expect((await temporal(...start(call.id, 'unmute', { callId: call.id }))).code).not.toBe(0);
    expect(await service.client.workflow.getHandle(call.workflowId).result()).toMatchObject({ action: 'mute' });
  });

  test('supersedes and cancels', async () => {
    const call = service.call({ faults: { notifications: [{ drop: true, times: 'forever' }] } });
    expect(await temporal(...start(call.id, 'mute', { callId: call.id }))).toMatchObject({ code: 0 });
    await call.untilAsked('mute');
    const successor = JSON.stringify({ action: 'unmute', request: { callId: call.id } });
    const signal = [
      'workflow',
      'signal',
      '--workflow-id',
      call.workflowId,
      '--name',
      'supersede',
      '--input',
      successor,
    ];
    expect(await temporal(...signal)).toMatchObject({ code: 0 });
    await call.untilAsked('unmute');
    expect(await temporal('workflow', 'cancel', '--workflow-id', call.workflowId)).toMatchObject({ code: 0 });
    await expect(service.client.workflow.getHandle(call.workflowId).result()).rejects.toMatchObject({
      cause: { name: 'CancelledFailure' },
    });
    expect(call.self.isMuted).toBe(false);
  });

  test('shows a failure with its type, its message and its details', async () => {
    const call = service.call({ state: 'establishing' });
    expect(await temporal(...start(call.id, 'mute', { callId: call.id }))).toMatchObject({ code: 0 });
    await service.client.workflow
      .getHandle(call.workflowId)
      .result()
      .catch(() => undefined);
    const { events } = await temporalJson<{ events: Record<string, unknown>[] }>(
      ...['workflow', 'show', '--workflow-id', call.workflowId],
    );
    expect(events.at(-1)).toMatchObject({
      workflowExecutionFailedEventAttributes: {
        failure: {
          message: expect.stringContaining(call.id),
          applicationFailureInfo: { type: 'CallNotEstablished', nonRetryable: true },
        },
      },
    });
  });
});

describe("a Graph that is not ours, nor Microsoft's", () => {
  let standIn: StandIn;
  let moderation: ModerationClient;

  beforeAll(async () => {
    standIn = await StandIn.start();
    const env = {
      ...service.env,
      MODERATION_TASK_QUEUE: `test-${randomUUID()}`,
      MODERATION_GRAPH_URL: `${standIn.url}/`,
      MODERATION_GRAPH_TOKEN: 'a-token-of-the-stand-in',
    };
    const bundle = { codePath: inject('workflowBundle') };
    const worker = await startWorker({ config: loadWorkerConfig(env), log, bundle });
    const client = await connectClient(loadClientConfig(env));
    moderation = new ModerationClient({ client, taskQueue: env.MODERATION_TASK_QUEUE });
    return async () => {
      await worker.stop();
      await closeClient(client);
      await standIn.stop();
    };
  });

  test("is asked exactly as Graph's reference says", async () => {
    const id = randomUUID();
    standIn.call(id);
    const handle = await moderation.mute({ callId: id, clientContext: 'context of a stranger' });
    expect(await handle.result()).toMatchObject({
      participantId: PARTICIPANT.id,
      operationId: OPERATION_ID,
      confirmedBy: 'roster-read',
    });
    const [post, ...others] = standIn.posts(id);
    expect(others).toEqual([]);
    expect(post).toMatchObject({
      method: 'POST',
      url: `/v1.0/communications/calls/${id}/mute`,
      body: '{"clientContext":"context of a stranger"}',
      headers: { authorization: 'Bearer a-token-of-the-stand-in', 'content-type': 'application/json' },
    });
    expect(post?.headers['client-request-id']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(standIn.requests.filter(({ url }) => url.includes('/app/'))).toEqual([]);
  });

  const serverMuted = (isMuted: boolean) => ({ mediaStreams: [{ mediaType: 'Audio', serverMuted: isMuted }] });
  const manners: { name: string; manner: Manner; operationId?: string }[] = [
    {
      name: 'with enums in Pascal case and IDs in upper-case hexadecimal',
      manner: {
        call: { state: 'Established', myParticipantId: PARTICIPANT.id.replaceAll('-', '').toUpperCase() },
        self: serverMuted,
        answer: { body: { ...COMPLETED, id: OPERATION_ID.toUpperCase(), status: 'Completed' } },
      },
    },
    {
      name: 'with the operation in Location alone',
      manner: { answer: { headers: { location: `https://graph.example/x/operations/${OPERATION_ID}` }, body: '' } },
    },
    { name: 'with an operation whose status is null', manner: { answer: { body: { ...COMPLETED, status: null } } } },
    { name: 'with 204 and no body', manner: { answer: { status: 204, body: '' } }, operationId: '' },
    { name: 'without chatInfo but with several targets', manner: { call: { chatInfo: null, targets: [{}, {}] } } },
  ];

  test.each(manners)('answers $name', async ({ manner, operationId = OPERATION_ID }) => {
    const id = randomUUID();
    standIn.call(id, manner);
    const result = await (await moderation.mute({ callId: id })).result();
    expect(result).toMatchObject({ isMuted: true, participantId: PARTICIPANT.id, operationId });
    expect(standIn.isMuted(id)).toBe(true);
  });

  test('says completed and does nothing: it is not believed, and asked to put things back', async () => {
    const id = randomUUID();
    standIn.call(id, { isDeaf: true });
    const handle = await moderation.mute({ callId: id, confirmWithinSeconds: 3 });
    await expect(handle.result()).rejects.toMatchObject({ type: 'Unconfirmed', details: { restored: true } });
    expect(standIn.posts(id).map(({ url }) => url.split('/').at(-1))).toEqual(['mute', 'unmute']);
  });
});

describe('signing keys of a stranger', () => {
  test('confirm with a token of theirs, and not with another', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const other = await generateKeyPair('RS256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'key-of-a-stranger', use: 'sig' };
    const server = createServer((asked, answer) => {
      const { port } = server.address() as AddressInfo;
      const keys = `http://127.0.0.1:${port}/keys`;
      const body = asked.url === '/keys' ? { keys: [jwk] } : { issuer: 'https://somebody.example', jwks_uri: keys };
      answer.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const openId = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/openid`;
    const theirs = await Service.start({
      MODERATION_WEBHOOK_OPENID_URL: openId,
      MODERATION_WEBHOOK_ISSUERS: 'https://issuer.example',
      MODERATION_WEBHOOK_AUDIENCE: 'their-app',
    });
    onTestFinished(async () => {
      await theirs.stop();
      server.closeAllConnections();
      server.close();
    });
    const call = theirs.call();
    const token = async (key: CryptoKey): Promise<string> =>
      await new SignJWT({ tid: randomUUID() })
        .setProtectedHeader({ alg: 'RS256', kid: 'key-of-a-stranger' })
        .setIssuer('https://issuer.example')
        .setAudience('their-app')
        .setExpirationTime('5m')
        .sign(key);
    const roster = {
      '@odata.type': '#microsoft.graph.commsNotification',
      changeType: 'updated',
      resourceUrl: `/communications/calls/${call.id}/participants`,
      resourceData: [{ '@odata.type': '#microsoft.graph.participant', id: call.participantId, isMuted: true }],
    };
    const send = async (key: CryptoKey): Promise<number> => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${await token(key)}` };
      const body = JSON.stringify({ value: [roster] });
      const { statusCode, body: answer } = await request(theirs.callbackUrl, { method: 'POST', headers, body });
      await answer.dump();
      return statusCode;
    };
    // The simulator signs with its own keys, which hold no more: only what is sent here by hand can confirm in time.
    theirs.graph.setFaults(call.id, {
      requests: [{ on: 'getParticipant', answer: { status: 503 }, times: 'forever' }],
    });
    const handle = await theirs.moderation.mute({ callId: call.id, confirmWithinSeconds: 20 });
    await call.untilAsked('mute');
    expect(await send(other.privateKey)).toBe(401);
    expect((await handle.status()).lastSeen).toMatchObject({ isMuted: false });
    expect(await send(privateKey)).toBe(202);
    expect(await handle.result()).toMatchObject({ confirmedBy: 'notification' });
  });
});
