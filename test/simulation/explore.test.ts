import { test } from 'vitest';
import { judge } from './judge.ts';
import { play } from './play.ts';
import { scenarioOf } from './scenario.ts';
import { rulesOf, tell } from './search.ts';

test('explore', async () => {
  const first = Number(process.env['FIRST'] ?? 1);
  const count = Number(process.env['COUNT'] ?? 100);
  const stats: Record<string, number[]> = {};
  const rules: Record<string, number[]> = {};
  for (let seed = first; seed < first + count; seed++) {
    const cpu = process.cpuUsage();
    const scenario = scenarioOf(seed);
    if (process.env['THEME'] && scenario.theme !== process.env['THEME']) continue;
    let violations: string[];
    try {
      violations = judge(await play(scenario));
    } catch (error) {
      violations = [`(x) ${(error as Error).stack}`];
    }
    const { user, system } = process.cpuUsage(cpu);
    (stats[scenario.theme] ??= []).push((user + system) / 1000);
    if (violations.length > 0) {
      (rules[scenario.theme + ' ' + rulesOf(violations)] ??= []).push(seed);
      if (process.env['TELL'] || violations.some((v) => /^\((x|t)/.test(v))) console.log(tell({ seed, scenario, violations }));
    }
  }
  for (const [theme, times] of Object.entries(stats)) console.log(theme, times.length, 'mean', (times.reduce((a, b) => a + b, 0) / times.length).toFixed(0), 'max', Math.max(...times).toFixed(0));
  console.log(JSON.stringify(rules, null, 1));
});
