import { z } from 'zod';
import { OPERATION_STATES } from './operation.ts';

/**
 * What goes wrong, as data. A script is a list of rules for requests, one for notifications and one for mutes that
 * are taken back. For each request, for each notification and for each mute, the first rule that matches and is not
 * used up applies, alone, and is used up by one; where none matches, all goes as the reference pages say.
 *
 * A request runs through: latency, effect, answer. Without a rule the action takes effect just before the answer, and
 * its notification follows the answer. A rule may change each of the three by itself:
 *
 *   slow Graph                      { on: 'mute', latencyMs: 3000 }
 *   503, nothing done               { on: 'mute', answer: { status: 503 } }
 *   503 although it was done        { on: 'mute', answer: { status: 503 }, effect: true }
 *   answer lost, done               { on: 'mute', answer: 'reset', effect: true }
 *   200 "completed", never done     { on: 'mute', effect: false }
 *   200 at once, done 2 s later     { on: 'mute', effect: { afterMs: 2000 } }
 *   done at once, 200 only later    { on: 'mute', latencyMs: 2000, effect: { afterMs: 0 } }
 *   running, fails 1 s later        { on: 'mute', operation: { status: 'running', ends: { status: 'failed', afterMs:
 *     1000 } } }
 */
const CALL_REQUESTS = [
  'getCall',
  'deleteCall',
  'keepAlive',
  'mute',
  'unmute',
  'listParticipants',
  'getParticipant',
  'muteParticipant',
  'listOperations',
  'getOperation',
] as const;
export const SERVICE_REQUESTS = ['createCall', 'token', 'openid', 'jwks'] as const;
/** A request that a fault can be set on. */
export type RequestName = (typeof CALL_REQUESTS)[number] | (typeof SERVICE_REQUESTS)[number];

const ms = z.int().min(0).max(3_600_000);
const often = {
  /** Lets so many pass first. */
  skip: z.int().min(0).default(0),
  /** How often it applies. */
  times: z.union([z.int().min(1), z.literal('forever')]).default(1),
};

export const resultInfo = z.strictObject({
  code: z.int().default(500),
  subcode: z.int().default(0),
  message: z.string().default(''),
});

const requestFault = z.strictObject({
  /** `any` is any request about a call. */
  on: z.enum([...CALL_REQUESTS, ...SERVICE_REQUESTS, 'any']),
  ...often,
  latencyMs: ms.default(0),
  /** In place of the true answer: another one, none until the client goes away, or a broken connection. */
  answer: z
    .union([
      z.literal(['hang', 'reset']),
      z.strictObject({
        status: z.int().min(200).max(599),
        code: z.string().optional(),
        message: z.string().optional(),
        /** `Retry-After`, in seconds or as given. */
        retryAfter: z.union([z.number(), z.string()]).optional(),
        /** Sent as it is, in place of Graph's error body. */
        rawBody: z.string().optional(),
        contentType: z.string().default('application/json'),
      }),
    ])
    .optional(),
  /** Whether and when the action is done; default: with the true answer yes, with another one no. */
  effect: z.union([z.boolean(), z.strictObject({ afterMs: ms })]).optional(),
  /** The operation in a mute's answer. One that is pending takes effect when it ends, if it ends as completed. */
  operation: z
    .strictObject({
      status: z.enum(OPERATION_STATES).nullable(),
      ends: z
        .union([
          z.literal('never'),
          z.strictObject({ status: z.enum(['completed', 'failed']).default('completed'), afterMs: ms.default(100) }),
        ])
        .default({ status: 'completed', afterMs: 100 }),
      /** Its `resultInfo` where it failed. */
      result: resultInfo.default({ code: 500, subcode: 0, message: 'The operation failed.' }),
    })
    .optional(),
});

const notificationFault = z.strictObject({
  on: z.enum(['roster', 'call', 'operation', 'any']).default('any'),
  ...often,
  drop: z.boolean().default(false),
  delayMs: ms.default(0),
  /** How often it is delivered. */
  copies: z.int().min(1).max(100).default(1),
  /** Kept back and sent after the next one (or once the faults are cleared). */
  hold: z.boolean().default(false),
  /** Delivered, and its answer awaited, before the request that caused it is answered. */
  early: z.boolean().default(false),
  /** Before a roster comes another: of the state before (`stale`), or with the app's own mute upside down (`wrong`). */
  precededBy: z.enum(['stale', 'wrong']).optional(),
});

/** Who is muted by Graph unmutes again after a moment, as people do, and others with them. */
const unmuteFault = z.strictObject({
  who: z.enum(['app', 'people', 'any']).default('any'),
  ...often,
  afterMs: ms.default(100),
});

export const faults = z.strictObject({
  requests: z.array(requestFault).default([]),
  notifications: z.array(notificationFault).default([]),
  /** A mute that took effect is taken back, by whoever. */
  unmutes: z.array(unmuteFault).default([]),
  /** The app's own participant is not yet in the roster. */
  hideSelf: z.boolean().default(false),
});
export const serviceFaults = faults.pick({ requests: true });

/** What goes wrong with a call: its requests, its notifications and its mutes. */
export type Faults = z.input<typeof faults>;
/** What goes wrong with a request. */
export type RequestFault = z.output<typeof requestFault>;
/** Who unmutes after a mute. */
export type UnmuteFault = z.output<typeof unmuteFault>;
/** What goes wrong with a notification. */
export type NotificationFault = z.output<typeof notificationFault>;
/** What a notification is about. */
export type NotificationKind = 'roster' | 'call' | 'operation';

interface Often {
  skip: number;
  times: number | 'forever';
}

function takeFirst<T extends Often>(rules: readonly T[], matches: (rule: T) => boolean): T | undefined {
  for (const rule of rules) {
    if (rule.times === 0 || !matches(rule)) continue;
    if (rule.skip > 0) {
      rule.skip -= 1;
      continue;
    }
    if (rule.times !== 'forever') rule.times -= 1;
    return rule;
  }
  return undefined;
}

/** A script in play: its rules count down as they are used. */
export class FaultScript {
  readonly #rules: z.output<typeof faults>;

  /** The rules come fresh from the check above, so that counting down changes nobody else's. */
  constructor(rules: z.output<typeof faults> = { requests: [], notifications: [], unmutes: [], hideSelf: false }) {
    this.#rules = rules;
  }

  get hideSelf(): boolean {
    return this.#rules.hideSelf;
  }

  /** What is left of it. */
  get rules(): z.output<typeof faults> {
    return this.#rules;
  }

  forRequest(name: RequestName): RequestFault | undefined {
    const aboutCall = CALL_REQUESTS.some((known) => known === name);
    return takeFirst(this.#rules.requests, ({ on }) => on === name || (on === 'any' && aboutCall));
  }

  forNotification(kind: NotificationKind): NotificationFault | undefined {
    return takeFirst(this.#rules.notifications, ({ on }) => on === kind || on === 'any');
  }

  forUnmute(isApplication: boolean): UnmuteFault | undefined {
    const own = isApplication ? 'app' : 'people';
    return takeFirst(this.#rules.unmutes, ({ who }) => who === own || who === 'any');
  }
}
