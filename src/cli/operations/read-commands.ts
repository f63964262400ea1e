import { buildCommand } from '@stricli/core';
import type { Context } from '../context.ts';
import { count, outcome } from '../flag-values.ts';
import { json, oneCall, optional } from '../shared-flags.ts';
import type { ListFlags } from './list.ts';

/** `status CALL` and `list` read operations and change nothing. */

export const statusCommand = buildCommand<{ json: boolean }, [string], Context>({
  loader: async () => (await import('./status.ts')).status,
  parameters: { positional: oneCall, flags: { json } },
  docs: { brief: 'Show the latest operation on a call, running or ended' },
});

export const listCommand = buildCommand<ListFlags, [], Context>({
  loader: async () => (await import('./list.ts')).list,
  parameters: {
    flags: {
      call: optional('Of this call only'),
      outcome: {
        kind: 'parsed',
        parse: outcome,
        optional: true,
        brief: "With this outcome only: Pending, Confirmed, Cancelled or a failure's type",
      },
      tenantId: optional('Of this tenant only'),
      limit: { kind: 'parsed', parse: count, default: '20', brief: 'Maximum number of results' },
      json,
    },
  },
  docs: { brief: 'List operations, the latest first' },
});
