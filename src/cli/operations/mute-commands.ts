import { buildCommand } from '@stricli/core';
import type { Action } from '../../contract/names.ts';
import { ON_CONFLICT } from '../../contract/request.ts';
import type { Context } from '../context.ts';
import { number } from '../flag-values.ts';
import {
  audit,
  json,
  oneCall,
  optional,
  optionalMany,
  optionalSeconds,
  optionalSwitch,
  tenant,
} from '../shared-flags.ts';
import type { ModerateFlags } from './moderate.ts';

/** Whom to mute, and for how long. `unmute` takes these flags too, to say why it cannot, but does not offer them. */
const ofMutes = (hidden: boolean) =>
  ({
    participant: {
      ...optionalMany('Mute this participant instead of the application; may be given several times'),
      hidden,
    },
    others: {
      ...optionalSwitch('Mute everyone but the application; only they can unmute themselves again'),
      hidden,
    },
    except: { ...optionalMany('With --others: not this participant; may be given several times'), hidden },
    for: { ...optionalSeconds('Unmute again after this, as in 90s, 10m or 1h30m'), hidden },
    until: { ...optional('Unmute again then, as in 2026-11-24T17:30:00Z'), hidden },
    wait: { ...optionalSwitch('With --for or --until: wait until the application is unmuted again'), hidden },
  }) as const;

const moderate = (action: Action, brief: string) =>
  buildCommand<ModerateFlags, [string], Context>({
    loader: async () => (await import('./moderate.ts')).command(action),
    parameters: {
      positional: oneCall,
      flags: {
        ...ofMutes(action === 'unmute'),
        clientContext: optional('Sent to Graph and echoed by it, at most 256 characters; the run ID if absent'),
        tenantId: tenant,
        confirmWithinSeconds: {
          kind: 'parsed',
          parse: number,
          optional: true,
          brief: "Seconds from Graph's acceptance to the roster's confirmation, 1 to 300 (30)",
        },
        onUnconfirmed: {
          kind: 'enum',
          values: ['restore', 'leave'],
          optional: true,
          brief: 'What to do to the call if the roster does not confirm (restore)',
        },
        onConflict: {
          kind: 'enum',
          values: ON_CONFLICT,
          default: 'supersede',
          brief: 'What to do while another operation runs on the call',
        },
        ...audit,
        requestId: optional(
          'An ID of yours: the same ID again gives the same operation and its result, also after it has ended',
        ),
        json,
      },
    },
    docs: { brief },
  });

export const muteCommand = moderate(
  'mute',
  'Mute the application in a group call, for a time if you name one, and wait until the roster confirms it',
);

export const unmuteCommand = moderate(
  'unmute',
  'Unmute the application in a group call, and wait until the roster confirms it',
);
