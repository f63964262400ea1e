import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, GraphError, ResponseType } from '@microsoft/microsoft-graph-client';
import type { MuteParticipantOperation } from '@microsoft/microsoft-graph-types';
import { generate } from 'selfsigned';
import { Agent, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningGateway } from '../../src/gateway.ts';
import { pythonPackage } from '../support/python.ts';
import { Service, undecided } from '../support/service.ts';
import { until } from '../support/until.ts';
import { gatewayOf, tokenOf } from './kit.ts';

/** Microsoft's own clients of Graph, unchanged but for their base URL and their credential. */

const sdk = await pythonPackage('msgraph-sdk==1.65.0', 'test/gateway/clients.test.ts');

let service: Service;
let gateway: RunningGateway;
let front: Server;
let secureUrl: string;
let agent: Agent;

beforeAll(async () => {
  service = await Service.start();
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  // The JavaScript client shows its token over HTTPS only, so this stands where an ingress does.
  front = createServer({ key, cert }, (request, response) => {
    const { method, url, headers } = request;
    const passed = httpRequest(gateway.url + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(passed);
  });
  await new Promise<void>((resolve) => {
    front.listen(0, '127.0.0.1', resolve);
  });
  secureUrl = `https://127.0.0.1:${(front.address() as AddressInfo).port}`;
  agent = new Agent({ connect: { ca: cert } });
  gateway = await gatewayOf(service, { MODERATION_GATEWAY_URL: secureUrl });
  await until(
    async () => (await fetch(`${gateway.health}/readyz`)).status,
    (status) => status === 200,
  );
});

afterAll(async () => {
  await agent.close();
  front.closeAllConnections();
  front.close();
  await gateway.stop();
  await service.stop();
});

function graphOf(token: string): Client {
  return Client.init({
    baseUrl: `${secureUrl}/`,
    customHosts: new Set(['127.0.0.1']),
    authProvider: (done) => done(null, token),
    fetchOptions: { dispatcher: agent } as object,
  });
}

describe('the JavaScript client of Graph', () => {
  // It uses the global one, which takes no agent of another version of undici.
  const own = globalThis.fetch;
  beforeAll(() => {
    globalThis.fetch = undiciFetch as unknown as typeof fetch;
  });
  afterAll(() => {
    globalThis.fetch = own;
  });

  test('mutes, unmutes and reads the operation', async () => {
    const call = service.call();
    const graph = graphOf(await tokenOf(service));
    const path = `/communications/calls/${call.id}`;
    const muted: MuteParticipantOperation = await graph.api(`${path}/mute`).post({ clientContext: 'from-js' });
    expect(muted).toMatchObject({ status: 'completed', clientContext: 'from-js' });
    expect(call.self.isMuted).toBe(true);
    expect(await graph.api(`${path}/operations/${muted.id}`).get()).toMatchObject({
      id: muted.id,
      status: 'completed',
    });
    expect(await graph.api(`${path}/unmute`).version('beta').post({})).toMatchObject({ status: 'completed' });
    expect(call.self.isMuted).toBe(false);
  });

  test('gets what runs as an operation, and polls its Location', async () => {
    const call = service.call();
    service.graph.setFaults(call.id, undecided);
    const graph = graphOf(await tokenOf(service));
    const request = graph.api(`/communications/calls/${call.id}/mute`).header('Prefer', 'respond-async');
    const raw: Response = await request.responseType(ResponseType.RAW).post({});
    const location = raw.headers.get('location') ?? '';
    expect(await graph.api(location).get()).toMatchObject({ status: 'running' });
    await call.untilAsked('mute');
    await service.graph.clearFaults(call.id);
    const polled = await until(
      async () => (await graph.api(location).get()) as { status: string },
      ({ status }) => status === 'completed',
    );
    expect(polled.status).toBe('completed');
  });

  test('gets a failure as the error of Graph', async () => {
    const graph = graphOf(await tokenOf(service));
    const failed = await graph
      .api(`/communications/calls/${randomUUID()}/mute`)
      .post({})
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(GraphError);
    expect(failed).toMatchObject({ statusCode: 404, code: 'CallNotFound' });
  });
});

describe.skipIf(sdk === undefined)('the Python SDK of Graph', () => {
  test('mutes, unmutes, polls, and gets a failure as the error of Graph', async () => {
    const call = service.call();
    const other = service.graph.describe(call.id).participants.find(({ id }) => id !== call.participantId)?.id ?? '';
    const caller = fileURLToPath(new URL('caller.py', import.meta.url));
    const given = [`${gateway.url}/v1.0`, await tokenOf(service), call.id, other, randomUUID()];
    const { stdout } = await promisify(execFile)('python3', [caller, ...given], {
      env: { PATH: process.env['PATH'], PYTHONPATH: sdk },
      timeout: 120_000,
    });
    const { muted, read, ...more } = JSON.parse(stdout) as Record<string, { id: string }>;
    expect(muted).toMatchObject({
      type: 'MuteParticipantOperation',
      status: 'completed',
      clientContext: 'from-python',
    });
    expect(read).toEqual(muted);
    expect(more).toMatchObject({
      unmuted: { type: 'UnmuteParticipantOperation', status: 'completed' },
      running: { type: 'MuteParticipantOperation', status: 'running' },
      polled: { status: 'completed' },
      participant: { type: 'MuteParticipantOperation', status: 'completed' },
      error: { status: 404, code: 'CallNotFound' },
    });
    expect(call.self.isMuted).toBe(true);
  }, 180_000);
});
