import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { run } from '@stricli/core';
import { describe, expect, test } from 'vitest';
import { app } from '../../src/cli/app.ts';
import type { Context } from '../../src/cli/context.ts';
import { configWarnings } from '../../src/config/warnings.ts';
import { GraphSimulator } from '../../src/simulator/index.ts';

/**
 * What the documents name exists: links and headings, npm scripts, commands with their flags, and variables. Their
 * TypeScript compiles.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Page {
  /** From the repository's root. */
  path: string;
  text: string;
}

function filesBelow(folder: string, isWanted: (path: string) => boolean): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter(isWanted)
    .toSorted();
}

const pages: Page[] = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'test/simulation/README.md',
  ...filesBelow('docs', (path) => path.endsWith('.md')),
].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

const isChangelog = ({ path }: Page): boolean => path === 'CHANGELOG.md';

/** The CHANGELOG names what there was at the time. */
const current = pages.filter((page) => !isChangelog(page));

interface Fence {
  page: string;
  language: string;
  code: string;
}

function fencesOf({ path, text }: Page): Fence[] {
  const found = text.matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm);
  return [...found].map(([, language = '', code = '']) => ({ page: path, language, code }));
}

/** Everything that is set as code: blocks line by line, with continued lines joined and comments cut, and words in backticks. */
function codeOf(page: Page): string[] {
  const fences = fencesOf(page).flatMap(({ code }) => code.replaceAll(/\\\n\s*/g, '').split('\n'));
  const inline = page.text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/`([^`]+)`/g);
  return [...fences.map((line) => line.replace(/\s#.*$/, '')), ...[...inline].map(([, code = '']) => code)].map(
    (code) => code.replaceAll(/\s+/g, ' '),
  );
}

/** The anchor of a heading, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsIn(path: string): string[] {
  const text = readFileSync(path, 'utf8').replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

describe.each(pages)('$path', (page) => {
  test('links only to files and headings that exist', () => {
    const links = [...page.text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const dead = links
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? join(ROOT, page.path) : resolve(ROOT, dirname(page.path), path);
        return !existsSync(target) || (anchor !== undefined && !anchorsIn(target).includes(anchor));
      });
    expect(dead).toEqual([]);
  });
});

test('every file that the documents name exists', () => {
  const named = current.flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:src|test|docs|deploy|cluster|bench|scripts)\/[\w./-]*)`/g)].map(([, file = '']) => ({
      path,
      file,
    })),
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter(({ file }) => !existsSync(join(ROOT, file)))).toEqual([]);
});

test('every npm script that the documents name exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const named = current.flatMap((page) =>
    codeOf(page).flatMap((code) =>
      [...code.matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)].map(([, name = '']) => name),
    ),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});

/** The help of a command, with its hidden flags; `undefined` if there is no such command. */
async function helpOf(words: readonly string[]): Promise<string | undefined> {
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  // Stricli leaves a code that is there already.
  const process: Context['process'] = { stdout: { write }, stderr: { write }, env: {} };
  await run(app, [...words, '--helpAll'], { process });
  return Number(process.exitCode) === 0 ? text : undefined;
}

test('every command that the documents name exists, with its flags', async () => {
  const invocations = current.flatMap((page) =>
    codeOf(page).flatMap((code) =>
      [...code.matchAll(/(?:^|npx |\s|;)call-moderation ((?:[a-z][a-z-]*)(?: .*)?)$/g)].map(([, words = '']) => ({
        page: page.path,
        words,
      })),
    ),
  );
  expect(invocations.length).toBeGreaterThan(30);
  expect(await helpOf(['no-such-command'])).toBeUndefined();
  const wrong: string[] = [];
  for (const { page, words } of invocations) {
    const [command = '', sub = ''] = words.split(' ');
    const path = command === 'policy' && /^[a-z]/.test(sub) ? [command, sub] : [command];
    const help = await helpOf(path);
    const flags = [...words.matchAll(/(?<=\s)--([a-z][a-z-]*)/g)].map(([flag]) => flag);
    const unknown = help === undefined ? path : flags.filter((flag) => !help.includes(flag));
    if (unknown.length > 0) wrong.push(`${page}: call-moderation ${words}: ${unknown.join(' ')}`);
  }
  expect(wrong).toEqual([]);
});

describe('docs/configuration.md', () => {
  const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
  const rows = [...page.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([A-Za-z_]+)`/g)].map(([, name = '']) => name),
  );

  test('has every variable that the configuration reads', () => {
    const sources = filesBelow('src', (path) => /^src\/config(\.ts|\/.+\.ts)$/.test(path));
    const code = sources.map((path) => readFileSync(join(ROOT, path), 'utf8')).join('\n');
    const names = [...code.matchAll(/\b(?:MODERATION|AZURE|OTEL|LOG)_[A-Z_]*[A-Z]\b/g)].map(([name]) => name);
    expect(names.length).toBeGreaterThan(20);
    expect([...new Set(names)].filter((name) => name !== 'LOG_LEVELS' && !rows.includes(name))).toEqual([]);
  });

  test('has no variable that the configuration does not know', () => {
    const ours = rows.filter((name) => name.startsWith('MODERATION_'));
    expect(new Set(ours).size).toBe(ours.length);
    const warnings = configWarnings(Object.fromEntries(ours.map((name) => [name, 'x'])));
    expect(warnings.filter((warning) => warning.includes('is not known'))).toEqual([]);
    expect(configWarnings({ MODERATION_TASK_QUEU: 'x' }).join()).toContain('is not known');
  });

  test('is where every variable is explained that another page names', () => {
    const named = current.flatMap(({ text }) =>
      [...text.matchAll(/\bMODERATION_[A-Z_]*[A-Z]\b/g)].map(([name]) => name),
    );
    expect([...new Set(named)].filter((name) => !rows.includes(name))).toEqual([]);
  });
});

describe('docs/simulator.md', () => {
  const page = readFileSync(join(ROOT, 'docs/simulator.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z]+) (\/simulator\/\S+)` \| (?:`(.+?)` )?\|/gm)].map(
    ([, method = '', path = '', body]) => ({ method, path, body }),
  );

  test('has the requests of its table', () => {
    expect(rows.length).toBeGreaterThan(8);
  });

  test.each(rows)('$method $path', async ({ method, path, body }) => {
    const graph = await GraphSimulator.start();
    try {
      const { id } = graph.createCall({ callbackUri: 'http://127.0.0.1:9/api/calls' });
      const { participants } = graph.describe(id);
      const pid = participants.at(-1)?.id ?? '';
      const init = body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } };
      const answer = await fetch(graph.url + path.replace('PID', pid).replace('ID', id), {
        method,
        ...init,
      });
      expect(answer.status, await answer.text()).toBeLessThan(300);
    } finally {
      await graph.close();
    }
  });
});

/** Phrasings that make a reader start a sentence again, each with what to write instead. */
const HABITS: readonly [RegExp, string][] = [
  [/, for (?:it|they|we|there|nobody|nothing|without|what|whoever)\b/g, 'because'],
  [
    /\bwhere (?:it|they|nothing|nobody|none|no|there|that|this|one) (?:is|are|has|have|was|does|do|can|cannot|must)\b/gi,
    'if',
  ],
  [/\b(?:what|who|whom) (?:is|was|are|were) (?:told|hinted|shown|meant|asked)\b/gi, 'the noun'],
  [/\b(?:tells|hears|is told|are told|says so)\b/gi, 'reports, returns, receives'],
  [/\b(?:does|do) not hold\b|\bholds (?:when|where|if)\b/gi, 'is valid, is invalid'],
  [/\b(?:nothing|nobody|none) where (?:it|there|they)\b/gi, 'the positive case'],
  [/\b(?:comes|came) to (?:nothing|naught|what)\b|\bwhat (?:became|becomes|came) of\b/gi, 'the outcome'],
  [/\b(?:stands|stood) still\b|\bhow (?:it|that) stands\b|\bgoes on\b/gi, 'makes no progress, the state, continues'],
  [/\b(?:is|are|was|were) alive\b/gi, 'is active'],
  [/\btakes? (?:a|no|the) place of\b/gi, 'occupies a slot of'],
];

/** Pages that still have the old words in some places. */
const NOT_YET: ReadonlySet<string> = new Set(['docs/deploy.md', 'docs/sizing.md']);

/** Words of the vocabulary before 1.0, each with the one in the glossary. A caller may still be "on hold". */
const OLD_WORDS: readonly [RegExp, string][] = [
  [/\b(?:a|the|that|new|running|our) holds?\b|\b(?:and|or|of|many) holds\b|\bholds and\b/gi, 'mute lock'],
  [/\bheld calls?\b|\bcalls? (?:is|are|was) held\b/gi, 'a call that is kept muted'],
  [/`(?:hold|held|pause|mutingOnEntry)\(/g, 'keepMuted, getMuteLock, muteFor, getMuteOnEntry'],
  [/\bonJoin\b|\bon-join\b|\bmutes? on join\b/gi, 'onEstablished'],
  [/\b(?:operation|call) joins\b|\bjoins (?:the|an?) (?:running )?operation\b|\bjoined operation\b/gi, 'attaches'],
  [/\b(?:muteLocks?|timedMutes?)\b(?![^`]*`)/g, 'mute lock, timed mute'],
];

test.each(current.filter(({ path }) => !path.startsWith('test/')))('$path is in plain English', ({ path, text }) => {
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').replaceAll(/\s+/g, ' ');
  const found = [...HABITS, ...(NOT_YET.has(path) ? [] : OLD_WORDS)].flatMap(([habit, instead]) =>
    [...prose.matchAll(habit)].map(
      ({ 0: words, index }) => `${words} (${instead}): …${prose.slice(index - 40, index + 60)}…`,
    ),
  );
  expect(found).toEqual([]);
});

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
