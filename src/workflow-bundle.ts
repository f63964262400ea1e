import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** What a worker runs as its workflows. */
export type WorkflowBundle = { codePath: string } | { code: string };

const besides = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** TypeScript here, JavaScript in `dist`. */
const [extension = '.js'] = /\.[jt]s$/.exec(import.meta.url) ?? [];

/** Bundles the workflows that stand beside this file. */
export async function bundleWorkflows(): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: besides(`workflows/index${extension}`),
    payloadConverterPath: besides(`workflows/payload-converter${extension}`),
    logger: new DefaultLogger('WARN'),
  });
  return code;
}

/** Where `npm run build` puts the bundle. */
export const BUNDLE_PATH: string = besides('workflows.bundle.js');

/** The bundle that was built ahead, or one that is made now. */
export async function loadWorkflows(): Promise<WorkflowBundle> {
  return existsSync(BUNDLE_PATH) ? { codePath: BUNDLE_PATH } : { code: await bundleWorkflows() };
}
