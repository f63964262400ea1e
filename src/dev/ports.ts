import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { OperatorError } from '../lib/operator-error.ts';

/** 0 for any free one. */
export interface Ports {
  temporal: number;
  ui: number;
  graph: number;
  webhook: number;
  /** None is started where absent. */
  gateway?: number | undefined;
}

/** Thrown before anything is started, with every port that cannot be had and the flag that names another. */
export class PortsTaken extends OperatorError {
  override readonly name = 'PortsTaken';

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
  }
}

/**
 * Sees to it that the named ports can be listened on at this moment. All are held until the last one is tried, so that
 * one that is given twice is found too.
 *
 * @throws {PortsTaken}
 */
export async function checkPorts(ports: Ports): Promise<void> {
  const faults: string[] = [];
  const held: Server[] = [];
  for (const [name, port] of Object.entries(ports) as [keyof Ports, number | undefined][]) {
    if (port === 0 || port === undefined) continue;
    const server = createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      held.push(server);
    } catch (error) {
      faults.push(fault(name, port, error));
    }
  }
  for (const server of held) {
    server.close();
    await once(server, 'close');
  }
  if (faults.length > 0) throw new PortsTaken(faults);
}

function fault(name: keyof Ports, port: number, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason = code === 'EADDRINUSE' ? 'is taken' : `cannot be listened on (${String(code ?? error)})`;
  return `--${name}-port: port ${port} ${reason}. Stop the process that listens there, or give another port, or 0 for any free one.`;
}
