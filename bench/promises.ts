import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promiseHooks } from 'node:v8';
import { Script } from 'node:vm';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { bundleWorkflows } from '../src/temporal/workflow-bundle.ts';
import { temporaryFolder } from './temporary-folder.ts';

/**
 * How many promises a workflow makes, and how often the SDK enters its sandbox: what a workflow task costs a worker grows with
 * both. Replays the recorded histories and counts, so the figures are exact.
 *
 *     npx tsx bench/promises.ts [NAME…]      such as confirmed-by-notification; all histories if none is named
 */

const HISTORIES = fileURLToPath(new URL('../test/histories', import.meta.url));

interface Counts {
  promises: number;
  entries: number;
}

const counts: Counts = { promises: 0, entries: 0 };

/** Promises of the sandbox are of another realm, so they are no `Promise` of this one. */
function countPromises(): () => void {
  const stop: unknown = promiseHooks.onInit((promise: unknown) => {
    if (!(promise instanceof Promise)) counts.promises += 1;
  });
  return typeof stop === 'function' ? (stop as () => void) : () => undefined;
}

function countEntries(): () => void {
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the script that it is asked of
  const { runInContext } = Script.prototype;
  Script.prototype.runInContext = function counted(this: Script, ...args: Parameters<typeof runInContext>) {
    counts.entries += 1;
    return runInContext.apply(this, args) as unknown;
  };
  return () => {
    Script.prototype.runInContext = runInContext;
  };
}

async function histories(names: readonly string[]): Promise<string[]> {
  const files = (await readdir(HISTORIES, { recursive: true })).filter((file) => file.endsWith('.json'));
  const wanted =
    names.length === 0 ? files : files.filter((file) => names.some((name) => file.endsWith(`${name}.json`)));
  if (wanted.length === 0) throw new Error(`no history is called ${names.join(' or ')}; there are ${files.join(', ')}`);
  return wanted.toSorted();
}

async function countOf(file: string, codePath: string): Promise<Counts> {
  const history = historyFromJSON(JSON.parse(await readFile(join(HISTORIES, file), 'utf8')));
  const { workflowId } = history.events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
  Object.assign(counts, { promises: 0, entries: 0 });
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, history, workflowId ?? undefined);
  return { ...counts };
}

// The workflows then run in this thread, where they can be watched.
process.env['TEMPORAL_DEBUG'] = '1';
Runtime.install({ logger: new DefaultLogger('ERROR') });
const { folder, remove } = await temporaryFolder('promises');
const codePath = join(folder, 'workflow-bundle.js');
const stops = [countPromises(), countEntries()];
try {
  await writeFile(codePath, await bundleWorkflows());
  process.stdout.write(`${'history'.padEnd(56)}promises  entries\n`);
  for (const file of await histories(process.argv.slice(2))) {
    const { promises, entries } = await countOf(file, codePath);
    process.stdout.write(`${file.padEnd(56)}${String(promises).padStart(8)}${String(entries).padStart(9)}\n`);
  }
} finally {
  for (const stop of stops) stop();
  remove();
}
