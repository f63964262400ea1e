import { VERSION } from '../lib/version.ts';
import { BUNDLE_PATH, versionOfBundle } from '../temporal/workflow-bundle.ts';
import { Fault, type Check } from './check.ts';

/** The workflows that a worker of this installation would run. */
export function bundleCheck(path: string = BUNDLE_PATH): Check {
  return {
    name: 'bundle',
    run: async () => {
      const built = await versionOfBundle(path);
      const remedy = 'Run `npm run build`, or install the package anew.';
      if (built === undefined) {
        throw new Fault(`there is none at ${path}: a worker makes it at every start`, remedy, 'warning');
      }
      if (built !== VERSION) throw new Fault(`was built from version ${built}, and this is ${VERSION}`, remedy);
      return `built from version ${built}`;
    },
  };
}
