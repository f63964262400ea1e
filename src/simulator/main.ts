import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { GraphSimulator } from './simulator.ts';

/**
 * The simulator by itself: `node dist/simulator/main.js --port 4000 --callback http://127.0.0.1:3978/api/calls`. Prints
 * one line of JSON with its addresses, a token and, with `--callback`, a call; stops on SIGTERM and SIGINT.
 */
const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    port: { type: 'string', default: '0' },
    cert: { type: 'string' },
    key: { type: 'string' },
    'app-id': { type: 'string' },
    'client-secret': { type: 'string' },
    'tenant-id': { type: 'string' },
    token: { type: 'string' },
    callback: { type: 'string' },
    participants: { type: 'string', default: '3' },
  },
});

const graph = await GraphSimulator.start({
  port: Number(values.port),
  ...(values.host !== undefined && { host: values.host }),
  ...(values.cert !== undefined &&
    values.key !== undefined && { tls: { cert: readFileSync(values.cert), key: readFileSync(values.key) } }),
  ...(values['app-id'] !== undefined && { appId: values['app-id'] }),
  ...(values['client-secret'] !== undefined && { clientSecret: values['client-secret'] }),
  ...(values['tenant-id'] !== undefined && { tenantId: values['tenant-id'] }),
  ...(values.token !== undefined && { fixedToken: values.token }),
});
const call =
  values.callback === undefined
    ? undefined
    : graph.createCall({ callbackUri: values.callback, participants: Number(values.participants) });

const stop = (): void => {
  void graph.close();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
const token = values.token ?? (await graph.issueToken());
process.stdout.write(`${JSON.stringify({ ...graph.addresses, token, ...(call && { call }) })}\n`);
