import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import * as oldest from 'temporal-client-oldest';
import * as refused from 'temporal-client-refused';
import { describe, expect, inject, test } from 'vitest';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { clientProxy } from '../../src/temporal/proxy.ts';
import { Service } from '../support/service.ts';

/** The caller's own `@temporalio/client`, whatever its version. */

function clientOf(version: string): Client {
  const address = inject('temporalAddress');
  // As a connection of that version calls itself. Lazy, because the server refuses some of them itself.
  const metadata = { 'client-version': version };
  return new Client({ connection: Connection.lazy({ address, metadata, ...clientProxy(address) }) });
}

describe('a client of version', () => {
  test.each(['1.11.8', '1.12.3', '1.13.1', '2.0.0', '0.23.0'])('%s is refused at once, by name', async (version) => {
    const client = clientOf(version);
    const make = (): unknown => new ModerationClient({ client });
    expect(make).toThrow(expect.objectContaining({ name: 'ModerationError', type: 'UnsupportedClient' }));
    expect(make).toThrow(`@temporalio/client ^1.13.2, and was given version ${version}. Install`);
    await client.connection.close();
  });

  test.each(['1.13.2', '1.14.0', '1.24.0', '1.100.0'])('%s is taken', async (version) => {
    const client = clientOf(version);
    expect(await new ModerationClient({ client }).getLatestOperation('00000000')).toBeUndefined();
    await client.connection.close();
  });
});

describe('another copy of the library', () => {
  test('runs an operation to its end if it is the oldest that is supported', async () => {
    const service = await Service.start();
    const address = inject('temporalAddress');
    const connection = await oldest.Connection.connect({ address, ...clientProxy(address) });
    // Types are those of the one copy that a package manager installs for both.
    const client = new oldest.Client({ connection }) as unknown as Client;
    const moderation = new ModerationClient({ client, taskQueue: service.taskQueue });
    const call = service.call();
    expect(await (await moderation.mute({ callId: call.id })).result()).toMatchObject({ isMuted: true });
    expect(await moderation.getLatestOperation(call.id)).toMatchObject({ record: { outcome: 'Confirmed' } });
    const hold = await moderation.keepMuted({ callId: call.id });
    expect(await hold.status()).toMatchObject({ request: { callId: call.id } });
    await hold.release();
    expect(await hold.result()).toMatchObject({ endedBy: 'released' });
    // A failure is one of ours, although the error comes from their copy.
    const missing = await moderation.mute({ callId: randomUUID() });
    await expect(missing.result()).rejects.toMatchObject({ name: 'ModerationError', type: 'CallNotFound' });
    const { policies } = moderation;
    const id = `copy-${randomUUID()}`;
    await policies.create({ id, action: 'mute', target: { calls: [call.id] }, when: { once: '2099-01-01' } });
    expect(await policies.get(id)).toMatchObject({ id });
    await policies.delete(id);
    await connection.close();
    await service.stop();
  });

  test('is refused at once if it is older', async () => {
    const connection = refused.Connection.lazy({ address: inject('temporalAddress') });
    const client = new refused.Client({ connection }) as unknown as Client;
    expect(() => new ModerationClient({ client })).toThrow('was given version 1.11.8. Install');
    await connection.close();
  });
});

test('what is no client is refused', () => {
  for (const client of [undefined, {}, { workflow: {} }]) {
    expect(() => new ModerationClient({ client: client as never })).toThrow(
      expect.objectContaining({ type: 'UnsupportedClient' }),
    );
  }
});

test('the range is that of package.json', async () => {
  const { peerDependencies } = JSON.parse(await readFile('package.json', 'utf8')) as {
    peerDependencies: Record<string, string>;
  };
  expect(peerDependencies).toEqual({ '@temporalio/client': '^1.13.2', '@temporalio/common': '^1.13.2' });
});
