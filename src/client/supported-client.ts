import type { Client } from '@temporalio/client';
import { ModerationError } from './errors.ts';

/**
 * Clients come from the caller's own `@temporalio/client`, which package managers may install beside ours. An older
 * one lacks what we read of workflows (`typedSearchAttributes`) and would fail late, with a TypeError that explains
 * nothing.
 */

/** As in `peerDependencies` of package.json. */
const RANGE = { text: '^1.13.2', major: 1, minor: 13, patch: 2 };

/** @throws {ModerationError} `UnsupportedClient` */
export function requireSupported(client: Client): void {
  const version = versionOf(client);
  if (version !== undefined && !isInRange(version)) throw unsupported(`version ${version}`);
  // A connection of a worker does not name its version.
  if (typeof (client as Partial<Client> | undefined)?.withAbortSignal !== 'function' || !client.schedule) {
    throw unsupported('something that is not its Client');
  }
}

function unsupported(found: string): ModerationError {
  const message =
    `ModerationClient works with @temporalio/client ${RANGE.text}, and was given ${found}. ` +
    'Install a version in that range and make the client with it: npm install @temporalio/client@1';
  return new ModerationError('UnsupportedClient', message, { found, supported: RANGE.text });
}

/** What the client's connection says of itself to the server. */
function versionOf(client: Client): string | undefined {
  const { connection } = (client ?? {}) as { connection?: { options?: { metadata?: Record<string, unknown> } } };
  const version = connection?.options?.metadata?.['client-version'];
  return typeof version === 'string' ? version : undefined;
}

function isInRange(version: string): boolean {
  const [, major = 0, minor = 0, patch = 0] = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major !== RANGE.major) return false;
  return minor > RANGE.minor || (minor === RANGE.minor && patch >= RANGE.patch);
}
