import { seconds } from './flag-values.ts';

/** Flags that several commands have. */

export const optional = (brief: string) => ({ kind: 'parsed', parse: String, optional: true, brief }) as const;

export const optionalMany = (brief: string) => ({ ...optional(brief), variadic: true }) as const;

export const optionalSwitch = (brief: string) =>
  ({ kind: 'boolean', optional: true, withNegated: false, brief }) as const;

export const switchOff = (brief: string) => ({ kind: 'boolean', default: false, withNegated: false, brief }) as const;

export const optionalSeconds = (brief: string) => ({ kind: 'parsed', parse: seconds, optional: true, brief }) as const;

export const json = switchOff('Print the result as JSON');

export const tenant = optional('Tenant to take the token from');

/** For the audit trail. */
export const audit = {
  requestedBy: optional('Who asks, for the audit trail: an opaque ID'),
  reason: optional('Why, for the audit trail'),
} as const;

export const call = { brief: 'The ID of the call, as Graph gave it', parse: String, placeholder: 'CALL' } as const;

export const oneCall = { kind: 'tuple', parameters: [call] } as const;
