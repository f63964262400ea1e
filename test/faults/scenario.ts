import fc from 'fast-check';
import type { OnConflict } from '../../src/contract/request.ts';
import type { Faults, FormChange } from '../../src/simulator/index.ts';

/** What may happen around one call, as data that fast-check makes and shrinks. */
export type Step =
  | {
      kind: 'ask';
      action: 'mute' | 'unmute';
      confirmWithinSeconds: number;
      onUnconfirmed: 'restore' | 'leave';
      onConflict: OnConflict;
    }
  | { kind: 'supersede'; action: 'mute' | 'unmute' }
  | { kind: 'cancel'; which: number }
  | { kind: 'faults'; faults: Faults }
  | { kind: 'clientMute'; isMuted: boolean }
  /** An organizer mutes or unmutes the application, in Teams. */
  | { kind: 'serverMute'; isMuted: boolean }
  | { kind: 'someoneElse' }
  | { kind: 'endCall' }
  | { kind: 'pause'; ms: number };

export interface Scenario {
  form: FormChange;
  steps: Step[];
}

const action = fc.constantFrom('mute', 'unmute' as const);

const answer = fc.oneof(
  fc.constant({ status: 503 }),
  fc.constant({ status: 429, retryAfter: 1 }),
  fc.constant('reset' as const),
  fc.constant({ status: 403, code: '7503' }),
  fc.constant({ status: 400, code: 'BadRequest' }),
);

const requestFault = fc.record(
  {
    on: fc.constantFrom('mute', 'unmute', 'getCall', 'listParticipants', 'getParticipant'),
    times: fc.integer({ min: 1, max: 2 }),
    latencyMs: fc.constantFrom(0, 50, 400, 1_200),
    answer,
    effect: fc.oneof(fc.boolean(), fc.constantFrom({ afterMs: 0 }, { afterMs: 700 })),
  },
  { requiredKeys: ['on'] },
);

const operationFault = fc.record({
  on: fc.constantFrom('mute', 'unmute'),
  operation: fc.record({
    status: fc.constantFrom('running', 'notStarted', null),
    ends: fc.record({ status: fc.constantFrom('completed', 'failed'), afterMs: fc.constantFrom(0, 300) }),
  }),
});

/** `wrong` rosters are lies, against which nobody can do anything: they are left to a test of their own. */
const notificationFault = fc.record(
  {
    on: fc.constantFrom('roster', 'any' as const),
    times: fc.integer({ min: 1, max: 3 }),
    drop: fc.boolean(),
    delayMs: fc.constantFrom(0, 100, 1_500),
    copies: fc.integer({ min: 1, max: 3 }),
    hold: fc.boolean(),
    early: fc.boolean(),
    precededBy: fc.constant('stale' as const),
  },
  { requiredKeys: [] },
);

const faults = fc.record({
  requests: fc.array(fc.oneof({ weight: 4, arbitrary: requestFault }, operationFault), { maxLength: 2 }),
  notifications: fc.array(notificationFault, { maxLength: 2 }),
  hideSelf: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
}) as fc.Arbitrary<Faults>;

const ask = fc.record({
  kind: fc.constant('ask' as const),
  action,
  confirmWithinSeconds: fc.constantFrom(1, 3),
  onUnconfirmed: fc.constantFrom('restore', 'restore', 'leave' as const),
  onConflict: fc.constantFrom('supersede', 'supersede', 'queue', 'reject' as const),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: ask },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('supersede' as const), action }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat({ max: 5 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('faults' as const), faults }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clientMute' as const), isMuted: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('serverMute' as const), isMuted: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'someoneElse' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: fc.constantFrom(20, 100, 500, 1_500) }),
  },
);

/** A call may end at any moment, also while more is asked of it. */
const end = fc.constantFrom<Step[]>([], [], [], [{ kind: 'endCall' }]);
const cutShort = fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat({ max: 24 }) });

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  form: fc.record({
    roster: fc.constantFrom('full', 'delta'),
    numberedReads: fc.boolean(),
    serverMuted: fc.constantFrom(true, false, 'reads'),
    unchanged: fc.constantFrom('notify', 'silent'),
    inOrder: fc.constantFrom(true, true, false),
    batch: fc.constantFrom(1, 1, 3),
  }) as fc.Arbitrary<FormChange>,
  steps: fc
    .tuple(fc.array(step, { minLength: 4, maxLength: 24 }), end, cutShort)
    .map(([steps, last, at]) =>
      at === null ? [...steps, ...last] : steps.toSpliced(at, 0, { kind: 'endCall' as const }),
    ),
});
