import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findTemporalCli } from '../../src/dev/temporal-cli.ts';
import { startDevServer } from '../../src/temporal/dev-server.ts';
import { bundleWorkflows } from '../../src/temporal/workflow-bundle.ts';
import { bundleIn, compile } from './compile.ts';

/** One Temporal dev server and one build of the service for all test files; each file has its own task queue. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cli = await findTemporalCli({
    path: process.env['MODERATION_TEMPORAL_CLI'],
    searchPath: process.env['PATH'],
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'call-moderation-')));
  const [temporal, code] = await Promise.all([
    startDevServer({ cli, port: 0, uiPort: 0 }),
    bundleWorkflows(),
    compile(folder),
  ]);
  await writeFile(bundleIn(folder), code);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalUi', temporal.uiUrl);
  project.provide('temporalCli', cli);
  project.provide('workflowBundle', bundleIn(folder));
  project.provide('build', folder);
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
    /** A folder with the service as `npm run build` makes it, in `dist`. */
    build: string;
  }
}
