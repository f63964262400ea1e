import { main as runGateway } from '../../gateway.ts';
import { main as runWebhook } from '../../webhook.ts';
import { main as runWorker } from '../../worker.ts';
import type { Context } from '../context.ts';
import { DONE, reporting } from '../exit.ts';

/** `worker`: until it receives a signal to stop. */
export async function worker(this: Context): Promise<void> {
  await reporting(this, false, async () => {
    await runWorker(this.process.env);
    return DONE;
  });
}

/** `webhook`: until it receives a signal to stop. */
export async function webhook(this: Context): Promise<void> {
  await reporting(this, false, async () => {
    await runWebhook(this.process.env);
    return DONE;
  });
}

/** `gateway`: until it is told to stop. */
export async function gateway(this: Context): Promise<void> {
  await reporting(this, false, async () => {
    await runGateway(this.process.env);
    return DONE;
  });
}
