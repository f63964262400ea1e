import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Virtual time. Nothing here waits: what is to happen later stands in a queue by its time, and the clock jumps from one
 * event to the next.
 *
 * - **One event at a time.** After each, every microtask that it has caused runs before the next event begins, so
 *   that all code between two waits is one step, as it is in Node.
 * - **Events of one moment keep their order.** They happen in the order in which they were asked for. Chance is in
 *   the latencies, which whoever asks takes from the seed.
 * - **Time is simulated.** While a simulation runs, `Date`, `performance.now` and the global timers are its own. In a
 *   workflow the time is that of its workflow task, as the SDK has it.
 * - **A killed process does nothing more.** What belongs to a process that was killed does not happen: its timers,
 *   and the answers that it waits for.
 *
 * The microtasks are run by `process._tickCallback`, the function with which Node itself does that between two events. It
 * makes a whole simulation one synchronous call, some ten times as fast as to wait for each `setImmediate`.
 */

/** A process of the simulated world: a worker, a client, the webhook. */
export interface Owner {
  name: string;
  isDead: boolean;
}

/** In whose name code runs, and until when its requests may take. Deliverable on as Node hands on what is async. */
export interface Scope {
  owner: Owner;
  deadline?: number | undefined;
  abort?: AbortSignal | undefined;
}

export const scopes = new AsyncLocalStorage<Scope>();

interface Event {
  time: number;
  order: number;
  run: () => void;
  owner: Owner | undefined;
  isCancelled: boolean;
}

export interface Timer {
  cancel(): void;
}

const REAL = {
  Date: globalThis.Date,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  now: performance.now.bind(performance),
};

const { setImmediate: realImmediate } = globalThis;

const runMicrotasks = (process as unknown as { _tickCallback: () => void })._tickCallback.bind(process);

export class Clock {
  now: number;
  events = 0;
  /** Of the times of all events: two simulations with the same one went the same way. */
  digest = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  constructor(now: number) {
    this.now = now;
  }

  /** In the name of nobody: of the server, of Graph, of the scenario. */
  after(ms: number, run: () => void, owner?: Owner): Timer {
    const time = this.now + Math.max(0, Number.isFinite(ms) ? ms : 1e12);
    this.#order += 1;
    const event: Event = { time, order: this.#order, run, owner, isCancelled: false };
    push(this.#heap, event);
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  at(time: number, run: () => void): Timer {
    return this.after(time - this.now, run);
  }

  /** **One event at a time**. Until the time, or until nothing is left to happen. */
  runUntil(end: number, isOver: () => boolean = () => false): void {
    runMicrotasks();
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.time > end || isOver()) break;
      pop(this.#heap);
      if (event.isCancelled || event.owner?.isDead === true) continue; // **A killed process does nothing more**
      this.now = event.time;
      this.events += 1;
      this.digest = (Math.imul(this.digest, 31) + event.time + event.order) | 0;
      event.run();
      runMicrotasks();
    }
    this.now = Math.max(this.now, end);
  }

  drain(): void {
    runMicrotasks();
  }
}

/** Runs a simulation to its end, as one event of Node, with its clock in place of the real one (**Time is simulated**). */
export async function simulate<T>(clock: Clock, work: () => T): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    realImmediate(() => {
      install(clock);
      const { stackTraceLimit } = Error;
      // Errors are values here, thousands of them, and their stacks would cost a fifth of the time.
      Error.stackTraceLimit = process.env['SEED'] === undefined ? 0 : stackTraceLimit;
      try {
        resolve(work());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      } finally {
        Error.stackTraceLimit = stackTraceLimit;
        uninstall();
      }
    });
  });
}

const activators = globalThis as { __TEMPORAL_ACTIVATOR__?: { now: number } | undefined };

function install(clock: Clock): void {
  const now = (): number => activators.__TEMPORAL_ACTIVATOR__?.now ?? clock.now;
  class VirtualDate extends REAL.Date {
    constructor(...parts: [] | [number | string | Date]) {
      if (parts.length === 0) super(now());
      else super(...(parts as [number]));
    }

    static override now(): number {
      return now();
    }
  }
  const timer = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): object => {
    const scope = scopes.getStore();
    const inScope = (): void => (scope === undefined ? run(...args) : scopes.run(scope, () => run(...args)));
    return new Handle(clock, ms, inScope, scope?.owner, false);
  };
  const interval = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): object => {
    const scope = scopes.getStore();
    const inScope = (): void => (scope === undefined ? run(...args) : scopes.run(scope, () => run(...args)));
    return new Handle(clock, ms, inScope, scope?.owner, true);
  };
  const clear = (handle: unknown): void => {
    if (handle instanceof Handle) handle.clear();
  };
  Object.assign(globalThis, {
    Date: VirtualDate,
    setTimeout: timer,
    clearTimeout: clear,
    setInterval: interval,
    clearInterval: clear,
  });
  const start = clock.now;
  performance.now = () => now() - start;
}

function uninstall(): void {
  const { now, ...timers } = REAL;
  Object.assign(globalThis, timers);
  performance.now = now;
}

/** Of a virtual timer, as much of Node's `Timeout` as is used. */
class Handle {
  #timer: Timer | undefined;

  constructor(clock: Clock, ms: number, run: () => void, owner: Owner | undefined, repeats: boolean) {
    const set = (): void => {
      this.#timer = clock.after(
        ms,
        () => {
          if (repeats) set();
          run();
        },
        owner,
      );
    };
    set();
  }

  clear(): void {
    this.#timer?.cancel();
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

function push(heap: Event[], event: Event): void {
  let index = heap.push(event) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(event, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const [left, right] = [index * 2 + 1, index * 2 + 2];
    let child = left;
    const [first, second] = [heap[left], heap[right]];
    if (first === undefined) break;
    if (second !== undefined && isBefore(second, first)) child = right;
    const below = heap[child];
    if (below === undefined || !isBefore(below, last)) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = last;
}
