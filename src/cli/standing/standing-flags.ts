import { optional, optionalSeconds, switchOff } from '../shared-flags.ts';

/** Flags of every standing mute. */

export const lifetime = {
  for: optionalSeconds('How long, as in 90s, 10m or 1h30m'),
  until: optional('Until when, as in 2026-11-24T17:30:00Z'),
} as const;

export const wait = switchOff('Wait until it has ended');

export const onConflict = (brief: string) =>
  ({ kind: 'enum', values: ['extend', 'reject'], default: 'extend', brief }) as const;
