import { Client, Connection } from '@temporalio/client';
import { setting } from '../child.ts';
import { serveLoad } from '../load.ts';
import { TASK_QUEUE, workflowIdOf } from './names.ts';

/** The canonical build's caller. */
const client = new Client({ connection: await Connection.connect({ address: setting('TEMPORAL_ADDRESS') }) });
serveLoad(async (callId, acknowledge) => {
  const options = { workflowId: workflowIdOf(callId), taskQueue: TASK_QUEUE, args: [callId] };
  const handle = await client.workflow.start('muteCall', options);
  acknowledge();
  await handle.result();
});
