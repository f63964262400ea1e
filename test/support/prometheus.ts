import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../../src/lib/free-port.ts';

const run = promisify(execFile);

/** A series of a query's result, at one moment. */
export interface Sample {
  metric: Record<string, string>;
  value: number;
}

export interface Rule {
  name: string;
  health: string;
  state: 'inactive' | 'pending' | 'firing';
  lastError?: string;
}

/** A real Prometheus that scrapes every second and evaluates our rules as often. */
export class Prometheus {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** `jobs`: host and port of each by its name. */
  static async start(program: string, jobs: Record<string, string>, rules: string): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'call-moderation-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    await writeFile(
      file,
      stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [rules],
        scrape_configs: Object.entries(jobs).map(([job, target]) => ({
          job_name: job,
          static_configs: [{ targets: [target] }],
        })),
      }),
    );
    const address = `127.0.0.1:${await freePort()}`;
    const flags = [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`];
    const child = spawn(program, [...flags, `--web.listen-address=${address}`, '--log.level=error'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const prometheus = new Prometheus(`http://${address}`, child, folder);
    const isReady = async (): Promise<boolean> =>
      await fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await vi.waitUntil(isReady, { timeout: 30_000, interval: 100 });
    return prometheus;
  }

  async query(expression: string): Promise<Sample[]> {
    const response = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const answer = (await response.json()) as {
      error?: string;
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (!response.ok) throw new Error(`${expression}: ${answer.error}`);
    return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  async rules(): Promise<Rule[]> {
    const response = await fetch(`${this.url}/api/v1/rules`);
    const { data } = (await response.json()) as { data: { groups: { rules: Rule[] }[] } };
    return data.groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
    await rm(this.#folder, { recursive: true });
  }
}

/** A series of numbers, in promtool's notation, and when to look. */
export interface Scenario {
  series: Record<string, string>;
  minutes: number;
}

/** Lets promtool play each scenario to the rules, and expects its alert to fire. */
export async function expectFires(promtool: string, rules: string, scenarios: Record<string, Scenario>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'call-moderation-promtool-'));
  const file = join(folder, 'test.yml');
  const tests = Object.entries(scenarios).map(([name, { series, minutes }]) => ({
    interval: '1m',
    input_series: Object.entries(series).map(([one, values]) => ({ series: one, values })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${name}",alertstate="firing"})`,
        eval_time: `${minutes}m`,
        exp_samples: [{ labels: '{}', value: 1 }],
      },
    ],
  }));
  await writeFile(file, stringify({ rule_files: [rules], evaluation_interval: '1m', tests }));
  try {
    await run(promtool, ['test', 'rules', file]);
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout, { cause: error });
  } finally {
    await rm(folder, { recursive: true });
  }
}
