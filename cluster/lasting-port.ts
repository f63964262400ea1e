import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Ports for programs that are killed and come back: below those that systems give to outgoing connections (from 32768 on
 * Linux, 49152 elsewhere), which could take the port of a program that is down. Temporal asks for it too: its database
 * keeps a member's port in a `smallint`.
 */
const FIRST = 15_000;
const LAST = 32_000;

const MAX_TRIES = 100;

/** Given to somebody of this process already, who may not listen yet. */
const given = new Set<number>();

export async function lastingPort(): Promise<number> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`this machine gave no free port between ${FIRST} and ${LAST}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
