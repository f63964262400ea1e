import { buildApplication, buildCommand, buildRouteMap, numberParser } from '@stricli/core';
import type { Action } from '../contract/names.ts';
import { VERSION } from '../version.ts';
import type { CodecFlags } from './codec.ts';
import type { Context } from './context.ts';
import type { DevFlags } from './dev.ts';
import { count, origin, outcome, port } from './flags.ts';
import type { ListFlags } from './list.ts';
import type { ModerateFlags } from './moderate.ts';

/** The commands. Each loads its code when it runs, so that `--help` does not wait for Temporal's SDK. */

const text = String;

const json = { kind: 'boolean', brief: 'Print the result as JSON', default: false, withNegated: false } as const;

const call = { brief: 'The ID of the call, as Graph gave it', parse: text, placeholder: 'CALL' } as const;

const moderate = (action: Action, brief: string) =>
  buildCommand<ModerateFlags, [string], Context>({
    loader: async () => (await import('./moderate.ts')).command(action),
    parameters: {
      positional: { kind: 'tuple', parameters: [call] },
      flags: {
        clientContext: {
          kind: 'parsed',
          parse: text,
          optional: true,
          brief: 'Sent to Graph and echoed by it, at most 256 characters; the run ID where absent',
        },
        tenantId: { kind: 'parsed', parse: text, optional: true, brief: 'Tenant to take the token from' },
        confirmWithinSeconds: {
          kind: 'parsed',
          parse: numberParser,
          optional: true,
          brief: "Seconds from Graph's acceptance to the roster's confirmation, 1 to 300 (30)",
        },
        onUnconfirmed: {
          kind: 'enum',
          values: ['restore', 'leave'],
          optional: true,
          brief: 'What to do to the call when the roster does not confirm (restore)',
        },
        onConflict: {
          kind: 'enum',
          values: ['supersede', 'queue', 'reject'],
          default: 'supersede',
          brief: 'What to do while another operation runs on the call',
        },
        requestedBy: {
          kind: 'parsed',
          parse: text,
          optional: true,
          brief: 'Who asks, for the audit trail: an opaque ID',
        },
        reason: { kind: 'parsed', parse: text, optional: true, brief: 'Why, for the audit trail' },
        json,
      },
    },
    docs: { brief },
  });

const routes = buildRouteMap({
  routes: {
    worker: buildCommand<object, [], Context>({
      loader: async () => (await import('./processes.ts')).worker,
      parameters: {},
      docs: { brief: 'Run the worker: it carries the operations out' },
    }),
    webhook: buildCommand<object, [], Context>({
      loader: async () => (await import('./processes.ts')).webhook,
      parameters: {},
      docs: { brief: "Run the webhook: it takes Graph's notifications" },
    }),
    codec: buildCommand<CodecFlags, [], Context>({
      loader: async () => (await import('./codec.ts')).codec,
      parameters: {
        flags: {
          port: { kind: 'parsed', parse: port, default: '8081', brief: 'Port on 127.0.0.1; 0 for any free one' },
          ui: {
            kind: 'parsed',
            parse: origin,
            default: 'http://localhost:8233',
            brief: "Origin of Temporal's UI, the one page that may ask",
          },
        },
      },
      docs: { brief: "With MODERATION_PAYLOAD_KEYS: decrypt for Temporal's UI and CLI on this machine" },
    }),
    setCurrentVersion: buildCommand<{ json: boolean }, [], Context>({
      loader: async () => (await import('./set-current-version.ts')).setCurrentVersion,
      parameters: { flags: { json } },
      docs: { brief: 'With versioned workers: have new operations begin on MODERATION_BUILD_ID from now on' },
    }),
    mute: moderate('mute', 'Mute the application in a group call, and wait until the roster confirms it'),
    unmute: moderate('unmute', 'Unmute the application in a group call, and wait until the roster confirms it'),
    status: buildCommand<{ json: boolean }, [string], Context>({
      loader: async () => (await import('./status.ts')).status,
      parameters: { positional: { kind: 'tuple', parameters: [call] }, flags: { json } },
      docs: { brief: 'Show the latest operation on a call, running or ended' },
    }),
    list: buildCommand<ListFlags, [], Context>({
      loader: async () => (await import('./list.ts')).list,
      parameters: {
        flags: {
          call: { kind: 'parsed', parse: text, optional: true, brief: 'Of this call only' },
          outcome: {
            kind: 'parsed',
            parse: outcome,
            optional: true,
            brief: "With this outcome only: Pending, Confirmed, Cancelled or a failure's type",
          },
          tenantId: { kind: 'parsed', parse: text, optional: true, brief: 'Of this tenant only' },
          limit: { kind: 'parsed', parse: count, default: '20', brief: 'How many at the most' },
          json,
        },
      },
      docs: { brief: 'List operations, the latest first' },
    }),
    dev: buildCommand<DevFlags, [], Context>({
      loader: async () => (await import('./dev.ts')).dev,
      parameters: {
        flags: {
          temporalCli: { kind: 'parsed', parse: text, optional: true, brief: 'Path of the Temporal CLI' },
          temporalPort: {
            kind: 'parsed',
            parse: port,
            default: '7233',
            brief: 'Port of Temporal; 0 for any free one',
          },
          uiPort: {
            kind: 'parsed',
            parse: port,
            default: '8233',
            brief: "Port of Temporal's UI; 0 for any free one",
          },
          graphPort: {
            kind: 'parsed',
            parse: port,
            default: '3979',
            brief: 'Port of the Graph simulator; 0 for any free one',
          },
          webhookPort: {
            kind: 'parsed',
            parse: port,
            default: '3978',
            brief: 'Port of the webhook; 0 for any free one',
          },
          dbFilename: {
            kind: 'parsed',
            parse: text,
            default: '.cache/temporal.db',
            brief: 'File in which Temporal keeps everything, so that it survives a restart',
          },
        },
      },
      docs: { brief: 'Run everything on this machine: Temporal with its UI, a Graph simulator, webhook and worker' },
    }),
  },
  docs: { brief: 'Mutes and unmutes an application in Microsoft Teams and Graph group calls, durably' },
});

export const app = buildApplication(routes, {
  name: 'call-moderation',
  versionInfo: { currentVersion: VERSION },
  scanner: { caseStyle: 'allow-kebab-for-camel' },
  documentation: { caseStyle: 'convert-camel-to-kebab', useAliasInUsageLine: false },
});
