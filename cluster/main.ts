import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { exitOnFault } from '../src/lib/exit-on-error.ts';
import { stopSignal } from '../src/lib/stop-signal.ts';
import { PORT_NAMES, Topology, type PortName } from './topology.ts';

/**
 * `npm run cluster`: what docker-compose.yml starts, without Docker, until it is told to stop. Each part may be killed
 * and comes back by itself, as a supervisor brings it back.
 */

const HELP = `npm run cluster [-- OPTIONS]

  --temporal-port N   of the Temporal server (any free one)
  --ui-port N         of its UI
  --postgres-port N   of PostgreSQL
  --webhook-port N    where Graph's notifications go
  --graph-port N      of the Graph simulator
  --gateway           with two gateways, which take the requests of Graph's SDKs; --gateway-port N
  --no-simulator      with your own Graph: AZURE_* and MODERATION_* as a deployment sets them
  --no-ui             without Temporal's UI
  --data FOLDER       keeps everything in FOLDER, and goes on with what is there; without it nothing is left
  --help
`;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const port = { type: 'string', default: '0' } as const;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      'temporal-port': port,
      'ui-port': port,
      'postgres-port': port,
      'webhook-port': port,
      'graph-port': port,
      'gateway-port': port,
      gateway: { type: 'boolean', default: false },
      simulator: { type: 'boolean', default: true },
      ui: { type: 'boolean', default: true },
      data: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
    allowNegative: true,
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const ports = Object.fromEntries(PORT_NAMES.map((name) => [name, portOf(name, values[`${name}-port`])]));
  const folder =
    values.data === undefined ? await mkdtemp(join(tmpdir(), 'call-moderation-cluster-')) : resolve(values.data);
  const stopped = stopSignal();
  try {
    const topology = await Topology.start({
      folder,
      dist: fileURLToPath(new URL('../dist', import.meta.url)),
      ports,
      env: ownVariables(),
      ui: values.ui,
      gateways: values.gateway ? 2 : 0,
      simulator: values.simulator ? {} : undefined,
      onProgress: say,
    });
    try {
      await describe(topology);
      await stopped;
      say('\nStopping …');
    } finally {
      await topology.stop();
    }
  } finally {
    if (values.data === undefined) await rm(folder, { recursive: true, force: true });
  }
}

function portOf(name: PortName, value: string): number {
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
  throw new Error(`--${name}-port: ${value} is no port; give one of 1 to 65535, or 0 for any free one`);
}

/** What a deployment would set. */
function ownVariables(): Record<string, string | undefined> {
  const names = Object.keys(process.env).filter((name) => /^(AZURE_|MODERATION_|OTEL_|LOG_LEVEL$)/.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

async function describe({ parts, graph, temporalAddress, uiUrl, callbackUrl, gatewayUrl }: Topology): Promise<void> {
  const command = `TEMPORAL_ADDRESS=${temporalAddress} npx call-moderation`;
  say(`
Temporal          ${temporalAddress}
Temporal UI       ${uiUrl ?? 'not started'}
Webhook           ${callbackUrl}   (a balancer before both)
Gateway           ${gatewayUrl ?? 'not started'}
Graph simulator   ${graph?.url ?? 'not started'}

${parts.map(({ name, pid, log }) => `${name.padEnd(12)} process ${String(pid).padEnd(8)} ${log}`).join('\n')}

${parts.flatMap(({ name, metricsUrl }) => (metricsUrl === undefined ? [] : [`${name.padEnd(12)} ${metricsUrl}`])).join('\n')}
`);
  if (graph !== undefined) {
    const { id } = graph.createCall({ callbackUri: callbackUrl, participants: 4 });
    await graph.setCallState(id, 'established');
    say(`In another terminal:
  ${command} mute ${id}
  ${command} status ${id}
  curl -X POST ${graph.url}/simulator/calls -H 'content-type: application/json' -d '{"callbackUri":"${callbackUrl}"}'   # another call
  kill -9 PID   # any of the above: it comes back
`);
  }
  say('Ctrl-C ends it.');
}

await exitOnFault(main);
