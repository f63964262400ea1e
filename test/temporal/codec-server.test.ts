import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { FastifyInstance } from 'fastify';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCodecServer } from '../../src/temporal/codec-server.ts';
import { EncryptionCodec } from '../../src/temporal/payload-codec.ts';
import { log } from '../support/service.ts';

/** The codec over HTTP, as Temporal's UI and CLI ask it, and as others might. */

const UI = 'http://localhost:8233';
const keys = [{ id: '1', key: randomBytes(32) }];
const codec = new EncryptionCodec(keys);

let server: FastifyInstance;
let url: string;
beforeAll(async () => {
  server = createCodecServer({ keys, uiOrigin: UI, log });
  url = await server.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => await server.close());

const json = ({ metadata, data }: Payload): object => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});

const plain = defaultPayloadConverter.toPayload({ reason: 'planted' });

interface Asked {
  method?: 'POST' | 'OPTIONS' | 'GET';
  path?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

async function ask({ method = 'POST', path = '/decode', headers = {}, body }: Asked) {
  const answer = await request(`${url}${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

test('decrypts what the codec has encrypted, gives back the rest as it is, and encrypts', async () => {
  const [encrypted = {}] = await codec.encode([plain]);
  const answer = await ask({ body: { payloads: [json(encrypted), json(plain)] }, headers: { origin: UI } });
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.text)).toEqual({ payloads: [json(plain), json(plain)] });
  expect(answer.headers['access-control-allow-origin']).toBe(UI);

  const { text } = await ask({ path: '/encode', body: { payloads: [json(plain)] } });
  expect(text).not.toContain(Buffer.from('planted').toString('base64').slice(0, 8));
  expect(JSON.parse((await ask({ body: text })).text)).toEqual({ payloads: [json(plain)] });
});

test('answers the question that a browser asks first', async () => {
  const { status, headers } = await ask({ method: 'OPTIONS', headers: { origin: UI } });
  expect(status).toBe(204);
  expect(headers['access-control-allow-headers']).toContain('x-namespace');
});

describe('refuses', () => {
  const body = { payloads: [json(plain)] };

  test.each<[string, Asked, number]>([
    ['a page that is not the UI', { body, headers: { origin: 'https://evil.example' } }, 403],
    ['such a page that asks first', { method: 'OPTIONS', headers: { origin: 'https://evil.example' } }, 403],
    ['a page without an origin of its own', { body, headers: { origin: 'null' } }, 403],
    ['a name that leads here', { body, headers: { host: 'evil.example' } }, 403],
    ['what is not JSON', { body: '{' }, 400],
    ['what holds no payloads', { body: {} }, 400],
    ['bytes that are not base64', { body: { payloads: [{ data: '?' }] } }, 400],
    ['another content type', { body: 'a', headers: { 'content-type': 'text/plain' } }, 415],
    ['another path', { path: '/', body }, 404],
  ])('%s', async (_, asked, status) => {
    const answer = await ask(asked);
    expect(answer.status).toBe(status);
    expect(answer.headers['access-control-allow-origin']).not.toBe('https://evil.example');
    expect(answer.text).not.toContain(Buffer.from('planted').toString('base64').slice(0, 8));
  });
});
