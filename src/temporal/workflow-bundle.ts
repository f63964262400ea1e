import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { EVENTS_FLAG } from '../contract/event.ts';
import { VERSION } from '../lib/version.ts';

/** What a worker runs as its workflows. */
export type WorkflowBundle = { codePath: string } | { code: string };

const besides = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** TypeScript here, JavaScript in `dist`. */
const [extension = '.js'] = /\.[jt]s$/.exec(import.meta.url) ?? [];

/** A line of the bundle: this, and the version of the package. */
const STAMP = '// call-moderation ';

const workflowModule = (name: string): string => besides(`../workflows/${name}${extension}`);

export interface BundleOptions {
  /**
   * Records the stack of every promise, for the tab *Call Stack* of Temporal's UI, at a third more of a worker's
   * time.
   */
  callStacks?: boolean;
}

/**
 * Bundles the workflows of this package.
 *
 * A worker evaluates the preloaded modules once, and every other module once for each run. So the SDK and all of the
 * workflows are preloaded: their modules keep no state of a run.
 */
export async function bundleWorkflows({ callStacks = false }: BundleOptions = {}): Promise<string> {
  // The first is the outermost.
  const interceptors = ['runtime/unreadable', 'runtime/trace'].map(workflowModule);
  const { code } = await bundleWorkflowCode({
    workflowsPath: workflowModule('index'),
    payloadConverterPath: workflowModule('runtime/payload-converter'),
    workflowInterceptorModules: interceptors,
    preloadModules: [
      ...(callStacks ? [] : [workflowModule('runtime/quiet-promises')]),
      '@temporalio/workflow',
      workflowModule('runtime/payload-converter'),
      ...interceptors,
      workflowModule('index'),
    ],
    // Our package.json says that no module has side effects, and webpack would drop the preloading of all of them.
    webpackConfigHook: (config) => ({ ...config, optimization: { ...config.optimization, sideEffects: false } }),
    logger: new DefaultLogger('WARN'),
  });
  // Before the source map, which must be the last thing in it.
  return code.replace(/\n\/\/# sourceMappingURL=(?![\s\S]*\n\/\/# sourceMappingURL=)/, `\n${STAMP}${VERSION}$&`);
}

/** The version that a bundle was built from; `undefined` if there is no bundle. */
export async function versionOfBundle(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  const code = await readFile(path, 'utf8');
  const at = code.lastIndexOf(`\n${STAMP}`);
  return at < 0 ? 'unknown' : code.slice(at + 1 + STAMP.length).split('\n', 1)[0];
}

/** Where `npm run build` puts the bundle. */
export const BUNDLE_PATH: string = besides('../workflows.bundle.js');

/** The bundle that was built ahead, or one that is made now, which takes some seconds. */
export async function loadWorkflows(options: BundleOptions = {}): Promise<WorkflowBundle> {
  const isBuilt = options.callStacks !== true && existsSync(BUNDLE_PATH);
  return isBuilt ? { codePath: BUNDLE_PATH } : { code: await bundleWorkflows(options) };
}

/**
 * The same workflows, which hand over events (`workflows/events.ts`). What stands before the first line keeps the numbers of all
 * lines, so that the source map stays right.
 */
export async function withEvents(bundle: WorkflowBundle): Promise<WorkflowBundle> {
  const code = 'code' in bundle ? bundle.code : await readFile(bundle.codePath, 'utf8');
  return { code: `globalThis.${EVENTS_FLAG}=true;${code}` };
}
