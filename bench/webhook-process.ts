import { loadClientConfig } from '../src/config/common.ts';
import { connectClient } from '../src/temporal/connect.ts';
import { createWebhookServer } from '../src/webhook/server.ts';
import { announce, setting } from './child.ts';

/** Our webhook, which hands over to Temporal, or does all but that. */
const log = { info() {}, warn() {}, error() {} };
const address = process.env['TEMPORAL_ADDRESS'];
const server = createWebhookServer({
  path: '/api/calls',
  audience: setting('BENCH_AUDIENCE'),
  issuers: [setting('BENCH_ISSUER')],
  openIdUrl: setting('BENCH_OPENID_URL'),
  log,
  ...(address === undefined
    ? { deliver: () => Promise.resolve('no-operation' as const) }
    : { client: await connectClient(loadClientConfig(process.env)) }),
});
const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
announce({ url });
