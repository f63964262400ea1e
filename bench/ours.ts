import { ModerationClient } from '../src/client/moderation-client.ts';
import { loadClientConfig } from '../src/config/common.ts';
import { connectClient } from '../src/temporal/connect.ts';
import { serveLoad } from './load.ts';

/** Our caller: a backend service with the client that we export. */
const config = loadClientConfig(process.env);
const moderation = new ModerationClient({ client: await connectClient(config), taskQueue: config.taskQueue });
serveLoad(async (callId, acknowledge) => {
  const operation = await moderation.mute({ callId });
  acknowledge();
  await operation.result();
});
