import { z } from 'zod';
import { ID_SPELLINGS } from './ids.ts';

/**
 * How Graph writes to one call's bot. The reference pages, the samples and real traffic differ in all of this, so each
 * call may be given a form of its own; the default is what the reference pages say today.
 */
const fields = {
  /** `resourceUrl` "/communications/calls/…", the older `resource` "/app/calls/…", or both and `callbackUri`. */
  paths: z.enum(['resourceUrl', 'resource', 'both']),
  /** IDs within those paths. */
  urlIds: z.enum(ID_SPELLINGS),
  /** IDs of calls, participants and operations within `resourceData`. */
  entityIds: z.enum(ID_SPELLINGS),
  /** "#microsoft.graph.call", "microsoft.graph.call", or (`legacy`) the first but none at all on the envelope. */
  odataType: z.enum(['hash', 'plain', 'legacy']),
  /** Values of enumerations, in notifications and in answers: "completed" or "Completed". */
  enumCase: z.enum(['camel', 'pascal']),
  /** Everyone (up to 100), or only those who changed, with sequence numbers. */
  roster: z.enum(['full', 'delta']),
  /**
   * Whether reads carry each participant's `rosterSequenceNumber`, as delta rosters do: the pages name it, without a
   * sample.
   */
  numberedReads: z.boolean(),
  /** Whether media streams carry `serverMuted`: everywhere, in reads only, or nowhere. */
  serverMuted: z.union([z.boolean(), z.literal('reads')]),
  /** False: a bare `commsNotification` instead of a collection. */
  collection: z.boolean(),
  /** Up to so many notifications, of those that come within 50 ms, go in one POST. */
  batch: z.int().min(1).max(100),
  /** Each notification waits until the one before it was answered or given up; false: each goes as it comes. */
  inOrder: z.boolean(),
  /**
   * A mute of who is muted already: the pages say that all participants receive a roster update after a success, but a
   * roster that did not change may well not be sent.
   */
  unchanged: z.enum(['notify', 'silent']),
};

export const formChange = z
  .strictObject(fields)
  .partial()
  .refine((form) => form.collection !== false || (form.batch ?? 1) === 1, {
    error: 'a bare notification cannot hold a batch: leave out collection: false or batch',
  });

/** A change of a `Form`. */
export type FormChange = z.input<typeof formChange>;
/** How Graph spells what it returns and sends, because it does so in several ways. */
export type Form = Readonly<z.output<z.ZodObject<typeof fields>>>;

export const DEFAULT_FORM: Form = {
  paths: 'resourceUrl',
  urlIds: 'dashed',
  entityIds: 'dashed',
  odataType: 'hash',
  enumCase: 'camel',
  roster: 'full',
  numberedReads: false,
  serverMuted: true,
  collection: true,
  batch: 1,
  inOrder: true,
  unchanged: 'notify',
};

export function changedForm(form: Form, change: z.output<typeof formChange>): Form {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  return { ...form, ...(Object.fromEntries(given) as Partial<Form>) };
}

const ENUMERATIONS = new Set(['changeType', 'state', 'status', 'direction', 'mediaType']);

/** Writes a finished body in the form's letters. */
export function spell(value: unknown, form: Pick<Form, 'odataType' | 'enumCase'>): unknown {
  if (Array.isArray(value)) return value.map((item) => spell(item, form));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => {
      if (typeof item !== 'string') return [key, spell(item, form)];
      if (key === '@odata.type' && form.odataType === 'plain') return [key, item.replace(/^#/, '')];
      if (form.enumCase === 'pascal' && ENUMERATIONS.has(key))
        return [key, item.charAt(0).toUpperCase() + item.slice(1)];
      return [key, item];
    }),
  );
}
