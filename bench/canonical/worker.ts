import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import { announce, setting } from '../child.ts';
import { createActivities } from './activities.ts';
import { TASK_QUEUE } from './names.ts';

/** The canonical build's worker, with the options that the samples give, which are none. */
const connection = await NativeConnection.connect({ address: setting('TEMPORAL_ADDRESS') });
const worker = await Worker.create({
  connection,
  taskQueue: TASK_QUEUE,
  workflowsPath: fileURLToPath(new URL('workflows.js', import.meta.url)),
  activities: createActivities({ url: setting('BENCH_GRAPH_URL'), token: setting('BENCH_GRAPH_TOKEN') }),
});
announce({});
await worker.run();
await connection.close();
