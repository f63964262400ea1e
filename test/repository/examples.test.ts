import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { current, fencesOf, ROOT, type Fence } from './pages.ts';

/** What the examples take for granted. */
const SURROUNDINGS = `
declare const callId: string, chairId: string, runId: string, appId: string;
declare const bot: { process(body: Buffer, request: unknown): Promise<void>; handle(req: unknown, res: unknown): void };
declare const log: import('call-moderation/webhook').Log;
`;

/** A page's blocks share what they declare only in their own scope; a block that makes no client is given one. */
function moduleOf({ code }: Fence): string {
  const imports = code.match(/^import .*;.*$/gm) ?? [];
  const rest = code.replaceAll(/^import .*;.*$/gm, '');
  const given = [
    ...(/\bmoderation =|\{ moderation \}/.test(code)
      ? []
      : [`declare const moderation: import('call-moderation').ModerationClient;`]),
    ...(/\bclient = |new Client/.test(code) ? [] : [`declare const client: import('@temporalio/client').Client;`]),
  ];
  return [...imports, SURROUNDINGS, ...given, `export async function example() {\n${rest}\n}\n`].join('\n');
}

test('every TypeScript example compiles', async () => {
  const examples = current.flatMap(fencesOf).filter(({ language }) => language === 'ts');
  expect(examples.length).toBeGreaterThan(5);
  const folder = join(ROOT, '.cache/examples');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const names = examples.map(({ page }, index) => `${page.replaceAll(/[^a-z]/gi, '-')}-${index + 1}.ts`);
  await Promise.all(
    examples.map(async (example, index) => await writeFile(join(folder, names[index] ?? ''), moduleOf(example))),
  );
  const source = (path: string): string[] => [`../../src/${path}/index.ts`.replace('/./', '/')];
  const paths = {
    'call-moderation': source('.'),
    'call-moderation-client': source('.'),
    'call-moderation/nexus': ['../../src/nexus/contract.ts'],
    'call-moderation/webhook': source('webhook'),
    'call-moderation/workflows': source('workflows'),
    'call-moderation/simulator': source('simulator'),
  };
  const compilerOptions = { paths, rootDir: '../..' };
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
  );
  const compiled = await promisify(execFile)(process.execPath, [
    join(ROOT, 'node_modules/typescript/bin/tsc'),
    '-p',
    folder,
  ]).catch((error: { stdout: string }) => error);
  expect(compiled.stdout).toBe('');
  await rm(folder, { recursive: true });
});
