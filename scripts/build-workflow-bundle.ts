import { chmod, writeFile } from 'node:fs/promises';
import type * as source from '../src/temporal/workflow-bundle.ts';

/** Bundles the workflows of `dist` ahead, so that a worker starts without doing so, and runs just what was built. */
const built = (await import(new URL('../dist/temporal/workflow-bundle.js', import.meta.url).href)) as typeof source;
await writeFile(built.BUNDLE_PATH, await built.bundleWorkflows());

// npx makes a command executable when it links it first, and never again; the compiler does not.
await chmod(new URL('../dist/cli/bin.js', import.meta.url), 0o755);
