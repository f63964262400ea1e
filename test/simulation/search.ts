import { judge } from './judge.ts';
import { play } from './play.ts';
import { isFault, scenarioOf, type Scenario } from './scenario.ts';

export interface Found {
  seed: number;
  scenario: Scenario;
  violations: string[];
}

/** Plays a scenario and judges it. */
export async function tried(scenario: Scenario): Promise<string[]> {
  return judge(await play(scenario));
}

function ruleOf(violation: string): string {
  return violation.slice(0, violation.indexOf(':') + 1);
}

/** The rules that were broken, with the workflow type of a missed deadline. */
export function rulesOf(violations: readonly string[]): string {
  const rules = violations.map((violation) => /^([^:]+):(?: \S+ \((\w+)\) of)?/.exec(violation));
  return [...new Set(rules.map((rule) => `${rule?.[1]}${rule?.[2] === undefined ? '' : `:${rule[2]}`}`))]
    .toSorted()
    .join(', ');
}

/**
 * Takes away what is not needed for a violation of the same rule: steps first, in halves and then one by one, then what
 * steps say. Every order changes with each step, so a few seeds are tried for each.
 */
export async function shrunk({ scenario, violations }: Found, most = 300): Promise<Found> {
  const rule = ruleOf(violations[0] ?? '');
  let best: Found = { seed: scenario.seed, scenario, violations };
  let left = most;
  const attempt = async (candidate: Scenario): Promise<boolean> => {
    for (const seed of [candidate.seed, candidate.seed + 1_000_003]) {
      if (left <= 0) return false;
      left -= 1;
      const one = { ...candidate, seed };
      const found = (await tried(one)).filter((violation) => ruleOf(violation) === rule);
      if (found.length === 0) continue;
      best = { seed: best.seed, scenario: one, violations: found };
      return true;
    }
    return false;
  };
  for (let size = Math.ceil(scenario.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.scenario.steps.length;) {
      const steps = best.scenario.steps.toSpliced(at, size);
      if (!(await attempt({ ...best.scenario, steps }))) at += size;
    }
  }
  return best;
}

/** One line a step, for people. */
export function tell({ seed, scenario, violations }: Found): string {
  const steps = scenario.steps.map((step) => {
    const { at, kind, ...rest } = step;
    return `  ${(at / 1_000).toFixed(1).padStart(9)} s ${isFault(step) ? 'fault ' : ''}${kind} ${JSON.stringify(rest)}`;
  });
  const head = `SEED=${seed} (${scenario.theme}, ${scenario.start}, ${scenario.minutes} min, calls ${JSON.stringify(scenario.calls)})`;
  return [head, ...steps, ...violations.map((violation) => `  => ${violation}`)].join('\n');
}

export interface Searched {
  found: Found[];
  minutes: number;
  events: number;
  faults: number;
  operations: number;
}

/** Seeds from one number on, every `step`th of `count`. */
export async function search(first: number, count: number, step = 1): Promise<Searched> {
  const sum: Searched = { found: [], minutes: 0, events: 0, faults: 0, operations: 0 };
  for (let seed = first; seed < first + count; seed += step) {
    const scenario = scenarioOf(seed);
    const played = await play(scenario);
    const violations = judge(played);
    sum.minutes += scenario.minutes;
    sum.events += played.world.clock.events;
    sum.faults += scenario.steps.filter(isFault).length;
    sum.operations += played.world.server.runs.filter(
      ({ start }) => start.type === 'mute' || start.type === 'unmute',
    ).length;
    if (violations.length > 0) sum.found.push({ seed, scenario, violations });
  }
  return sum;
}
