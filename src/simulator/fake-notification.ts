import { z } from 'zod';
import { resultInfo } from './faults.ts';
import { tokenOverrides } from './notification-keys.ts';

/** Why a call ended: `resultInfo` of its last notification. */
export const callEnd = resultInfo.extend({ code: z.int().default(200) });
/** Why a call ends. */
export type CallEnd = z.input<typeof callEnd>;

/** A notification that is sent although nothing happened. */
export const tale = z.strictObject({
  kind: z.enum(['roster', 'call', 'other']).default('roster'),
  /** For `other`: one `commsNotification` as it is to be sent, good or bad. */
  body: z.unknown().optional(),
  token: tokenOverrides.optional(),
});
/** A notification that is sent although nothing happened. */
export type FakeNotification = z.input<typeof tale>;
