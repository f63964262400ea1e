import { buildCommand } from '@stricli/core';
import type { Context } from '../context.ts';
import { port } from '../flag-values.ts';
import { optional } from '../shared-flags.ts';
import type { DevFlags } from './dev.ts';

const portOf = (what: string, usual: string) =>
  ({ kind: 'parsed', parse: port, default: usual, brief: `Port of ${what}; 0 for any free one` }) as const;

export const devCommand = buildCommand<DevFlags, [], Context>({
  loader: async () => (await import('./dev.ts')).dev,
  parameters: {
    flags: {
      temporalCli: optional('Path of the Temporal CLI'),
      temporalPort: portOf('Temporal', '7233'),
      uiPort: portOf("Temporal's UI", '8233'),
      graphPort: portOf('the Graph simulator', '3979'),
      webhookPort: portOf('the webhook', '3978'),
      gatewayPort: portOf('the gateway', '3980'),
      dbFilename: {
        kind: 'parsed',
        parse: String,
        default: '.cache/temporal.db',
        brief: 'File in which Temporal keeps everything, so that it survives a restart',
      },
    },
  },
  docs: {
    brief: 'Run everything on this machine: Temporal with its UI, a Graph simulator, webhook, gateway and worker',
  },
});
