import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../src/activities/index.ts';
import { ModerationClient } from '../src/client/moderation-client.ts';
import { loadWorkerConfig } from '../src/config/worker.ts';
import { GraphClient } from '../src/graph/client.ts';
import { tokensOf } from '../src/graph/tokens.ts';
import { USER_AGENT } from '../src/lib/version.ts';
import { loadWorkflows } from '../src/temporal/workflow-bundle.ts';
import { setting } from './child.ts';
import { serveLoad } from './load.ts';

/** A backend service with a worker of its own, on the connection of its client: operations start eagerly. */
const { taskQueue, graph } = loadWorkerConfig(process.env);
const connection = await NativeConnection.connect({ address: setting('TEMPORAL_ADDRESS') });
const worker = await Worker.create({
  connection,
  taskQueue,
  activities: createActivities({
    graph: new GraphClient({ url: graph.url, tokens: tokensOf(graph), userAgent: USER_AGENT }),
  }),
  workflowBundle: await loadWorkflows(),
});
// Ends with the process.
void worker.run();
const moderation = new ModerationClient({ client: new Client({ connection }), taskQueue, eagerStart: true });
serveLoad(async (callId, acknowledge) => {
  const operation = await moderation.mute({ callId });
  acknowledge();
  await operation.result();
});
