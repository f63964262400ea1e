import { buildCommand } from '@stricli/core';
import type { Context } from '../context.ts';
import { audit, call, json, optional, switchOff } from '../shared-flags.ts';
import type { ReleaseFlags } from './release.ts';

export const releaseCommand = buildCommand<ReleaseFlags, [string?], Context>({
  loader: async () => (await import('./release.ts')).release,
  parameters: {
    positional: { kind: 'tuple', parameters: [{ ...call, optional: true }] },
    flags: {
      tenantId: optional('Every call whose operations named this tenant'),
      everywhere: switchOff('Every call that this application has muted'),
      dryRun: switchOff('Print what would be done, and do nothing'),
      ...audit,
      json,
    },
  },
  docs: {
    brief: 'End mutes on entry and mute locks, and unmute where an operation of ours has left the application muted',
  },
});
