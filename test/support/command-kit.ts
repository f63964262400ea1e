import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import type { Environment } from '../../src/lib/environment.ts';

/**
 * The commands as people run them: processes of their own, from the build, with nothing of this one's environment but
 * where programs are found. From the sources each would take one second of a processor more.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));

export const BIN = 'cli/bin.js';

export interface Ended {
  /** The exit code, or the signal that it has died of. */
  code: number | NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** How long it ran. */
  ms: number;
}

const commands = new Set<Command>();

/** Ends what a test that failed has left. */
export async function killCommands(): Promise<void> {
  for (const command of commands) await command.kill();
}

export class Command {
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  #isOver = false;

  /** A script of `dist` with `args`; `node` goes to Node itself. */
  constructor(script: string, args: readonly string[], env: Environment, node: readonly string[] = []) {
    commands.add(this);
    const started = Date.now();
    const { PATH, HOME } = process.env;
    this.#child = spawn(process.execPath, [...node, join(inject('build'), 'dist', script), ...args], {
      cwd: root,
      env: { PATH, HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that it can be sent what a terminal sends.
      detached: true,
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(() => (this.stdout += text)));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#hear(() => (this.stderr += text)));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#hear(() => (this.#isOver = true));
        commands.delete(this);
        resolve({ code: code ?? signal, stdout: this.stdout, stderr: this.stderr, ms: Date.now() - started });
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the command could not be started');
    return this.#child.pid;
  }

  /** Until it has printed `what`; not for longer than it runs. */
  async untilSaid(what: RegExp): Promise<RegExpExecArray> {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const found = what.exec(this.stdout) ?? what.exec(this.stderr);
        if (found === null && !this.#isOver) return;
        this.#watchers.delete(look);
        if (found === null) reject(new Error(`it ended and did not say ${what}: ${this.stdout}${this.stderr}`));
        else resolve(found);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** As Ctrl-C does it: to the whole group. */
  interrupt(): void {
    this.#signal('SIGINT');
  }

  /** Asks the process alone to end. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.ended;
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#isOver) process.kill(-this.pid, signal);
  }

  #hear(take: () => void): void {
    take();
    for (const watcher of this.#watchers) watcher();
  }
}
