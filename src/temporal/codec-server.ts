import type { Payload } from '@temporalio/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HttpError, type Log } from '../http/http-error.ts';
import { createHttpServer } from '../http/http-server.ts';
import type { PayloadKeys } from '../contract/payload-keys.ts';
import { EncryptionCodec, keep } from './payload-codec.ts';

/**
 * The codec over HTTP, for Temporal's UI and CLI: they send payloads and show the answer. Everybody who can reach it
 * can decrypt everything, so it is for an operator's own machine:
 *
 * - **Loopback only.** It listens on a loopback address.
 * - **Only the UI.** A web page is answered only if it is the UI: the origin of any other page in the operator's
 *   browser is refused.
 * - **Only a loopback host.** A request must name a loopback address as its host. Otherwise a foreign page could be
 *   of the right origin, by a host name that resolves to this machine.
 *
 * https://docs.temporal.io/production-deployment/data-encryption#api-contract-specifications
 */
export interface CodecServerOptions {
  keys: PayloadKeys;
  /** The UI's origin, such as `http://localhost:8233`. */
  uiOrigin: string;
  log: Log;
}

/** A page of a long history. */
const MAX_BYTES = 16 * 1_024 * 1_024;

const bytes = z.base64().transform((text) => Buffer.from(text, 'base64'));
const messages = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), bytes).default({}), data: bytes.prefault('') })),
});

export function createCodecServer({ keys, uiOrigin, log }: CodecServerOptions): FastifyInstance {
  const codec = new EncryptionCodec(keys, keep);
  const app = createHttpServer({ log });
  app.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: MAX_BYTES }, (_, body, done) => {
    try {
      done(null, JSON.parse(String(body)));
    } catch {
      done(new HttpError(400, 'json', 'The body is not JSON. Send {"payloads": […]}.'));
    }
  });
  app.addHook('onRequest', async (request, reply) => admit(request, reply, uiOrigin));
  const route = (path: string, work: (payloads: Payload[]) => Promise<Payload[]>): void => {
    app.options(path, async (_, reply) => await reply.code(204).send());
    app.post(path, { bodyLimit: MAX_BYTES }, async ({ body }) => {
      const parsed = messages.safeParse(body);
      if (!parsed.success) throw new HttpError(400, 'payloads', 'The body is not {"payloads": […]} with base64 in it.');
      return { payloads: (await work(parsed.data.payloads)).map(toJson) };
    });
  };
  route('/encode', async (payloads) => await codec.encode(payloads));
  route('/decode', async (payloads) => await codec.decode(payloads));
  return app;
}

async function admit({ headers, hostname }: FastifyRequest, reply: FastifyReply, uiOrigin: string): Promise<void> {
  if (hostname !== '127.0.0.1' && hostname !== 'localhost') {
    // **Only a loopback host.**
    throw new HttpError(403, 'host', 'This server is for this machine only. Use the host 127.0.0.1 or localhost.');
  }
  const { origin } = headers;
  if (origin === undefined) return;
  // **Only the UI.**
  if (origin !== uiOrigin) throw new HttpError(403, 'origin', 'This page is not the UI that --ui names.');
  reply.headers({
    'access-control-allow-origin': uiOrigin,
    'access-control-allow-methods': 'POST, OPTIONS',
    'access-control-allow-headers': 'content-type, x-namespace, authorization',
    vary: 'origin',
  });
}

const toBase64 = (data: Uint8Array): string => Buffer.from(data).toString('base64');

function toJson({ metadata, data }: Payload): object {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, toBase64(value)]);
  return { metadata: Object.fromEntries(entries) as object, data: toBase64(data ?? new Uint8Array()) };
}
