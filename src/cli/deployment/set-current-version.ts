import { loadDeploymentConfig } from '../../config/deployment.ts';
import { closeClient, connectClient } from '../../temporal/connect.ts';
import { setCurrentBuild } from '../../temporal/deployment-version.ts';
import type { Context } from '../context.ts';
import { DONE, printJson, reporting } from '../exit.ts';

/** `set-current-version`: new operations start on this build from now on. */
export async function setCurrentVersion(this: Context, { json }: { json: boolean }): Promise<void> {
  await reporting(this, json, async () => {
    const config = loadDeploymentConfig(this.process.env);
    const { deploymentName, buildId } = config.version;
    const client = await connectClient(config);
    try {
      const namespace = config.temporal.namespace ?? 'default';
      const before = await setCurrentBuild(client.connection, namespace, config.version);
      if (json) printJson(this, { deploymentName, buildId, before });
      else this.process.stdout.write(`${said(deploymentName, buildId, before)}\n`);
    } finally {
      await closeClient(client);
    }
    return DONE;
  });
}

function said(deploymentName: string, buildId: string, before: string | undefined): string {
  if (before === buildId) return `${buildId} is already the current version of ${deploymentName}.`;
  const old = before === undefined ? '' : ` Operations that started on ${before} finish there.`;
  return `New operations start on ${buildId} of ${deploymentName} from now on.${old}`;
}
