import { buildCommand } from '@stricli/core';
import type { Context } from '../context.ts';
import { count } from '../flag-values.ts';
import { audit, json, oneCall, optionalSeconds, tenant } from '../shared-flags.ts';
import type { KeepMutedFlags } from './keep-muted.ts';
import { lifetime, onConflict, wait } from './standing-flags.ts';

export const keepMutedCommand = buildCommand<KeepMutedFlags, [string], Context>({
  loader: async () => (await import('./keep-muted.ts')).keepMuted,
  parameters: {
    positional: oneCall,
    flags: {
      ...lifetime,
      mutes: {
        kind: 'parsed',
        parse: count,
        optional: true,
        brief: 'How often to mute again before giving up, with --within (10 within 10m)',
      },
      within: optionalSeconds('See --mutes'),
      onConflict: onConflict(
        'What to do if the call is kept muted already: give that mute lock these terms, or refuse',
      ),
      tenantId: tenant,
      ...audit,
      wait,
      json,
    },
  },
  docs: { brief: 'Keep the application muted until a time or a release, muting it again whenever it is unmuted' },
});
