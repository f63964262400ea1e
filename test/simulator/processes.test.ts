import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { generate } from 'selfsigned';
import { describe, expect, inject, it } from 'vitest';
import { CALL_ROLES, GraphSimulator } from '../../src/simulator/index.ts';
import { Bot } from '../support/simulator-bot.ts';

/** The simulator and its clients as processes of their own. */

const APP = { appId: '2891555a-92ff-42e6-80fa-6e1300c6b5c6', clientSecret: 's3cret', tenantId: 'a-tenant' };

/** Entra's own client trusts the certificate only by the environment of its process. */
const CLIENT = `
import { ClientSecretCredential } from '@azure/identity';
const [tenantId, clientId, authorityHost, ...secrets] = process.argv.slice(1);
for (const secret of secrets) {
  const credential = new ClientSecretCredential(tenantId, clientId, secret, { authorityHost, disableInstanceDiscovery: true });
  try {
    const { token, expiresOnTimestamp } = await credential.getToken(authorityHost + '/.default');
    console.log(JSON.stringify({ token, expiresOnTimestamp }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
`;

describe('@azure/identity', () => {
  it('gets a token over TLS, and the reason where the secret is wrong', async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
      algorithm: 'sha256',
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    });
    const folder = await mkdtemp(join(tmpdir(), 'simulator-'));
    const secure = await GraphSimulator.start({ ...APP, tls: { key, cert } });
    try {
      await writeFile(join(folder, 'ca.pem'), cert);
      const child = spawn(
        process.execPath,
        ['--input-type=module', '-e', CLIENT, APP.tenantId, APP.appId, secure.authorityUrl, APP.clientSecret, 'wrong'],
        { env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') } },
      );
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const code = await new Promise((resolve) => child.once('close', resolve));
      expect(code, output).toBe(0);
      const [good, bad] = output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, string>);
      expect(decodeJwt(good?.['token'] ?? output)).toMatchObject({
        aud: secure.url,
        tid: APP.tenantId,
        roles: CALL_ROLES,
      });
      expect(bad?.['error']).toContain('AADSTS7000215');
      expect(secure.counts.token).toBe(2);
    } finally {
      await secure.close();
      await rm(folder, { recursive: true });
    }
  }, 60_000);
});

describe('by itself', () => {
  it('prints where it is, serves, and on SIGTERM leaves nothing that keeps its process alive', async () => {
    const bot = await Bot.start();
    const main = join(inject('build'), 'dist', 'simulator', 'main.js');
    const child = spawn(process.execPath, [main, '--callback', bot.url, '--token', 'dev']);
    try {
      const line = await new Promise<string>((resolve, reject) => {
        child.stdout.once('data', (chunk: Buffer) => {
          resolve(chunk.toString());
        });
        child.stderr.once('data', (chunk: Buffer) => {
          reject(new Error(chunk.toString()));
        });
      });
      const { url, token, call } = JSON.parse(line) as { url: string; token: string; call: { id: string } };
      const read = await fetch(`${url}/v1.0/communications/calls/${call.id}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(await read.json()).toMatchObject({ id: call.id, state: 'established' });
      const faults = { requests: [{ on: 'getCall', answer: 'hang' }], notifications: [{ delayMs: 60_000 }] };
      const set = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(faults) };
      expect((await fetch(`${url}/simulator/calls/${call.id}/faults`, set)).status).toBe(200);
      expect((await fetch(`${url}/simulator/calls/${call.id}/notify`, { method: 'POST' })).status).toBe(200);
      const hanging = expect(
        fetch(`${url}/v1.0/communications/calls/${call.id}`, { headers: { authorization: `Bearer ${token}` } }),
      ).rejects.toThrow('fetch failed');
      const stopped = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      expect(await stopped).toBe(0);
      await hanging;
    } finally {
      child.kill('SIGKILL');
      await bot.stop();
    }
  }, 60_000);
});
