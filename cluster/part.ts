import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { descendantsOf } from './descendants.ts';
import { OperatorError } from '../src/lib/operator-error.ts';

/**
 * One program of the topology, kept running as a supervisor keeps it: it has been started, it is ready, and when it dies
 * by itself or is killed it is started again at the same address, until it is told to stop.
 *
 *     idle ── start ──▶ starting ── answers ──▶ ready ── dies ──▶ starting …
 *                          │                      │
 *                          └───────── stop ───────┴──▶ stopped
 *
 * P1: It leads a process group of its own, so that Ctrl-C reaches whoever started it and nobody else. A kill takes the
 *     children too: those of a PostgreSQL that is killed alone would finish what they are at.
 * P2: What it writes goes to a file and never through us, so that it does not stop when we do not read.
 * P3: It does not outlive this process, unless that is killed.
 */

export interface PartSpec {
  /** For people, and its log's file. */
  name: string;
  command: string;
  args: readonly string[];
  /** All that it gets: nothing is inherited. */
  env: Readonly<Record<string, string | undefined>>;
  /** Whom it runs as, where not as us. */
  user?: User | undefined;
  /** Its working folder. */
  cwd: string;
  log: string;
  /** Where Prometheus reads of it, if it does. */
  metricsUrl?: string;
  /** Whether it does its work; asked again and again until it does. May throw, which is a no. */
  isReady: () => Promise<boolean>;
  /** What asks it to end. */
  endsOn?: NodeJS.Signals;
  /** Told of deaths and returns. */
  onProgress?: ((message: string) => void) | undefined;
}

export interface User {
  uid: number;
  gid: number;
}

/** Thrown with the last lines that the program wrote. */
export class PartFailed extends OperatorError {
  override readonly name = 'PartFailed';
}

const READY_WITHIN_MS = 90_000;
const END_WITHIN_MS = 15_000;

/** Of a log, in a message: Go writes stacks. */
const MAX_WORDS = 1_000;

/** Between a death and the next start, as a supervisor pauses. */
const RESTART_PAUSE_MS = 250;

/** However this process ends, none of them outlives it (P3). */
const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => killAll(child)));

export class Part {
  readonly #spec: PartSpec;
  #child: ChildProcess | undefined;
  #isStopping = false;
  #deaths = 0;
  /** Settles when it is ready; a new one after each death. */
  #ready: Promise<void> = Promise.reject(new PartFailed('it was not started'));

  constructor(spec: PartSpec) {
    this.#spec = spec;
    this.#ready.catch(() => undefined);
  }

  get name(): string {
    return this.#spec.name;
  }

  get log(): string {
    return this.#spec.log;
  }

  get metricsUrl(): string | undefined {
    return this.#spec.metricsUrl;
  }

  /** Of the process that runs now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How often it has died without having been told to stop. */
  get deaths(): number {
    return this.#deaths;
  }

  /** @throws {PartFailed} where it ends, or is not ready in time */
  async start(): Promise<void> {
    this.#isStopping = false;
    this.#ready = this.#begin();
    this.#ready.catch(() => undefined);
    await this.#ready;
  }

  /** Until it is ready: at once, or once it has come back. */
  async ready(): Promise<void> {
    await this.#ready;
  }

  /** SIGKILL, sent before this returns; settles when it is dead. It comes back by itself. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || isOver(child)) return;
    const exited = once(child, 'exit');
    killAll(child);
    await exited;
  }

  /** Asks it to end, and ends it where it does not. It does not come back. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (child === undefined || isOver(child)) return;
    const exited = once(child, 'exit');
    child.kill(this.#spec.endsOn ?? 'SIGTERM');
    const late = setTimeout(() => killAll(child), END_WITHIN_MS);
    await exited;
    clearTimeout(late);
  }

  async #begin(): Promise<void> {
    const { command, args, env, user, cwd, log, name } = this.#spec;
    const file = openSync(log, 'a'); // P2
    const child = spawn(command, args, { env, cwd, ...user, stdio: ['ignore', file, file], detached: true }); // P1
    closeSync(file);
    this.#child = child;
    running.add(child); // P3
    const failed = new Promise<never>((_, reject) => {
      child.once('error', (error) => reject(new PartFailed(`${name} could not be started: ${error.message}`)));
    });
    failed.catch(() => undefined);
    let isReady = false;
    child.once('exit', (code, sign) => {
      running.delete(child);
      if (this.#isStopping || !isReady) return;
      this.#deaths += 1;
      this.#ready = this.#again(`has died (${sign ?? code})`);
      this.#ready.catch(() => undefined);
    });
    await Promise.race([this.#untilReady(child), failed]);
    isReady = true;
    // It may have died between its answer and now, when nobody would start it again.
    if (isOver(child) && !this.#isStopping) throw new PartFailed(`${name} has ended: ${await this.#lastWords()}`);
  }

  async #again(why: string): Promise<void> {
    const { name, onProgress } = this.#spec;
    onProgress?.(`${name} ${why}, and is started again …`);
    const since = Date.now();
    for (;;) {
      await sleep(RESTART_PAUSE_MS);
      if (this.#isStopping) return;
      try {
        await this.#begin();
        onProgress?.(`${name} is back after ${((Date.now() - since) / 1_000).toFixed(1)} s (process ${this.pid})`);
        return;
      } catch (error) {
        if (Date.now() - since > READY_WITHIN_MS) throw error;
      }
    }
  }

  async #untilReady(child: ChildProcess): Promise<void> {
    const { name, isReady } = this.#spec;
    const deadline = Date.now() + READY_WITHIN_MS;
    for (;;) {
      if (isOver(child)) {
        const how = child.signalCode ?? child.exitCode;
        throw new PartFailed(`${name} has ended (${how}) before it was ready: ${await this.#lastWords()}`);
      }
      if (await isReady().catch(() => false)) return;
      if (Date.now() > deadline) {
        killAll(child);
        throw new PartFailed(`${name} does not get ready: ${await this.#lastWords()}`);
      }
      await sleep(50);
    }
  }

  async #lastWords(): Promise<string> {
    const text = await readFile(this.#spec.log, 'utf8').catch(() => '');
    return text.trim().split('\n').slice(-5).join('\n').slice(-MAX_WORDS) || 'it wrote nothing';
  }
}

function isOver({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null || pid === undefined;
}

/** SIGKILL to it and to all that came of it, itself first, for it would replace them. */
function killAll({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  for (const one of [-pid, ...descendantsOf(pid).map((entry) => entry.pid)]) {
    try {
      process.kill(one, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }
}
