import { buildCommand } from '@stricli/core';
import type { Context } from '../context.ts';
import { audit, json, oneCall, optionalMany, tenant } from '../shared-flags.ts';
import type { MuteOnEntryFlags } from './mute-on-entry.ts';
import { lifetime, onConflict, wait } from './standing-flags.ts';

export const muteOnEntryCommand = buildCommand<MuteOnEntryFlags, [string], Context>({
  loader: async () => (await import('./mute-on-entry.ts')).muteOnEntry,
  parameters: {
    positional: oneCall,
    flags: {
      ...lifetime,
      except: optionalMany('Not this participant; may be given several times'),
      onConflict: onConflict('What to do if one runs on the call already: give it these terms, or refuse'),
      tenantId: tenant,
      ...audit,
      wait,
      json,
    },
  },
  docs: { brief: 'Mute once whoever joins a call from now on, until a time or a release' },
});
