import { rmSync } from 'node:fs';
import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that is gone with this process at the latest. */
export async function temporaryFolder(name: string): Promise<{ folder: string; remove: () => void }> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), `call-moderation-${name}-`)));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  return { folder, remove };
}
