import fc from 'fast-check';
import type { Faults } from '../../src/simulator/index.ts';

/** What may happen around one call that is held, paused or muted on entry, as data that fast-check makes and shrinks. */
export type StandingStep =
  | { kind: 'keepMuted'; forSeconds: number | undefined; enforce: boolean }
  | { kind: 'releaseHold' }
  | { kind: 'muteOnEntry' }
  | { kind: 'releaseMuteOnEntry' }
  | { kind: 'ask'; action: 'mute' | 'unmute' }
  | { kind: 'releaseCall' }
  | { kind: 'join'; count: number }
  | { kind: 'leave' }
  /** An organizer mutes or unmutes the application, in Teams. */
  | { kind: 'organizer'; isMuted: boolean }
  | { kind: 'faults'; faults: Faults }
  | { kind: 'cancelHold' }
  | { kind: 'endCall' }
  | { kind: 'wait'; ms: number };

const answer = fc.oneof(
  fc.constant({ status: 503 }),
  fc.constant({ status: 429, retryAfter: 1 }),
  fc.constant('reset' as const),
  fc.constant({ status: 403, code: '7503' }),
);

const requestFault = fc.record(
  {
    on: fc.constantFrom('mute', 'unmute', 'getCall', 'listParticipants', 'getParticipant', 'muteParticipant'),
    times: fc.integer({ min: 1, max: 2 }),
    latencyMs: fc.constantFrom(0, 50, 400, 1_200),
    answer,
  },
  { requiredKeys: ['on'] },
);

const notificationFault = fc.record(
  {
    on: fc.constantFrom('roster', 'any' as const),
    times: fc.integer({ min: 1, max: 3 }),
    drop: fc.boolean(),
    delayMs: fc.constantFrom(0, 100, 1_500),
    copies: fc.integer({ min: 1, max: 3 }),
  },
  { requiredKeys: [] },
);

const faults = fc.record({
  requests: fc.array(requestFault, { maxLength: 2 }),
  notifications: fc.array(notificationFault, { maxLength: 1 }),
}) as fc.Arbitrary<Faults>;

const step: fc.Arbitrary<StandingStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('keepMuted' as const),
      forSeconds: fc.constantFrom(1, 3, 6, 600, undefined),
      enforce: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'releaseHold' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'cancelHold' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'muteOnEntry' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'releaseMuteOnEntry' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('ask' as const), action: fc.constantFrom('mute', 'unmute' as const) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'releaseCall' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('join' as const), count: fc.integer({ min: 1, max: 2 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'leave' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('organizer' as const), isMuted: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('faults' as const), faults }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(20, 300, 1_000, 2_500) }),
  },
);

const last = fc.constantFrom<StandingStep[]>([], [], [], [], [{ kind: 'endCall' }]);

export const standingScenario: fc.Arbitrary<StandingStep[]> = fc
  .tuple(fc.array(step, { minLength: 4, maxLength: 16 }), last)
  .map(([steps, end]) => [...steps, ...end]);
