import { Client, Connection } from '@temporalio/client';
import { describe, expect, inject, test } from 'vitest';
import { readFile } from 'node:fs/promises';
import { ModerationClient } from '../src/client/moderation-client.ts';
import { UnsupportedClientError } from '../src/client/supported-client.ts';
import { clientProxy } from '../src/temporal/proxy.ts';

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
    expect(make).toThrow(UnsupportedClientError);
    expect(make).toThrow(`@temporalio/client ^1.13.2, and was given version ${version}. Install`);
    await client.connection.close();
  });

  test.each(['1.13.2', '1.14.0', '1.24.0', '1.100.0'])('%s is taken', async (version) => {
    const client = clientOf(version);
    expect(await new ModerationClient({ client }).latest('00000000')).toBeUndefined();
    await client.connection.close();
  });
});

test('what is no client is refused', () => {
  for (const client of [undefined, {}, { workflow: {} }]) {
    expect(() => new ModerationClient({ client: client as never })).toThrow(UnsupportedClientError);
  }
});

test('the range is that of package.json', async () => {
  const { peerDependencies } = JSON.parse(await readFile('package.json', 'utf8')) as {
    peerDependencies: Record<string, string>;
  };
  expect(peerDependencies).toEqual({ '@temporalio/client': '^1.13.2', '@temporalio/common': '^1.13.2' });
});
