import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { goPrograms, TEMPORAL_SERVER } from '../../cluster/go-programs.ts';
import { bundleWorkflows } from '../../src/temporal/workflow-bundle.ts';
import { bundleIn, compile } from '../support/compile.ts';

/** The service's build, and Temporal's server, whose build may take minutes and is no part of any test. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'call-moderation-')));
  await goPrograms(TEMPORAL_SERVER, (message) => process.stderr.write(`${message}\n`));
  const [code] = await Promise.all([bundleWorkflows(), compile(folder)]);
  await writeFile(bundleIn(folder), code);
  project.provide('workflowBundle', bundleIn(folder));
  project.provide('build', folder);
  return async () => await rm(folder, { recursive: true });
}
