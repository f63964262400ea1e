import { once } from 'node:events';
import { startStack } from '../dev/stack.ts';
import type { Context } from './context.ts';
import { DONE, reporting } from './exit.ts';

export interface DevFlags {
  temporalCli?: string;
  temporalPort: number;
  uiPort: number;
  graphPort: number;
  webhookPort: number;
  dbFilename: string;
}

/** `dev`: everything on this machine, until it is told to stop. */
export async function dev(this: Context, flags: DevFlags): Promise<void> {
  const { temporalPort, uiPort, graphPort, webhookPort, dbFilename, temporalCli } = flags;
  const say = (line: string): void => {
    this.process.stdout.write(`${line}\n`);
  };
  await reporting(this, false, async () => {
    const stopped = Promise.race(['SIGINT', 'SIGTERM'].map(async (signal) => await once(process, signal)));
    const stack = await startStack({
      ports: { temporal: temporalPort, ui: uiPort, graph: graphPort, webhook: webhookPort },
      env: this.process.env,
      temporalCli,
      dbFilename,
      onProgress: say,
    });
    try {
      const { graph, temporal, webhook } = stack;
      const { id } = graph.createCall({ callbackUri: webhook.callbackUrl, participants: 4 });
      say(`
Temporal UI       ${temporal.uiUrl}
Temporal          ${temporal.address}   (kept in ${dbFilename})
Graph simulator   ${graph.url}   (a group call of 4 is in it: ${id})
Webhook           ${webhook.callbackUrl}

In another terminal:
  npx call-moderation mute ${id}
  npx call-moderation status ${id}
  curl -X POST ${graph.url}/simulator/calls -H 'content-type: application/json' -d '{"callbackUri":"${webhook.callbackUrl}"}'   # another call

Ctrl-C ends it.`);
      await stopped;
      say('\nStopping …');
    } finally {
      await stack.stop();
    }
    return DONE;
  });
}
