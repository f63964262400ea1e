import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findTemporalCli } from '../../src/dev/temporal-cli.ts';
import { startDevServer } from '../../src/temporal/dev-server.ts';
import { bundleWorkflows } from '../../src/temporal/workflow-bundle.ts';

/** One Temporal dev server and one bundle of the workflows for all test files; each file has its own task queue. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cli = await findTemporalCli({
    path: process.env['MODERATION_TEMPORAL_CLI'],
    searchPath: process.env['PATH'],
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  const folder = await mkdtemp(join(tmpdir(), 'call-moderation-'));
  const bundle = join(folder, 'workflow-bundle.js');
  const [temporal, code] = await Promise.all([startDevServer({ cli, port: 0, uiPort: 0 }), bundleWorkflows()]);
  await writeFile(bundle, code);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalUi', temporal.uiUrl);
  project.provide('temporalCli', cli);
  project.provide('workflowBundle', bundle);
  return async () => {
    await temporal.stop();
    await rm(folder, { recursive: true });
  };
}

declare module 'vitest' {
  export interface ProvidedContext {
    temporalAddress: string;
    /** Root of Temporal's UI. */
    temporalUi: string;
    temporalCli: string;
    workflowBundle: string;
  }
}
