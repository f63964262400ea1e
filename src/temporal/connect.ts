import { Client, Connection } from '@temporalio/client';
import type { CommonConfig } from '../config.ts';

/** Thrown where no Temporal answers, with its address and what to do. */
export class TemporalUnreachable extends Error {
  override readonly name = 'TemporalUnreachable';

  constructor(address: string | undefined, cause: unknown) {
    super(
      `Temporal cannot be reached at ${address ?? 'localhost:7233'}: ${cause instanceof Error ? cause.message : String(cause)}. ` +
        "Start it (on your own machine: 'call-moderation dev'), or set TEMPORAL_ADDRESS to where it is.",
      { cause },
    );
  }
}

/** A client whose connection is made with the first request, so that it outlives a server that is not there yet. */
export function lazyClient({ temporal }: CommonConfig): Client {
  const connection = Connection.lazy(temporal.connectionOptions);
  return new Client({ connection, ...(temporal.namespace !== undefined && { namespace: temporal.namespace }) });
}

/** @throws {TemporalUnreachable} */
export async function connectClient({ temporal }: CommonConfig): Promise<Client> {
  try {
    const connection = await Connection.connect({ ...temporal.connectionOptions, connectTimeout: '5s' });
    return new Client({ connection, ...(temporal.namespace !== undefined && { namespace: temporal.namespace }) });
  } catch (error) {
    throw new TemporalUnreachable(temporal.connectionOptions.address, error);
  }
}
