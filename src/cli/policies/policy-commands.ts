import { buildCommand, buildRouteMap } from '@stricli/core';
import type { PolicyOverlap } from '../../contract/policy.ts';
import { ON_CONFLICT } from '../../contract/request.ts';
import type { Context } from '../context.ts';
import { count, number } from '../flag-values.ts';
import { audit, json, optional, optionalMany, optionalSeconds, optionalSwitch } from '../shared-flags.ts';
import type { PolicyFlags } from './policy-from-flags.ts';

/** `policy …`: actions on many calls by the clock. */

const many = (brief: string) => ({ kind: 'parsed', parse: String, variadic: ',', optional: true, brief }) as const;

const optionalNumber = (brief: string) => ({ kind: 'parsed', parse: number, optional: true, brief }) as const;

const OVERLAPS: readonly PolicyOverlap[] = [
  'skip',
  'bufferOne',
  'bufferAll',
  'cancelOther',
  'terminateOther',
  'allowAll',
];

const overlap = {
  kind: 'enum',
  values: OVERLAPS,
  optional: true,
  brief: 'What to do if the previous run has not ended (skip; bufferOne for unmute)',
} as const;

const note = optional('For people: why');

const positional = {
  kind: 'tuple',
  parameters: [{ brief: 'The ID of the policy', parse: String, placeholder: 'POLICY' }],
} as const;

const flags = {
  action: { kind: 'enum', values: ['mute', 'unmute'], optional: true, brief: 'What to do' },
  call: many('Act on this call; repeat it, or separate with commas'),
  live: optionalSwitch('Act on all active calls'),
  tenantId: optional('Act on the active calls of this tenant'),
  label: optional('Act on the active calls with this label'),
  participant: many('Mute this participant instead of the application; repeat it, or separate with commas'),
  others: optionalSwitch('Mute everyone except the application; only they can unmute themselves again'),
  except: many('With --others or --on-entry: except this participant; repeat it, or separate with commas'),
  at: many('Times of day, such as 18:00'),
  days: many('With --at or --quiet-hours: days, such as mon,fri or weekdays (every day)'),
  every: optional('An interval, such as 90s, 15m, 1h30m'),
  cron: optionalMany("An expression, such as '0 18 * * MON-FRI'"),
  once: optional("A date, such as 2026-12-24T18:00, 'in 2h' or 'tomorrow 09:00'"),
  quietHours: optional(
    'Mute in these hours, such as 22:00-06:00, also calls that are established meanwhile, and unmute afterwards; --days are the days on which they begin',
  ),
  onEstablished: optionalSwitch('Also mute in a matching call when it is established'),
  onEntry: optionalSwitch(
    'Mute newcomers in matching calls, starting when the call is established or the policy runs; =false removes the rule',
  ),
  entryFor: optionalSeconds('With --on-entry: for how long, such as 1h'),
  minParticipants: optionalNumber('Act only on calls with at least this many participants, 2 to 100'),
  timeZone: optional('The time zone of all times, such as Europe/Berlin (UTC)'),
  start: optional('Not before this date'),
  end: optional('Not after this date'),
  jitter: optional('Delay each run by a random time up to this long, such as 30s'),
  overlap,
  catchupWindow: optional('How late it may run after an outage, such as 15m (60s; 1h for unmute)'),
  onConflict: {
    kind: 'enum',
    values: ON_CONFLICT,
    optional: true,
    brief: 'What to do if another operation runs on the call (supersede)',
  },
  concurrency: optionalNumber('Operations at a time, 1 to 50 (10)'),
  perSecond: optionalNumber('Operations started in a second, 1 to 50 (10)'),
  confirmWithinSeconds: optionalNumber("From Graph's acceptance to the roster's confirmation, 1 to 300 (30)"),
  onUnconfirmed: {
    kind: 'enum',
    values: ['restore', 'leave'],
    optional: true,
    brief: 'What to do with the call if the roster does not confirm (restore)',
  },
  ...audit,
  note,
  json,
} as const;

export const policyCommands = buildRouteMap({
  routes: {
    create: buildCommand<PolicyFlags, [string], Context>({
      loader: async () => (await import('./policy.ts')).create,
      parameters: {
        positional,
        flags: { ...flags, paused: optionalSwitch('Create it paused: it runs once it is resumed') },
      },
      docs: { brief: 'Create a policy and print when it runs next' },
    }),
    update: buildCommand<Omit<PolicyFlags, 'paused'>, [string], Context>({
      loader: async () => (await import('./policy.ts')).update,
      parameters: { positional, flags },
      docs: { brief: 'Change the fields that the flags name; the rest stays as it is' },
    }),
    list: buildCommand<{ limit: number; json: boolean }, [], Context>({
      loader: async () => (await import('./policy.ts')).list,
      parameters: {
        flags: { limit: { kind: 'parsed', parse: count, default: '100', brief: 'Maximum number of results' }, json },
      },
      docs: { brief: 'List policies, and when each runs next' },
    }),
    describe: buildCommand<{ json: boolean }, [string], Context>({
      loader: async () => (await import('./policy.ts')).describe,
      parameters: { positional, flags: { json } },
      docs: { brief: 'Show a policy, when it runs next, and the report of its last run' },
    }),
    pause: buildCommand<{ note?: string; json: boolean }, [string], Context>({
      loader: async () => (await import('./policy.ts')).pause,
      parameters: { positional, flags: { note, json } },
      docs: { brief: 'Stop it until it is resumed; prints the calls that it leaves muted or muting on entry' },
    }),
    resume: buildCommand<{ note?: string; json: boolean }, [string], Context>({
      loader: async () => (await import('./policy.ts')).resume,
      parameters: { positional, flags: { note, json } },
      docs: { brief: 'Run it again when it is due' },
    }),
    trigger: buildCommand<{ overlap?: PolicyOverlap; json: boolean }, [string], Context>({
      loader: async () => (await import('./policy.ts')).trigger,
      parameters: { positional, flags: { overlap, json } },
      docs: { brief: 'Run it now' },
    }),
    backfill: buildCommand<{ start: string; end: string; overlap?: PolicyOverlap; json: boolean }, [string], Context>({
      loader: async () => (await import('./policy.ts')).backfill,
      parameters: {
        positional,
        flags: {
          start: { kind: 'parsed', parse: String, brief: 'From this date on' },
          end: { kind: 'parsed', parse: String, brief: 'Until this date, which must be in the past' },
          overlap: { ...overlap, brief: 'What to do if the previous run has not ended (bufferAll)' },
          json,
        },
      },
      docs: { brief: 'Run it now, as often as it was due in a past period' },
    }),
    delete: buildCommand<{ json: boolean }, [string], Context>({
      loader: async () => (await import('./policy.ts')).remove,
      parameters: { positional, flags: { json } },
      docs: { brief: 'Delete it; prints the calls that it leaves muted or muting on entry' },
    }),
  },
  docs: { brief: 'Act on many calls by schedule' },
});
