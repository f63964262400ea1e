import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The documents. */

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Page {
  /** From the repository's root. */
  path: string;
  text: string;
}

export function filesBelow(folder: string, isWanted: (path: string) => boolean): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter(isWanted)
    .toSorted();
}

export const pages: Page[] = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'test/simulation/README.md',
  ...filesBelow('docs', (path) => path.endsWith('.md')),
].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

const isChangelog = ({ path }: Page): boolean => path === 'CHANGELOG.md';

/** The CHANGELOG names what there was at the time. */
export const current = pages.filter((page) => !isChangelog(page));

export interface Fence {
  page: string;
  language: string;
  code: string;
}

export function fencesOf({ path, text }: Page): Fence[] {
  const found = text.matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm);
  return [...found].map(([, language = '', code = '']) => ({ page: path, language, code }));
}
