import { defaultPayloadConverter } from '@temporalio/common';
import { GRPC, grpcError } from './grpc.ts';
import type { Run } from './run.ts';
import type { Server } from './server.ts';

/**
 * Temporal's lists. Each change of a run reaches them later, by itself: so a list may show a run that has closed, and not
 * yet one that runs, and the changes of two runs in another order than they happened. The newest state of one run wins.
 * Open runs come first, then those that closed last; a page begins after the last entry of the one before, as on SQL.
 */
export interface Listed {
  run: Run;
  status: number;
  closedAt: number | undefined;
  attributes: Run['attributes'];
  memo: Run['memo'];
}

type Filter = (entry: Listed) => boolean;

const STATUS_NAMES: Readonly<Record<number, string>> = {
  1: 'Running',
  2: 'Completed',
  3: 'Failed',
  4: 'Canceled',
  5: 'Terminated',
  6: 'ContinuedAsNew',
  7: 'TimedOut',
};

export class Visibility {
  /** How long a change takes, at most. */
  lagMs = 300;
  failsUntil = 0;
  readonly #server: Server;
  readonly #entries = new Map<string, Listed & { version: number }>();
  readonly #filters = new Map<string, Filter>();
  #versions = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  changed(run: Run): void {
    this.#versions += 1;
    const version = this.#versions;
    const { status, closedAt } = run;
    const entry = { run, status, closedAt, attributes: { ...run.attributes }, memo: { ...run.memo }, version };
    // Where lists lag, all of a run lags: what comes soon would show that it is there.
    const least = this.lagMs > 1_000 ? this.lagMs / 2 : 1;
    this.#server.after(this.#server.random.int(least, this.lagMs), () => {
      if ((this.#entries.get(run.runId)?.version ?? 0) < version) this.#entries.set(run.runId, entry);
    });
  }

  list(query: string, pageSize: number, token: string): { entries: Listed[]; token: string } {
    if (this.#server.clock.now < this.failsUntil) throw grpcError(GRPC.unavailable, 'visibility is not there');
    let filter = this.#filters.get(query);
    if (filter === undefined) {
      filter = new Parser(query).parse();
      this.#filters.set(query, filter);
    }
    const all = [...this.#entries.values()].filter(filter).toSorted((a, b) => compare(placeOf(a), placeOf(b)));
    const after = token === '' ? undefined : (JSON.parse(token) as Place);
    const rest = after === undefined ? all : all.filter((entry) => compare(after, placeOf(entry)) < 0);
    const entries = rest.slice(0, pageSize);
    const last = entries.at(-1);
    return { entries, token: rest.length > entries.length && last !== undefined ? JSON.stringify(placeOf(last)) : '' };
  }
}

type Place = [closedAt: number, startedAt: number, order: number];

function placeOf({ run, closedAt }: Listed): Place {
  return [closedAt ?? Number.MAX_SAFE_INTEGER, run.startedAt, run.order];
}

function compare(a: Place, b: Place): number {
  return b[0] - a[0] || b[1] - a[1] || b[2] - a[2];
}

/** The list filters of Temporal, as much as the service writes: AND, OR, NOT, =, !=, IN, IS NULL, STARTS_WITH, >, <. */
class Parser {
  readonly #tokens: string[];
  #at = 0;

  constructor(query: string) {
    this.#tokens = query.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[A-Za-z_][\w.]*|!=|>=|<=|[=<>(),]/g) ?? [];
  }

  parse(): Filter {
    if (this.#tokens.length === 0) return () => true;
    const filter = this.#or();
    if (this.#at < this.#tokens.length) throw grpcError(GRPC.invalidArgument, `invalid query near ${this.#peek()}`);
    return filter;
  }

  #peek(): string {
    return this.#tokens[this.#at] ?? '';
  }

  #take(): string {
    this.#at += 1;
    return this.#tokens[this.#at - 1] ?? '';
  }

  #is(word: string): boolean {
    if (this.#peek().toUpperCase() !== word) return false;
    this.#at += 1;
    return true;
  }

  #or(): Filter {
    const terms = [this.#and()];
    while (this.#is('OR')) terms.push(this.#and());
    return (entry) => terms.some((term) => term(entry));
  }

  #and(): Filter {
    const terms = [this.#term()];
    while (this.#is('AND')) terms.push(this.#term());
    return (entry) => terms.every((term) => term(entry));
  }

  #term(): Filter {
    if (this.#is('(')) {
      const inner = this.#or();
      this.#is(')');
      return inner;
    }
    if (this.#is('NOT')) {
      const inner = this.#term();
      return (entry) => !inner(entry);
    }
    const name = this.#take();
    if (this.#is('IS')) {
      const isNot = this.#is('NOT');
      this.#take();
      return (entry) => (valuesOf(entry, name).length === 0) !== isNot;
    }
    const isNegated = this.#is('NOT');
    const test = this.#comparison();
    return (entry) => valuesOf(entry, name).some(test) !== isNegated;
  }

  #comparison(): (value: string) => boolean {
    if (this.#is('IN')) {
      const values = new Set<string>();
      this.#is('(');
      while (!this.#is(')')) if (!this.#is(',')) values.add(unquoted(this.#take()));
      return (value) => values.has(value);
    }
    const operator = this.#take().toUpperCase();
    const wanted = unquoted(this.#take());
    if (operator === '=') return (value) => value === wanted;
    if (operator === '!=') return (value) => value !== wanted;
    if (operator === 'STARTS_WITH') return (value) => value.startsWith(wanted);
    if (operator === '>' || operator === '>=')
      return (value) => value > wanted || (operator === '>=' && value === wanted);
    if (operator === '<' || operator === '<=')
      return (value) => value < wanted || (operator === '<=' && value === wanted);
    throw grpcError(GRPC.invalidArgument, `invalid query near ${operator}`);
  }
}

function unquoted(token: string): string {
  return /^['"]/.test(token) ? token.slice(1, -1).replaceAll(/\\(.)/g, '$1') : token;
}

function valuesOf({ run, status, closedAt, attributes }: Listed, name: string): string[] {
  switch (name) {
    case 'WorkflowType':
      return [run.start.type];
    case 'WorkflowId':
      return [run.start.workflowId];
    case 'RunId':
      return [run.runId];
    case 'TaskQueue':
      return [run.start.taskQueue];
    case 'ExecutionStatus':
      return [STATUS_NAMES[status] ?? ''];
    case 'StartTime':
      return [new Date(run.startedAt).toISOString()];
    case 'CloseTime':
      return closedAt === undefined ? [] : [new Date(closedAt).toISOString()];
    default: {
      const payload = attributes[name];
      if (payload === undefined) return [];
      const value: unknown = defaultPayloadConverter.fromPayload(payload);
      return (Array.isArray(value) ? (value as unknown[]) : [value]).flatMap((one) =>
        typeof one === 'string' ? [one] : one === null ? [] : [JSON.stringify(one)],
      );
    }
  }
}
