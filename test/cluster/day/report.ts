import type { LogEntry } from '../../../src/simulator/index.ts';
import type { DayRun, LifeAccount } from './judge.ts';
import type { Troubles } from './troubles.ts';

interface Latency {
  what: string;
  ms: number;
  isCalm: boolean;
}

export interface Costs {
  seconds: number;
  /** By kind of part. */
  cpuMs: ReadonlyMap<string, number>;
  databaseBytes: number;
}

/** What is measured in a day, for people. The judge reads none of it. */
export class Report {
  readonly #troubles: Troubles;
  readonly #latencies: Latency[] = [];
  readonly #failures = new Map<string, number>();
  readonly #missed = new Map<string, number>();

  constructor(troubles: Troubles) {
    this.#troubles = troubles;
  }

  took(what: string, since: number): void {
    this.#latencies.push({ what, ms: Math.max(0, Date.now() - since), isCalm: this.#troubles.isCalm(since) });
  }

  failed(type: string): void {
    this.#failures.set(type, (this.#failures.get(type) ?? 0) + 1);
  }

  /** In troubled times. */
  missed(what: string): void {
    this.#missed.set(what, (this.#missed.get(what) ?? 0) + 1);
  }

  /** Latencies as a table of Markdown. */
  latencies(): string {
    const kinds = [...new Set(this.#latencies.map(({ what }) => what))].toSorted();
    const rows = kinds.map((kind) => {
      const cells = [true, false].map((isCalm) => {
        const times = this.#latencies.filter((one) => one.what === kind && one.isCalm === isCalm).map(({ ms }) => ms);
        return toldOf(times);
      });
      return `| ${[kind, ...cells].join(' | ')} |`;
    });
    const head = '| how long it took: median, 95th percentile, most (number) | in calm times | in troubled times |';
    return [head, '|---|---|---|', ...rows].join('\n');
  }

  /** Costs as a table of Markdown. */
  costs(calls: number, runs: readonly DayRun[], { seconds, cpuMs, databaseBytes }: Costs): string {
    const operations = runs.filter(({ type }) => type === 'mute' || type === 'unmute');
    const per = (value: number, digits = 0): string =>
      `${(value / calls).toFixed(digits)}, ${(value / Math.max(1, operations.length)).toFixed(digits)}`;
    const kinds = [...new Set(runs.map(({ type }) => type))].toSorted();
    const total = [...cpuMs.values()].reduce((sum, ms) => sum + ms, 0);
    const rows = [
      ['calls', `${calls} in ${Math.round(seconds)} s`],
      ['operations', `${operations.length}, ${(operations.length / seconds).toFixed(1)} a second`],
      ['runs', kinds.map((kind) => `${runs.filter(({ type }) => type === kind).length} ${kind}`).join(', ')],
      ['outcomes of operations', countsOf(operations.map(({ outcome }) => outcome))],
      ['failures that callers met', pairsOf(this.#failures)],
      ['not done in troubled times', pairsOf(this.#missed)],
      ['CPU a call, an operation', `${per(total)} ms`],
      ...[...cpuMs].map(([kind, ms]) => [`- ${kind}`, `${per(ms)} ms`]),
      ['database a call, an operation', `${per(databaseBytes / 1_024, 1)} KiB`],
      ['events an operation', (sumOf(operations.map(({ events }) => events)) / operations.length).toFixed(1)],
      ['events of all runs a call', (sumOf(runs.map(({ events }) => events)) / calls).toFixed(1)],
    ];
    return ['| | |', '|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');
  }
}

function toldOf(times: readonly number[]): string {
  if (times.length === 0) return '';
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => ((sorted[Math.floor(sorted.length * share)] ?? 0) / 1_000).toFixed(2);
  return `${at(0.5)}, ${at(0.95)}, ${((sorted.at(-1) ?? 0) / 1_000).toFixed(2)} s (${times.length})`;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function countsOf(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return pairsOf(counts);
}

function pairsOf(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ') || 'none';
}

/** All that happened on a call, in order, with the runs of its operations: for whoever looks into a violation. */
export function storyOf({ callId, kind, log }: LifeAccount, runs: readonly DayRun[]): string {
  const events = [
    ...log.map((entry) => ({ at: entry.startedAt, what: wordsOf(entry) })),
    ...runs.flatMap(({ type, startedAt, closedAt, outcome }) => [
      { at: startedAt, what: `run of ${type} begins` },
      ...(closedAt === undefined ? [] : [{ at: closedAt, what: `run of ${type} ends: ${outcome}` }]),
    ]),
  ].toSorted((a, b) => a.at - b.at);
  const lines = events.map(({ at, what }) => `  ${new Date(at).toISOString().slice(11, 23)} ${what}`);
  return [`Call ${callId} [${kind}]:`, ...lines].join('\n');
}

function wordsOf(entry: LogEntry): string {
  if (entry.type === 'request') {
    return `${entry.name}: ${entry.status ?? entry.outcome ?? 'no answer'}, effect ${entry.effect ?? 'none'}`;
  }
  if (entry.type === 'change') {
    return `change ${entry.participantId ?? ''} ${entry.state ?? `serverMuted ${entry.serverMuted ?? '-'}`}`;
  }
  const { kind, state = '', outcome = 'no answer', own } = entry;
  return `notification ${kind} ${state}: ${outcome} ${own ? `(isMuted ${own.isMuted})` : ''}`;
}
