import { spawn, type ChildProcess } from 'node:child_process';
import { copyFile, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Environment } from '../../src/lib/environment.ts';
import { bundleIn, compile } from './compile.ts';

/**
 * The service as it is deployed: processes of their own, started from a build and with nothing but the environment's
 * variables. What runs in the test's own process cannot be killed.
 */

/** A line of a process's log. */
export interface LogLine {
  level: number;
  msg: string;
  [field: string]: unknown;
}

export class Build {
  readonly #folder: string;
  readonly #isShared: boolean;
  readonly #processes: Process[] = [];

  private constructor(folder: string, isShared: boolean) {
    this.#folder = folder;
    this.#isShared = isShared;
  }

  /** The build that all test files use. */
  static shared(): Build {
    return new Build(inject('build'), true);
  }

  /** A build with other workflows. */
  static async make(bundle: string): Promise<Build> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'call-moderation-build-')));
    await compile(folder);
    await copyFile(bundle, bundleIn(folder));
    return new Build(folder, false);
  }

  /** Where the compiled files are. */
  get dist(): string {
    return join(this.#folder, 'dist');
  }

  /** A process that may or may not come up. */
  start(what: 'worker' | 'webhook' | 'gateway', env: Environment): Process {
    const started = new Process(join(this.dist, `${what}.js`), env);
    this.#processes.push(started);
    return started;
  }

  /** Ends what still runs. */
  async remove(): Promise<void> {
    await Promise.all(this.#processes.map(async (started) => await started.kill()));
    if (!this.#isShared) await rm(this.#folder, { recursive: true });
  }
}

/** A test that fails may not come to end what it has started. */
const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class Process {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;
  readonly #watchers = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  #isOver = false;

  constructor(script: string, env: Environment) {
    // Nothing of the environment of the tests, but where programs are found.
    const own = { PATH: process.env['PATH'], LOG_LEVEL: 'info' };
    this.#child = spawn(process.execPath, [script], { env: { ...own, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(() => (this.#stdout += text)));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#hear(() => (this.#stderr += text)));
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // `close` and not `exit`: only then has everything been read that the process wrote.
      this.#child.once('close', (code, signal) => {
        this.#hear(() => (this.#isOver = true));
        resolve(code ?? signal ?? 0);
      });
    });
    this.#ended.catch(() => undefined);
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get log(): LogLine[] {
    const lines = this.#stderr.split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
  }

  /** Root of the address where the worker serves its health. */
  get healthUrl(): string {
    const line = this.#logged('worker is polling');
    if (line === undefined) throw new Error('the worker does not poll yet');
    const { host, port } = line['health'] as { host: string; port: number };
    return `http://${host}:${port}`;
  }

  /** Until it has logged `msg`; not for longer than it runs. */
  async untilLogged(msg: string, ms = 30_000): Promise<LogLine> {
    await this.#until(() => this.#isOver || this.#logged(msg) !== undefined, ms);
    const line = this.#logged(msg);
    if (line === undefined) throw new Error(`the process has not logged '${msg}': ${this.#stderr || 'nothing at all'}`);
    return line;
  }

  /** Freezes it: its sockets stay open and take what comes, and nothing is answered. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  /** Ends it without a word of warning. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Asks it to end. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** Its exit code, or the signal that it has died of. */
  async ended(): Promise<number | NodeJS.Signals> {
    return await this.#ended;
  }

  #logged(msg: string): LogLine | undefined {
    return this.log.find((line) => line.msg === msg);
  }

  #hear(take: () => void): void {
    take();
    for (const watcher of this.#watchers) watcher();
  }

  async #until(holds: () => boolean, ms: number): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        resolve();
      }, ms);
      this.#watchers.add(look);
    });
  }
}
