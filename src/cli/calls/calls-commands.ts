import { buildCommand } from '@stricli/core';
import type { Context } from '../context.ts';
import { count } from '../flag-values.ts';
import { json, oneCall, optional, optionalMany } from '../shared-flags.ts';
import type { CallsFlags, LabelFlags } from './calls.ts';

export const callsCommand = buildCommand<CallsFlags, [], Context>({
  loader: async () => (await import('./calls.ts')).calls,
  parameters: {
    flags: {
      tenantId: optional('Of this tenant only'),
      label: optional('With this label only'),
      state: {
        kind: 'enum',
        values: ['establishing', 'established', 'terminated'],
        default: 'established',
        brief: 'In this state',
      },
      limit: { kind: 'parsed', parse: count, default: '20', brief: 'Maximum number of results' },
      json,
    },
  },
  docs: { brief: 'List the active calls, the latest first' },
});

export const labelCommand = buildCommand<LabelFlags, [string], Context>({
  loader: async () => (await import('./calls.ts')).labelCall,
  parameters: {
    positional: oneCall,
    flags: { add: optionalMany('A label to set'), remove: optionalMany('A label to take off'), json },
  },
  docs: { brief: 'Label a call, so that policies and lists can name it by that' },
});
