import { loadClientConfig } from '../../config/common.ts';
import { SEARCH_ATTRIBUTE } from '../../contract/names.ts';
import { closeClient, connectClient } from '../../temporal/connect.ts';
import { ensureEndpoint } from '../../temporal/nexus-endpoint.ts';
import { ensureSearchAttributes } from '../../temporal/search-attributes.ts';
import type { Context } from '../context.ts';
import { DONE, printJson, reporting } from '../exit.ts';

export interface SetupFlags {
  nexusEndpoint?: string;
  json: boolean;
}

/** `setup`: registers what a namespace needs before operations run in it. Once more does no harm. */
export async function setup(this: Context, { nexusEndpoint, json }: SetupFlags): Promise<void> {
  await reporting(this, json, async () => {
    const config = loadClientConfig(this.process.env);
    const client = await connectClient(config);
    try {
      const { namespace } = client.options;
      const registered = await ensureSearchAttributes(client.connection, namespace);
      const searchAttributes = Object.values(SEARCH_ATTRIBUTE);
      const target = { namespace, taskQueue: config.taskQueue };
      const created =
        nexusEndpoint === undefined ? undefined : await ensureEndpoint(client.connection, nexusEndpoint, target);
      const endpoint = created === undefined ? {} : { nexusEndpoint: { name: nexusEndpoint, ...target, created } };
      if (json) {
        printJson(this, { namespace, searchAttributes, registered, ...endpoint });
        return DONE;
      }
      const attributes =
        registered.length > 0 ? `registered ${registered.join(', ')}` : `has ${searchAttributes.join(', ')} already`;
      this.process.stdout.write(`${namespace}: ${attributes}\n`);
      if (created === undefined) return DONE;
      const how = created ? 'was created' : 'is there already';
      this.process.stdout.write(
        `Nexus endpoint ${nexusEndpoint} ${how}, and leads to task queue ${config.taskQueue}\n`,
      );
      return DONE;
    } finally {
      await closeClient(client);
    }
  });
}
