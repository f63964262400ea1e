import { writeFile } from 'node:fs/promises';

/** Bundles the workflows of `dist` ahead, so that a worker starts without doing so, and runs just what was built. */
const built = (await import(
  new URL('../dist/workflow-bundle.js', import.meta.url).href
)) as typeof import('../src/workflow-bundle.ts');
await writeFile(built.BUNDLE_PATH, await built.bundleWorkflows());
