import { percentile, sum, type Counted, type Sample } from './measure.ts';
import type { Step } from './timeline.ts';

/** What the benchmark found of one contender. */
export interface Findings {
  name: string;
  sequential: Sample;
  concurrent: Sample;
  counted: Counted[];
  /** Requests to Temporal's frontend an operation, by kind. */
  requests: Record<string, number>;
  timeline: Step[];
}

export interface Figures {
  p50: number;
  p99: number;
  perSecond: number;
  /** CPU ms a confirmed operation, by part. */
  cpu: Record<string, number>;
  /** Of all parts but the simulator, which stands for Graph. */
  cpuTotal: number;
  faults: number;
  /** Share of the machine's CPU that others used meanwhile. */
  foreign: number;
}

export function figuresOf({ timings, confirmed, elapsedMs, cpu, faults, ...machine }: Sample): Figures {
  const latencies = timings.map(({ startedAt, endedAt }) => endedAt - startedAt);
  const each = Object.fromEntries(Object.entries(cpu).map(([part, ms]) => [part, ms / confirmed]));
  return {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    perSecond: (confirmed / elapsedMs) * 1_000,
    cpu: each,
    cpuTotal: sum(each) - (each['simulator'] ?? 0),
    faults: faults.length,
    foreign: machine.foreignMs / machine.machineMs,
  };
}

const PARTS = ['server', 'worker', 'webhook', 'client', 'simulator'] as const;

export function modeTable(title: string, mode: 'sequential' | 'concurrent', findings: readonly Findings[]): string {
  const header = [
    '',
    'p50 ms',
    'p99 ms',
    'ops/s',
    ...PARTS.map((part) => `${part} CPU`),
    'CPU/op',
    'errors',
    'foreign',
  ];
  const rows = findings.map(({ name, ...samples }) => {
    const { p50, p99, perSecond, cpu, cpuTotal, faults, foreign } = figuresOf(samples[mode]);
    const parts = PARTS.map((part) => fixed(cpu[part]));
    return [
      name,
      fixed(p50),
      fixed(p99),
      fixed(perSecond),
      ...parts,
      fixed(cpuTotal),
      String(faults),
      percent(foreign),
    ];
  });
  return `${title}\n${table([header, ...rows])}`;
}

const COUNTS = [
  ['events', 'events'],
  ['workflowTasks', 'WF tasks'],
  ['activityTasks', 'activities'],
  ['localActivities', 'local'],
  ['timers', 'timers'],
  ['signals', 'signals'],
  ['upserts', 'upserts'],
  ['billableActions', 'billable'],
  ['visibilityWrites', 'visibility'],
  ['graphRequests', 'to Graph'],
  ['notifications', 'notified'],
] as const;

export function countTable(findings: readonly Findings[]): string {
  const header = ['', ...COUNTS.map(([, title]) => title), 'to Temporal'];
  const rows = findings.map(({ name, counted, requests }) => {
    const columns = COUNTS.map(([key]) => range(counted.map(({ counts }) => counts[key])));
    return [name, ...columns, fixed(sum(requests))];
  });
  const note =
    '(requests to Temporal as the server counts them, polls among them; the rest by history and log; all one at a time)';
  return `Exact counts an operation ${note}\n${table([header, ...rows])}`;
}

/** Ratios of everything but the floor and `base` to `base`. */
export function ratioTable(findings: readonly Findings[], base: Findings, floor: Findings): string {
  const ground = figuresOf(floor.sequential).p50;
  const overhead = ({ sequential }: Findings): number => figuresOf(sequential).p50 - ground;
  const header = ['', 'overhead p50', 'ops/s', 'CPU/op, one at a time', 'CPU/op, many at once'];
  const rows = findings
    .filter((each) => each !== base && each !== floor)
    .map((each) => {
      const ratio = (of: (figures: Figures) => number, mode: 'sequential' | 'concurrent'): string =>
        fixed(of(figuresOf(each[mode])) / of(figuresOf(base[mode])), 2);
      return [
        each.name,
        fixed(overhead(each) / overhead(base), 2),
        ratio(({ perSecond }) => perSecond, 'concurrent'),
        ratio(({ cpuTotal }) => cpuTotal, 'sequential'),
        ratio(({ cpuTotal }) => cpuTotal, 'concurrent'),
      ];
    });
  return `Ratios to ${base.name} (overhead: p50 above the floor's, one at a time)\n${table([header, ...rows])}`;
}

export function timelineTable({ name, timeline }: Findings): string {
  const rows = timeline.map(({ what, atMs, tookMs }) => [what, fixed(atMs), fixed(tookMs)]);
  return `Where the time of an operation goes: ${name}, one at a time, medians\n${table([['', 'at ms', 'took ms'], ...rows])}`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return rows.map(line).join('\n');
}

function range(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) return '-';
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return least === most ? String(least) : `${least} to ${most}`;
}

function fixed(value: number | undefined, digits = 1): string {
  return value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits);
}

function percent(value: number): string {
  return Number.isNaN(value) ? '-' : `${Math.round(value * 100)} %`;
}
