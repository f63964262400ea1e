import { startStack } from '../../dev/stack.ts';
import { stopSignal } from '../../lib/stop-signal.ts';
import type { Context } from '../context.ts';
import { DONE, reporting } from '../exit.ts';

export interface DevFlags {
  temporalCli?: string;
  temporalPort: number;
  uiPort: number;
  graphPort: number;
  webhookPort: number;
  gatewayPort: number;
  dbFilename: string;
}

const COMMAND = 'npx call-moderation';

/** The Nexus endpoint if MODERATION_NEXUS_ENDPOINT is not set. */
const DEFAULT_ENDPOINT = 'call-moderation';

/** The port of Temporal if TEMPORAL_ADDRESS is not set. */
const DEFAULT_PORT = 7_233;

/** `dev`: everything on this machine, until it receives a signal to stop. */
export async function dev(this: Context, flags: DevFlags): Promise<void> {
  const { temporalPort, uiPort, graphPort, webhookPort, gatewayPort, dbFilename, temporalCli } = flags;
  const say = (line: string): void => {
    this.process.stdout.write(`${line}\n`);
  };
  await reporting(this, false, async () => {
    const stopped = stopSignal();
    const nexusEndpoint = this.process.env['MODERATION_NEXUS_ENDPOINT'] || DEFAULT_ENDPOINT;
    const stack = await startStack({
      ports: { temporal: temporalPort, ui: uiPort, graph: graphPort, webhook: webhookPort, gateway: gatewayPort },
      env: this.process.env,
      temporalCli,
      dbFilename,
      nexusEndpoint,
      onProgress: say,
    });
    try {
      const { graph, temporal, webhook, gateway } = stack;
      const command = temporalPort === DEFAULT_PORT ? COMMAND : `TEMPORAL_ADDRESS=${temporal.address} ${COMMAND}`;
      const { id } = graph.createCall({ callbackUri: webhook.callbackUrl, participants: 4 });
      // Graph notifies of a call when it is established, so `calls` and policies know this one.
      await graph.setCallState(id, 'established');
      say(`
Temporal UI       ${temporal.uiUrl}
Temporal          ${temporal.address}   (kept in ${dbFilename})
Graph simulator   ${graph.url}   (with a group call of 4 participants: ${id})
Webhook           ${webhook.callbackUrl}
Gateway           ${gateway?.url}   (takes Graph's requests for mutes; described in ${gateway?.url}/openapi.json)
Nexus endpoint    ${nexusEndpoint}   (for workflows of other namespaces: docs/nexus.md)

In another terminal:
  ${command} mute ${id}
  ${command} status ${id}
  curl -X POST ${gateway?.url}/v1.0/communications/calls/${id}/unmute   # Graph's own request; answers once the roster confirms it
  curl -X POST ${graph.url}/simulator/calls -H 'content-type: application/json' -d '{"callbackUri":"${webhook.callbackUrl}"}'   # another call
  curl -X POST ${graph.url}/simulator/calls/${id}/participants -H 'content-type: application/json' -d '{"add":1}'   # somebody joins

Ctrl-C ends it.`);
      await stopped;
      say('\nStopping …');
    } finally {
      await stack.stop();
    }
    return DONE;
  });
}
