import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { goPrograms, TEMPORAL_SERVER } from '../../cluster/go-programs.ts';
import { bundleWorkflows } from '../../src/temporal/workflow-bundle.ts';

/** The workflows' bundle, and Temporal's server, whose build may take minutes and is no part of any test. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'call-moderation-'));
  const bundle = join(folder, 'workflow-bundle.js');
  await goPrograms(TEMPORAL_SERVER, (message) => process.stderr.write(`${message}\n`));
  await writeFile(bundle, await bundleWorkflows());
  project.provide('workflowBundle', bundle);
  return async () => await rm(folder, { recursive: true });
}
