import { join } from 'node:path';
import type { LogEntry } from '../src/simulator/index.ts';
import { Process } from './process.ts';

/** The Graph simulator in a process of its own, driven over its control API. */

const TOKEN = 'token-of-the-benchmark';

/** How long after its answer Graph tells the roster. */
const NOTIFIED_AFTER_MS = 20;

export class Simulator {
  readonly token = TOKEN;
  readonly url: string;
  readonly openIdUrl: string;
  readonly appId: string;
  readonly #process: Process;

  private constructor(process: Process, { url, openIdUrl, appId }: { url: string; openIdUrl: string; appId: string }) {
    this.#process = process;
    this.url = url;
    this.openIdUrl = openIdUrl;
    this.appId = appId;
  }

  static async start(folder: string): Promise<Simulator> {
    const script = join(folder, 'src/simulator/main.js');
    const child = new Process('the simulator', { script, args: ['--token', TOKEN] });
    try {
      return new Simulator(child, JSON.parse(await child.firstLine()) as Simulator);
    } catch (error) {
      await child.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Group calls of three, the application unmuted. */
  async createCalls(callbackUri: string, count: number): Promise<string[]> {
    const faults = { notifications: [{ delayMs: NOTIFIED_AFTER_MS, times: 'forever' }] };
    const ids: string[] = [];
    while (ids.length < count) {
      const response = await fetch(`${this.url}/simulator/calls`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ callbackUri, faults }),
      });
      if (response.status !== 201) throw new Error(`The simulator made no call: ${await response.text()}`);
      ids.push(((await response.json()) as { id: string }).id);
    }
    return ids;
  }

  async log(callId: string): Promise<LogEntry[]> {
    const response = await fetch(`${this.url}/simulator/calls/${callId}/log`);
    return ((await response.json()) as { value: LogEntry[] }).value;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
