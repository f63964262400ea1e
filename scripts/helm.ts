import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { goPrograms, HELM } from '../cluster/go-programs.ts';

/** `npm run helm -- ARGUMENTS`: the Helm that the chart is checked with, built from its Go module once. */
const folder = await goPrograms(HELM, (message) => process.stderr.write(`${message}\n`));
const { status } = spawnSync(join(folder, 'helm'), process.argv.slice(2), { stdio: 'inherit' });
process.exitCode = status ?? 1;
