import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { announce, setting } from '../child.ts';
import { listen } from '../notifications.ts';
import { workflowIdOf } from './names.ts';

/** The canonical build's webhook: a token that holds and a signal to the call's workflow. */
const client = new Client({ connection: await Connection.connect({ address: setting('TEMPORAL_ADDRESS') }) });
const rules = { openIdUrl: setting('BENCH_OPENID_URL'), audience: setting('BENCH_AUDIENCE') };
const callbackUrl = await listen(rules, async (callId, roster) => {
  try {
    await client.workflow.getHandle(workflowIdOf(callId)).signal('rosterUpdated', roster);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
});
announce({ callbackUrl });
