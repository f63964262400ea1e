import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A network between two parts: whoever would connect to a port connects to the wire instead, which passes every byte on in
 * both directions, until it is told to do worse.
 *
 *     sound ──stall()──▶ stalled   bytes wait, connections stay open; none is lost once it is sound again
 *     sound ──reset()──▶ broken    every connection breaks, and so does each new one
 *     sound ──lose()───▶ sound     every open connection goes deaf for good, as behind a router that has forgotten it: its
 *                                  bytes are lost and neither end is told; new ones are sound
 */
export class Wire {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #state: 'sound' | 'stalled' | 'broken' = 'sound';

  private constructor(port: number) {
    this.#server = createServer((near) => this.#join(near, port));
  }

  /** To a port of this machine. */
  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port);
    await new Promise<void>((resolve) => {
      wire.#server.listen(0, '127.0.0.1', resolve);
    });
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `address` with the port of this wire. */
  instead(address: string): string {
    return address.replace(/:\d+(?=\/|$)/, `:${this.port}`);
  }

  stall(): void {
    this.#state = 'stalled';
    for (const pair of this.#pairs) pair.pause();
  }

  reset(): void {
    this.#state = 'broken';
    for (const pair of this.#pairs) pair.reset();
  }

  lose(): void {
    for (const pair of this.#pairs) pair.deafen();
  }

  mend(): void {
    this.#state = 'sound';
    for (const pair of this.#pairs) pair.resume();
  }

  close(): void {
    this.#server.close();
    for (const pair of this.#pairs) pair.reset();
  }

  #join(near: Socket, port: number): void {
    if (this.#state === 'broken') {
      near.on('error', () => undefined).resetAndDestroy();
      return;
    }
    const pair = new Pair(near, connect(port, '127.0.0.1'), () => this.#pairs.delete(pair));
    this.#pairs.add(pair);
    if (this.#state === 'stalled') pair.pause();
  }
}

/** One connection: its two halves. */
class Pair {
  readonly #halves: readonly [Socket, Socket];
  #isDeaf = false;

  constructor(near: Socket, far: Socket, onClose: () => void) {
    this.#halves = [near, far];
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay();
      from.on('data', (bytes) => {
        if (!this.#isDeaf && !to.write(bytes)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
      from.on('error', () => undefined);
      from.once('end', () => {
        if (!this.#isDeaf) to.end();
      });
      from.once('close', () => {
        onClose();
        if (!this.#isDeaf) to.destroy();
      });
    }
  }

  pause(): void {
    for (const half of this.#halves) half.pause();
  }

  resume(): void {
    for (const half of this.#halves) half.resume();
  }

  reset(): void {
    for (const half of this.#halves) half.resetAndDestroy();
  }

  deafen(): void {
    this.#isDeaf = true;
  }
}
