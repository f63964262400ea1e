import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { VERSION } from './version.ts';

/** What a worker runs as its workflows. */
export type WorkflowBundle = { codePath: string } | { code: string };

const besides = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** TypeScript here, JavaScript in `dist`. */
const [extension = '.js'] = /\.[jt]s$/.exec(import.meta.url) ?? [];

/** A line of the bundle: this, and the version of the package. */
const STAMP = '// call-moderation ';

/** Bundles the workflows that stand beside this file. */
export async function bundleWorkflows(): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: besides(`workflows/index${extension}`),
    payloadConverterPath: besides(`workflows/payload-converter${extension}`),
    // The first is the outermost.
    workflowInterceptorModules: ['unreadable', 'trace'].map((name) => besides(`workflows/${name}${extension}`)),
    logger: new DefaultLogger('WARN'),
  });
  // Before the source map, which must be the last thing in it.
  return code.replace(/\n\/\/# sourceMappingURL=(?![\s\S]*\n\/\/# sourceMappingURL=)/, `\n${STAMP}${VERSION}$&`);
}

/** The version that a bundle was built from; nothing where there is none. */
export async function versionOfBundle(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  const code = await readFile(path, 'utf8');
  const at = code.lastIndexOf(`\n${STAMP}`);
  return at < 0 ? 'unknown' : code.slice(at + 1 + STAMP.length).split('\n', 1)[0];
}

/** Where `npm run build` puts the bundle. */
export const BUNDLE_PATH: string = besides('workflows.bundle.js');

/** The bundle that was built ahead, or one that is made now. */
export async function loadWorkflows(): Promise<WorkflowBundle> {
  return existsSync(BUNDLE_PATH) ? { codePath: BUNDLE_PATH } : { code: await bundleWorkflows() };
}
