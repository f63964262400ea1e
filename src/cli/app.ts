import { buildApplication, buildCommand, buildRouteMap, numberParser } from '@stricli/core';
import type { Action } from '../contract/names.ts';
import { ON_CONFLICT } from '../contract/request.ts';
import { VERSION } from '../lib/version.ts';
import type { CallsFlags, LabelFlags } from './calls.ts';
import type { CodecFlags } from './codec.ts';
import type { Context } from './context.ts';
import type { DevFlags } from './dev.ts';
import type { DoctorFlags } from './doctor.ts';
import { count, endpoint, origin, outcome, port, seconds, url } from './flags.ts';
import type { KeepMutedFlags } from './keep-muted.ts';
import type { ListFlags } from './list.ts';
import type { ModerateFlags } from './moderate.ts';
import type { MuteOnEntryFlags } from './mute-on-entry.ts';
import { policyRoutes } from './policy-routes.ts';
import type { ReleaseFlags } from './release.ts';
import type { SetupFlags } from './setup.ts';

/** The commands. Each loads its code when it runs, so that `--help` does not wait for Temporal's SDK. */

const text = String;

const json = { kind: 'boolean', brief: 'Print the result as JSON', default: false, withNegated: false } as const;

const tenant = { kind: 'parsed', parse: text, optional: true, brief: 'Tenant to take the token from' } as const;

/** For the audit trail. */
const audit = {
  requestedBy: { kind: 'parsed', parse: text, optional: true, brief: 'Who asks, for the audit trail: an opaque ID' },
  reason: { kind: 'parsed', parse: text, optional: true, brief: 'Why, for the audit trail' },
} as const;

const call = { brief: 'The ID of the call, as Graph gave it', parse: text, placeholder: 'CALL' } as const;

/** Whom to mute. `unmute` takes these too, to say why it cannot, but does not offer them. */
const whom = (hidden: boolean) =>
  ({
    participant: {
      kind: 'parsed',
      parse: text,
      variadic: true,
      optional: true,
      hidden,
      brief: 'Mute this participant in place of the application; may be given several times',
    },
    others: {
      kind: 'boolean',
      optional: true,
      withNegated: false,
      hidden,
      brief: 'Mute everyone but the application; nobody can unmute them again but they themselves',
    },
    except: {
      kind: 'parsed',
      parse: text,
      variadic: true,
      optional: true,
      hidden,
      brief: 'With --others: not this participant; may be given several times',
    },
  }) as const;

/** For how long to mute. `unmute` takes these too, to say why it cannot, but does not offer them. */
const timed = (hidden: boolean) =>
  ({
    for: {
      kind: 'parsed',
      parse: seconds,
      optional: true,
      hidden,
      brief: 'Unmute again after this, as in 90s, 10m or 1h30m',
    },
    until: {
      kind: 'parsed',
      parse: text,
      optional: true,
      hidden,
      brief: 'Unmute again then, as in 2026-11-24T17:30:00Z',
    },
    wait: {
      kind: 'boolean',
      optional: true,
      withNegated: false,
      hidden,
      brief: 'With --for or --until: wait until the application is unmuted again',
    },
  }) as const;

const moderate = (action: Action, brief: string) =>
  buildCommand<ModerateFlags, [string], Context>({
    loader: async () => (await import('./moderate.ts')).command(action),
    parameters: {
      positional: { kind: 'tuple', parameters: [call] },
      flags: {
        ...whom(action === 'unmute'),
        ...timed(action === 'unmute'),
        clientContext: {
          kind: 'parsed',
          parse: text,
          optional: true,
          brief: 'Sent to Graph and echoed by it, at most 256 characters; the run ID where absent',
        },
        tenantId: tenant,
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
          values: ON_CONFLICT,
          default: 'supersede',
          brief: 'What to do while another operation runs on the call',
        },
        ...audit,
        requestId: {
          kind: 'parsed',
          parse: text,
          optional: true,
          brief: 'An ID of yours: the same ID again gives the same operation and its result, also after it has ended',
        },
        json,
      },
    },
    docs: { brief },
  });

const keepMuted = buildCommand<KeepMutedFlags, [string], Context>({
  loader: async () => (await import('./keep-muted.ts')).keepMuted,
  parameters: {
    positional: { kind: 'tuple', parameters: [call] },
    flags: {
      for: { kind: 'parsed', parse: seconds, optional: true, brief: 'How long, as in 90s, 10m or 1h30m' },
      until: { kind: 'parsed', parse: text, optional: true, brief: 'Until when, as in 2026-11-24T17:30:00Z' },
      mutes: {
        kind: 'parsed',
        parse: count,
        optional: true,
        brief: 'How often to mute again before giving up, with --within (10 within 10m)',
      },
      within: { kind: 'parsed', parse: seconds, optional: true, brief: 'See --mutes' },
      onConflict: {
        kind: 'enum',
        values: ['extend', 'reject'],
        default: 'extend',
        brief: 'What to do if the call is kept muted already: give that mute lock these terms, or refuse',
      },
      tenantId: tenant,
      ...audit,
      wait: { kind: 'boolean', default: false, withNegated: false, brief: 'Wait until it has ended' },
      json,
    },
  },
  docs: { brief: 'Keep the application muted until a time or a release, muting it again whenever it is unmuted' },
});

const routes = buildRouteMap({
  routes: {
    mute: moderate(
      'mute',
      'Mute the application in a group call, for a time if you name one, and wait until the roster confirms it',
    ),
    unmute: moderate('unmute', 'Unmute the application in a group call, and wait until the roster confirms it'),
    keepMuted,
    muteOnEntry: buildCommand<MuteOnEntryFlags, [string], Context>({
      loader: async () => (await import('./mute-on-entry.ts')).muteOnEntry,
      parameters: {
        positional: { kind: 'tuple', parameters: [call] },
        flags: {
          for: { kind: 'parsed', parse: seconds, optional: true, brief: 'How long, as in 90s, 10m or 1h30m' },
          until: { kind: 'parsed', parse: text, optional: true, brief: 'Until when, as in 2026-11-24T17:30:00Z' },
          except: {
            kind: 'parsed',
            parse: text,
            variadic: true,
            optional: true,
            brief: 'Not this participant; may be given several times',
          },
          onConflict: {
            kind: 'enum',
            values: ['extend', 'reject'],
            default: 'extend',
            brief: 'What to do where one runs on the call already: give it these terms, or refuse',
          },
          tenantId: tenant,
          ...audit,
          wait: { kind: 'boolean', default: false, withNegated: false, brief: 'Wait until it has ended' },
          json,
        },
      },
      docs: { brief: 'Mute once whoever joins a call from now on, until a time or a release' },
    }),
    release: buildCommand<ReleaseFlags, [string?], Context>({
      loader: async () => (await import('./release.ts')).release,
      parameters: {
        positional: { kind: 'tuple', parameters: [{ ...call, optional: true }] },
        flags: {
          tenantId: {
            kind: 'parsed',
            parse: text,
            optional: true,
            brief: 'Every call whose operations named this tenant',
          },
          everywhere: {
            kind: 'boolean',
            default: false,
            withNegated: false,
            brief: 'Every call that this application has muted',
          },
          dryRun: {
            kind: 'boolean',
            default: false,
            withNegated: false,
            brief: 'Tell what would be done, and do nothing',
          },
          ...audit,
          json,
        },
      },
      docs: {
        brief:
          'End mutes on entry and mute locks, and unmute where an operation of ours has left the application muted',
      },
    }),
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
    calls: buildCommand<CallsFlags, [], Context>({
      loader: async () => (await import('./calls.ts')).calls,
      parameters: {
        flags: {
          tenantId: { kind: 'parsed', parse: text, optional: true, brief: 'Of this tenant only' },
          label: { kind: 'parsed', parse: text, optional: true, brief: 'With this label only' },
          state: {
            kind: 'enum',
            values: ['establishing', 'established', 'terminated'],
            default: 'established',
            brief: 'In this state',
          },
          limit: { kind: 'parsed', parse: count, default: '20', brief: 'How many at the most' },
          json,
        },
      },
      docs: { brief: 'List the calls that are alive, the latest first' },
    }),
    label: buildCommand<LabelFlags, [string], Context>({
      loader: async () => (await import('./calls.ts')).labelCall,
      parameters: {
        positional: { kind: 'tuple', parameters: [call] },
        flags: {
          add: { kind: 'parsed', parse: text, variadic: true, optional: true, brief: 'A label to set' },
          remove: { kind: 'parsed', parse: text, variadic: true, optional: true, brief: 'A label to take off' },
          json,
        },
      },
      docs: { brief: 'Label a call, so that policies and lists can name it by that' },
    }),
    policy: policyRoutes,
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
    gateway: buildCommand<object, [], Context>({
      loader: async () => (await import('./processes.ts')).gateway,
      parameters: {},
      docs: { brief: "Run the gateway: it takes mutes and unmutes over HTTP, in Graph's shapes" },
    }),
    setup: buildCommand<SetupFlags, [], Context>({
      loader: async () => (await import('./setup.ts')).setup,
      parameters: {
        flags: {
          nexusEndpoint: {
            kind: 'parsed',
            parse: endpoint,
            optional: true,
            brief: 'Also create the Nexus endpoint of this name, for callers in other namespaces',
          },
          json,
        },
      },
      docs: { brief: 'Register the search attributes that operations need, in the namespace of TEMPORAL_NAMESPACE' },
    }),
    doctor: buildCommand<DoctorFlags, [], Context>({
      loader: async () => (await import('./doctor.ts')).doctor,
      parameters: {
        flags: {
          webhookUrl: {
            kind: 'parsed',
            parse: url,
            optional: true,
            brief: "Where Graph reaches the webhook, the callbackUri of calls; this machine's own where absent",
          },
          tenantId: tenant,
          json,
        },
      },
      docs: { brief: 'Check everything that a deployment needs, and tell the remedies' },
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
          gatewayPort: {
            kind: 'parsed',
            parse: port,
            default: '3980',
            brief: 'Port of the gateway; 0 for any free one',
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
