import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/**
 * The table of CONTRIBUTING says what each folder of `src` contains and may import. Nothing imports what runs above it,
 * so no folders import each other in a circle. A relative path in a lint rule would miss files of deeper folders, so
 * this test resolves each import.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** They import nothing of `lib`: they run in the workflows' sandbox, or know nothing of the service. */
const WITHOUT_LIB = new Set(['contract', 'workflows', 'simulator']);

interface Import {
  from: string;
  /** The part of `src`: a folder, or a file beside the folders. */
  part: string;
  target: string;
  isOfTypes: boolean;
}

interface Row {
  may: ReadonlySet<string>;
  mayTypes: ReadonlySet<string>;
  isFree: boolean;
}

function rowOf(allowed: string): Row {
  const words = allowed.split(',').map((word) => word.trim());
  return {
    may: new Set(words.filter((word) => !word.startsWith('types of '))),
    mayTypes: new Set(words.map((word) => word.replace('types of ', ''))),
    isFree: allowed === 'all',
  };
}

/** The rows of the table by the parts that they are about. */
function readTable(): ReadonlyMap<string, Row> {
  const text = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (`src\/[^|]+) \|.*\| ([^|]+) \|$/gm)];
  return new Map(
    rows.flatMap(([, parts = '', allowed = '']) =>
      [...parts.matchAll(/`src\/([^`]+)`/g)].map(([, part = '']) => [part, rowOf(allowed.trim())] as const),
    ),
  );
}

function partOf(path: string): string {
  return relative(join(ROOT, 'src'), path).split('/')[0] ?? '';
}

function importsOf(path: string): Import[] {
  const found = readFileSync(path, 'utf8').matchAll(
    /^(?:import|export)( type)?\b[^;'"]*from '(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm,
  );
  return [...found].map(([, isOfTypes, named = '', loaded = named]) => ({
    from: relative(ROOT, path),
    part: partOf(path),
    target: partOf(join(dirname(path), loaded)),
    isOfTypes: isOfTypes !== undefined,
  }));
}

const table = readTable();

const imports = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) => importsOf(join(ROOT, 'src', name)))
  .filter(({ part, target }) => part !== target);

function isAllowed({ part, target, isOfTypes }: Import): boolean {
  const row = table.get(part);
  if (row === undefined) return false;
  if (row.isFree || row.may.has(target) || (isOfTypes && row.mayTypes.has(target))) return true;
  return target === 'lib' && !WITHOUT_LIB.has(part);
}

/** What a part runs on, directly or not. Types run nothing. */
function belowOf(part: string, seen = new Set<string>()): Set<string> {
  for (const { target } of imports.filter((one) => one.part === part && !one.isOfTypes)) {
    if (seen.has(target)) continue;
    seen.add(target);
    belowOf(target, seen);
  }
  return seen;
}

describe('the folders of src', () => {
  test('are all in the table of CONTRIBUTING', () => {
    const parts = readdirSync(join(ROOT, 'src'));
    expect([...table.keys()].toSorted()).toEqual(parts.toSorted());
  });

  test('import only what the table allows', () => {
    expect(imports.length).toBeGreaterThan(500);
    const wrong = imports.filter((one) => !isAllowed(one)).map(({ from, target }) => `${from} imports ${target}`);
    expect(wrong).toEqual([]);
  });

  test('import each other in no circle', () => {
    const inCircles = readdirSync(join(ROOT, 'src')).filter((part) => belowOf(part).has(part));
    expect(inCircles).toEqual([]);
  });
});
