import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  type ConnectionOptions,
} from '@temporalio/client';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import type { PayloadKeys } from '../contract/payload-keys.ts';
import { traceInterceptor } from '../tracing/client.ts';
import { dataConverterOf } from './payload-codec.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { reasonOf } from '../lib/error-reason.ts';
import { clientProxy } from './proxy.ts';

/** Thrown if Temporal does not answer, with its address and what to do. */
export class TemporalUnreachable extends OperatorError {
  override readonly name = 'TemporalUnreachable';

  constructor(address: string | undefined, cause: unknown) {
    super(
      `Temporal cannot be reached at ${address ?? 'localhost:7233'}: ${reasonOf(cause)}. ` +
        "Start it (on your own machine: 'call-moderation dev'), or set TEMPORAL_ADDRESS to where it is.",
      { cause },
    );
  }
}

/** What a client needs of a configuration. */
interface ClientConfig {
  temporal: ClientConnectConfig;
  payloadKeys?: PayloadKeys | undefined;
}

const MAX_TRIES = 60;
const MAX_PAUSE_MS = 500;

/**
 * The SDK's retries, but for their end: a call that pauses between two tries makes the next one whatever has become of
 * its connection, and on a closed one that takes the whole process down. So closing lets no more tries begin, and waits
 * for those that were to come; no pause is longer than MAX_PAUSE_MS.
 */
class Retries {
  #isClosing = false;
  #nextTry = 0;
  readonly #options = defaultGrpcRetryOptions({ maxAttempts: MAX_TRIES });

  readonly interceptor = makeGrpcRetryInterceptor({
    retryableDecider: (attempt, status) => !this.#isClosing && this.#options.retryableDecider(attempt, status),
    delayFunction: (attempt, status) => {
      const pause = Math.min(this.#options.delayFunction(attempt, status), MAX_PAUSE_MS);
      this.#nextTry = Math.max(this.#nextTry, Date.now() + pause);
      return pause;
    },
  });

  async end(): Promise<void> {
    this.#isClosing = true;
    if (this.#nextTry === 0) return;
    // Also where its time has come already: a timer may fire late, and this one fires after it.
    await sleep(Math.max(this.#nextTry - Date.now(), 0) + 50);
  }
}

const retriesOf = new WeakMap<Client, Retries>();

/** A client whose connection is made with the first request, so that it outlives a server that is not there yet. */
export function lazyClient(config: ClientConfig): Client {
  const retries = new Retries();
  return clientOf(config, Connection.lazy(optionsOf(config, retries)), retries);
}

/** @throws {TemporalUnreachable} */
export async function connectClient(config: ClientConfig): Promise<Client> {
  const retries = new Retries();
  try {
    return clientOf(config, await Connection.connect(optionsOf(config, retries)), retries);
  } catch (error) {
    throw new TemporalUnreachable(config.temporal.connectionOptions.address, error);
  }
}

/** Closes the connection of a client that was made here, in such a way that no call of it is left behind. */
export async function closeClient(client: Client): Promise<void> {
  await retriesOf.get(client)?.end();
  await client.connection.close();
}

function optionsOf({ temporal }: ClientConfig, { interceptor }: Retries): ConnectionOptions {
  const { connectionOptions } = temporal;
  const proxy = clientProxy(connectionOptions.address);
  return { ...connectionOptions, ...proxy, connectTimeout: '5s', interceptors: [interceptor] };
}

function clientOf({ temporal, payloadKeys }: ClientConfig, connection: Connection, retries: Retries): Client {
  const interceptors = { workflow: [traceInterceptor] };
  const client = new Client({
    connection,
    interceptors,
    ...(temporal.namespace !== undefined && { namespace: temporal.namespace }),
    ...dataConverterOf(payloadKeys),
  });
  retriesOf.set(client, retries);
  return client;
}
