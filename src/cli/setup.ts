import { loadClientConfig } from '../config.ts';
import { SEARCH_ATTRIBUTE } from '../contract/names.ts';
import { closeClient, connectClient } from '../temporal/connect.ts';
import { ensureSearchAttributes } from '../temporal/search-attributes.ts';
import type { Context } from './context.ts';
import { DONE, printJson, reporting } from './exit.ts';

/** `setup`: registers what a namespace needs before operations run in it. Once more does no harm. */
export async function setup(this: Context, { json }: { json: boolean }): Promise<void> {
  await reporting(this, json, async () => {
    const config = loadClientConfig(this.process.env);
    const client = await connectClient(config);
    try {
      const { namespace } = client.options;
      const registered = await ensureSearchAttributes(client.connection, namespace);
      const searchAttributes = Object.values(SEARCH_ATTRIBUTE);
      if (json) printJson(this, { namespace, searchAttributes, registered });
      else if (registered.length > 0) this.process.stdout.write(`${namespace}: registered ${registered.join(', ')}\n`);
      else this.process.stdout.write(`${namespace}: has ${searchAttributes.join(', ')} already\n`);
      return DONE;
    } finally {
      await closeClient(client);
    }
  });
}
