import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Load, LoadResult } from './load.ts';

/** A process of the benchmark's own: started, measured and ended here. */

const READY_WITHIN_MS = 60_000;
const END_WITHIN_MS = 25_000;

/** Whatever becomes of the benchmark, nothing of it stays. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Settings {
  script: string;
  args?: readonly string[];
  env?: Record<string, string>;
}

export class Process {
  readonly #child: ChildProcess;
  readonly #name: string;
  #said = '';

  constructor(name: string, { script, args = [], env = {} }: Settings) {
    this.#name = name;
    // Nothing of this process's environment, nor of its loader, but where programs are found.
    const own = { PATH: process.env['PATH'], ...env };
    this.#child = fork(script, args, { env: own, execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said = `${this.#said}${text}`.slice(-4_000);
      });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it tells of itself when it is ready. */
  async ready(): Promise<Record<string, string>> {
    return await this.#hear('ready', READY_WITHIN_MS);
  }

  /** The first line that it prints. */
  async firstLine(): Promise<string> {
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!this.#said.includes('\n')) {
      this.#requireAlive();
      if (Date.now() > deadline) throw this.#fault('says nothing');
      await sleep(20);
    }
    return this.#said.slice(0, this.#said.indexOf('\n'));
  }

  /** Until an address of it answers 200. */
  async answers(url: string): Promise<void> {
    const deadline = Date.now() + READY_WITHIN_MS;
    for (;;) {
      this.#requireAlive();
      const status = await fetch(url).then(
        async (response) => {
          await response.arrayBuffer();
          return response.status;
        },
        () => 0,
      );
      if (status === 200) return;
      if (Date.now() > deadline) throw this.#fault('does not become ready');
      await sleep(50);
    }
  }

  /** Has a client carry out a block of operations. */
  async carryOut(load: Load, withinMs: number): Promise<LoadResult> {
    this.#child.send(load);
    return await this.#hear('result', withinMs);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), END_WITHIN_MS);
    await exited;
    clearTimeout(late);
  }

  async #hear<T>(what: string, withinMs: number): Promise<T> {
    this.#requireAlive();
    return await new Promise<T>((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(late);
        this.#child.off('message', take);
        this.#child.off('exit', end);
      };
      const take = (message: Record<string, T>): void => {
        const value = message[what];
        if (value === undefined) return;
        stop();
        resolve(value);
      };
      const end = (): void => {
        stop();
        reject(this.#fault('has ended'));
      };
      const late = setTimeout(() => {
        stop();
        reject(this.#fault(`tells no ${what} within ${withinMs} ms`));
      }, withinMs);
      this.#child.on('message', take);
      this.#child.on('exit', end);
    });
  }

  #requireAlive(): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw this.#fault('has ended');
  }

  #fault(what: string): Error {
    return new Error(`${this.#name} ${what}: ${this.#said.trim() || 'it has said nothing'}`);
  }
}

/** Linux counts CPU time in ticks of 10 ms, whatever its clock. */
const MS_PER_TICK = 10;

/** CPU time of a process so far, in ms; nothing where the system does not tell. */
export function cpuOf(pid: number): number | undefined {
  const fields = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** CPU time that all processes of the machine have used, and that there was, in ms. */
export function cpuOfMachine(): { used: number; total: number } | undefined {
  const line = read('/proc/stat')?.split('\n')[0];
  if (line === undefined) return undefined;
  // user, nice, system, idle, iowait, irq, softirq, steal; guests count in user already.
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, each) => sum + each, 0);
  return { used: (total - (ticks[3] ?? 0) - (ticks[4] ?? 0)) * MS_PER_TICK, total: total * MS_PER_TICK };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
