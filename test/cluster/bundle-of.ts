import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** Writes a bundle of other workflows than ours, with all that belongs to ours. */
export async function writeBundleOf(workflows: URL, file: string): Promise<void> {
  const own = (name: string): string =>
    fileURLToPath(new URL(`../../src/workflows/runtime/${name}.ts`, import.meta.url));
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(workflows),
    payloadConverterPath: own('payload-converter'),
    workflowInterceptorModules: ['unreadable', 'trace'].map(own),
    logger: new DefaultLogger('WARN'),
  });
  await writeFile(file, code);
}
