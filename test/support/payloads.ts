import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../payloads', import.meta.url));

/** Graph's published samples of one kind: file names and contents as published. */
export function payloadsOf(
  kind: 'notifications' | 'calls' | 'participants' | 'operations' | 'errors',
): [string, string][] {
  const folder = join(FOLDER, kind);
  return readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]);
}

/** The published samples hold comments and trailing commas, which Graph itself cannot have sent. */
export function strictJson(text: string): string {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*/g, (match) => (match.startsWith('"') ? match : ''));
  return bare.replace(/,(\s*[}\]])/g, '$1');
}
