import { buildCommand } from '@stricli/core';
import type { Context } from '../context.ts';
import { endpoint, origin, port, url } from '../flag-values.ts';
import { json, tenant } from '../shared-flags.ts';
import type { CodecFlags } from './codec.ts';
import type { DoctorFlags } from './doctor.ts';
import type { SetupFlags } from './setup.ts';

/** For those who operate the service. */

export const setupCommand = buildCommand<SetupFlags, [], Context>({
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
});

export const doctorCommand = buildCommand<DoctorFlags, [], Context>({
  loader: async () => (await import('./doctor.ts')).doctor,
  parameters: {
    flags: {
      webhookUrl: {
        kind: 'parsed',
        parse: url,
        optional: true,
        brief: "Where Graph reaches the webhook, the callbackUri of calls; this machine's own if absent",
      },
      tenantId: tenant,
      json,
    },
  },
  docs: { brief: 'Check everything that a deployment needs, and print what to do' },
});

export const codecCommand = buildCommand<CodecFlags, [], Context>({
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
});

export const setCurrentVersionCommand = buildCommand<{ json: boolean }, [], Context>({
  loader: async () => (await import('./set-current-version.ts')).setCurrentVersion,
  parameters: { flags: { json } },
  docs: { brief: 'With versioned workers: have new operations begin on MODERATION_BUILD_ID from now on' },
});
