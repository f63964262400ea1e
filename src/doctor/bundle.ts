import { VERSION } from '../lib/version.ts';
import { BUNDLE_PATH, versionOfBundle } from '../temporal/workflow-bundle.ts';
import { Fault, type Check } from './check.ts';

/** The workflows that a worker of this installation would run. */
export function bundleCheck(path: string = BUNDLE_PATH): Check {
  return {
    name: 'bundle',
    run: async () => {
      const built = await versionOfBundle(path);
      const remedy = 'Run `npm run build`, or reinstall the package.';
      if (built === undefined) {
        throw new Fault(`there is none at ${path}, so a worker builds it at every start`, remedy, 'warning');
      }
      if (built !== VERSION) throw new Fault(`was built from version ${built}, and this is ${VERSION}`, remedy);
      return `built from version ${built}`;
    },
  };
}
