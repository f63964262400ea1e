import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The check for known vulnerabilities says what it has found, and that it has found nothing out where nobody answers. */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'call-moderation-audit-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

/** Runs the check with an `npm` that answers `answer`. */
async function audit(answer: unknown, ...args: string[]): Promise<{ code: number; said: string }> {
  await writeFile(join(folder, 'answer.json'), typeof answer === 'string' ? answer : JSON.stringify(answer));
  await writeFile(join(folder, 'npm'), `#!/bin/sh\ncat ${folder}/answer.json\nexit 1\n`);
  await chmod(join(folder, 'npm'), 0o755);
  const env = { PATH: `${folder}:${process.env['PATH']}` };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/audit.js', ...args], { env });
    return { code: 0, said: stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, said: stdout };
  }
}

const none = { info: 0, low: 0, moderate: 0, high: 0, critical: 0 };

test('no vulnerability passes, a low one too', async () => {
  expect(await audit({ metadata: { vulnerabilities: { ...none, low: 2 } }, vulnerabilities: {} })).toEqual({
    code: 0,
    said: 'Known vulnerabilities: 0 critical, 0 high, 0 moderate, 2 low.\n',
  });
});

test('a high one fails, with its name', async () => {
  const vulnerabilities = { leftpad: { name: 'leftpad', severity: 'high', fixAvailable: true } };
  const { code, said } = await audit({ metadata: { vulnerabilities: { ...none, high: 1 } }, vulnerabilities });
  expect(code).toBe(1);
  expect(said).toContain('high: leftpad (npm audit fix)');
});

test.each([
  ['an error', { statusCode: 405, message: 'POST https://registry.example/' }],
  ['no JSON', '<html>'],
  ['nothing', ''],
])('a registry that answers %s is told from one that has found nothing', async (_what, answer) => {
  const { code, said } = await audit(answer);
  expect(said).toMatch(/NOT CHECKED/);
  expect(said).not.toContain('registry.example');
  expect(code).toBe(0);
  expect((await audit(answer, '--strict')).code).toBe(1);
});
