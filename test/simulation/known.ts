import type { Verb } from './graph.ts';
import type { Act, CallPlan, Scenario } from './scenario.ts';

/**
 * What was once wrong, as small scenarios: each was found by a search, or is what somebody has reported. The numbers are the
 * rows of the list that version 1.0 began with ("Never left muted"); a name in place of a number is of what was found later.
 */
export interface Known {
  row: string;
  what: string;
  /** How many orders are tried; 12 where absent. */
  orders?: number;
  /** What was asked has ended by then, in seconds from the start: sooner than the judge would have it, who knows less. */
  endsBy?: number;
  scenario: Omit<Scenario, 'seed'>;
}

const call = (more: Partial<CallPlan> = {}): CallPlan => ({
  people: 3,
  isDelta: false,
  deployment: 0,
  isLive: false,
  ...more,
});

const at = (seconds: number, act: Act): { at: number } & Act => ({ at: seconds * 1_000, ...act });

/** Graph refuses these requests, each time, for so long. */
const refused = (from: number, on: readonly Verb[], status: number, seconds: number, of = 0): { at: number } & Act =>
  at(from, { kind: 'graph', call: of, on, how: 'status', status, probability: 1, seconds });

const known = (
  row: string,
  what: string,
  minutes: number,
  steps: Scenario['steps'],
  { orders, endsBy, ...more }: Partial<Scenario> & Pick<Known, 'orders' | 'endsBy'> = {},
): Known => ({
  row,
  what,
  ...(orders !== undefined && { orders }),
  ...(endsBy !== undefined && { endsBy }),
  scenario: { theme: 'known', start: '2027-02-01T21:00:00Z', minutes, calls: [call()], steps, ...more },
});

const placesOf = (count: number): number[] => Array.from({ length: count }, (_, place) => place);

const callsOf = (count: number, more: Partial<CallPlan> = {}): CallPlan[] => placesOf(count).map(() => call(more));

const unmuteAt = (row: string, minutes: number): Known =>
  known(
    row,
    'quiet hours end for all calls, though Graph refuses one',
    minutes,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00:00', to: '22:00:30', zone: 'UTC', calls: [0, 1] }),
      refused(3_590, ['mute'], 503, 120, 1),
    ],
    { calls: [call(), call()] },
  );

/** Temporal is slow just when an operation of a mute on entry ends, 44 s after the start. */
const heardOf = (how: string, ms: number, seconds: number, endsBy: number): Known =>
  known(
    'entry',
    `a mute on entry hears of the end of its operation though Temporal is slow ${how}`,
    10,
    [
      at(0, { kind: 'entry', call: 0 }),
      at(10, { kind: 'join', call: 0, name: 'late', isInLobby: false }),
      at(10.2, { kind: 'notices', drop: 1, copies: 0, delayMs: 0, seconds: 60 }),
      refused(10, ['muteParticipant'], 503, 4),
      refused(11, ['list', 'getParticipant'], 503, 60),
      at(20, { kind: 'release', call: 0 }),
      at(43, { kind: 'slow', ms, seconds }),
    ],
    { endsBy },
  );

export const KNOWN: readonly Known[] = [
  unmuteAt('1', 90),
  known('1', 'quiet hours end though all workers are away at their end', 110, [
    at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:15', zone: 'UTC', calls: [0] }),
    at(4_495, { kind: 'away', deployment: 0, seconds: 90 }),
  ]),
  known('1', 'quiet hours end though the call cannot be read at their end', 120, [
    at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:15', zone: 'UTC', calls: [0] }),
    refused(4_495, ['getCall', 'list', 'getParticipant'], 503, 300),
  ]),
  known(
    '2',
    'quiet hours end in the hour that spring skips',
    451,
    [at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '02:30', zone: 'America/New_York', calls: [0] })],
    { start: '2027-03-13T20:00:00-05:00' },
  ),
  known(
    '2',
    'quiet hours end in the hour that spring skips',
    451,
    [at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '02:30', zone: 'Europe/Berlin', calls: [0] })],
    { start: '2027-03-27T20:00:00+01:00' },
  ),
  known(
    '2',
    'quiet hours begin at a midnight that spring skips',
    330,
    [at(0, { kind: 'quiet', id: 'q', from: '00:00', to: '06:00', zone: 'Africa/Cairo', calls: [0] })],
    { start: '2027-04-29T20:00:00+02:00' },
  ),
  known(
    '3',
    'an operation that stands still holds up no policy',
    220,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:30', zone: 'UTC', calls: [0, 1] }),
      at(3_000, { kind: 'strand', call: 1, action: 'unmute', seconds: 9_000 }),
    ],
    { calls: [call(), call()] },
  ),
  known('3', 'an operation that stands still outlives no live call', 220, [
    at(0, { kind: 'quiet', id: 'q', from: '20:00', to: '23:59', zone: 'UTC', calls: 'live' }),
    at(1, { kind: 'strand', call: 0, action: 'unmute', seconds: 12_000 }),
    at(5, { kind: 'establish', call: 0 }),
    at(600, { kind: 'end', call: 0 }),
  ]),
  known(
    '4',
    'twenty pauses that end together on a worker with ten places',
    45,
    [
      ...Array.from({ length: 20 }, (_, index) =>
        at(index / 10, { kind: 'keepMuted', call: index, enforce: false, seconds: 900 - index / 10 }),
      ),
    ],
    { calls: Array.from({ length: 20 }, () => call()), slots: 5, orders: 2 },
  ),
  known(
    '6',
    'a mute lock beside an operation that stands still keeps its history short',
    110,
    [
      at(0, { kind: 'keepMuted', call: 0, enforce: true }),
      at(60, { kind: 'strand', call: 0, action: 'unmute', seconds: 4_500 }),
      at(120, { kind: 'organizer', call: 0, isMuted: false }),
    ],
    { orders: 1 },
  ),
  known(
    '6',
    'a mute lock that cannot unmute takes every roster of a call that talks',
    60,
    [
      at(0, { kind: 'keepMuted', call: 0, enforce: true, seconds: 60 }),
      at(30, { kind: 'strand', call: 0, action: 'mute', seconds: 2_400 }),
      at(90, { kind: 'talk', call: 0, everyMs: 100, seconds: 1_800 }),
    ],
    { orders: 1 },
  ),
  known('7', 'a release wakes a mute lock that waits to try again', 60, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true, seconds: 60 }),
    refused(50, ['mute', 'unmute'], 503, 700),
    at(900, { kind: 'release', call: 0 }),
  ]),
  known(
    '8',
    "a release everywhere leaves another deployment's hold alone",
    45,
    [at(0, { kind: 'keepMuted', call: 1, enforce: true }), at(600, { kind: 'releaseEverywhere', deployment: 0 })],
    { calls: [call(), call({ deployment: 1 })] },
  ),
  known(
    '8',
    "a release everywhere leaves another deployment's mute alone",
    45,
    [
      at(0, { kind: 'ask', call: 1, action: 'mute', onConflict: 'supersede' }),
      at(600, { kind: 'releaseEverywhere', deployment: 0 }),
    ],
    { calls: [call(), call({ deployment: 1 })] },
  ),
  known('12', 'a run that is cancelled starts nothing more, also where it queues', 40, [
    at(59, { kind: 'graph', call: 0, on: ['mute', 'unmute'], how: 'slow', probability: 1, seconds: 10 }),
    at(60, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    at(60.3, { kind: 'policy', id: 'p', action: 'mute', calls: [0], onConflict: 'queue' }),
    at(61.2, { kind: 'cancelPolicy', id: 'p' }),
  ]),
  known(
    '13',
    'a worker dies after it has superseded: what was asked since then is newer',
    40,
    [
      at(59.9, { kind: 'graph', call: 0, on: ['mute', 'unmute'], how: 'slow', probability: 1, seconds: 12 }),
      at(60, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
      at(60.9, { kind: 'policy', id: 'p', action: 'mute', calls: [0], onConflict: 'supersede' }),
      at(62.5, { kind: 'kill', deployment: 0, seconds: 5 }),
      at(66.5, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    ],
    { orders: 60 },
  ),
  known('15', 'a mute lock is released while lists are down', 60, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    at(30, { kind: 'others', call: 0 }),
    at(280, { kind: 'lists', lagMs: 300, isFailing: true, seconds: 1_800 }),
    at(300, { kind: 'organizer', call: 0, isMuted: false }),
    at(600, { kind: 'release', call: 0 }),
  ]),
  known('15', 'a mute lock that cannot ask the lists expires all the same', 90, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true, seconds: 900 }),
    at(30, { kind: 'others', call: 0 }),
    at(280, { kind: 'lists', lagMs: 300, isFailing: true, seconds: 4_200 }),
    at(300, { kind: 'organizer', call: 0, isMuted: false }),
  ]),
  known('17', 'a list that lags makes no mute lock mute against an unmute', 60, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    at(100, { kind: 'notices', drop: 1, copies: 0, delayMs: 30, seconds: 200 }),
    at(100, { kind: 'lists', lagMs: 200_000, isFailing: false, seconds: 200 }),
    at(120, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    at(124, { kind: 'others', call: 0 }),
  ]),
  known('18', 'a list that is empty makes no mute on entry mute who was there', 60, [
    at(50, { kind: 'graph', call: 0, on: ['list'], how: 'empty', probability: 1, seconds: 30 }),
    at(60, { kind: 'entry', call: 0, seconds: 1_200 }),
  ]),
  known('18', 'a list that is incomplete makes no mute on entry mute who was there', 60, [
    at(50, { kind: 'graph', call: 0, on: ['list'], how: 'incomplete', probability: 1, seconds: 30 }),
    at(60, { kind: 'entry', call: 0, seconds: 1_200 }),
  ]),
  known('18', 'a mute of others tells of no success where the list is empty', 30, [
    at(50, { kind: 'graph', call: 0, on: ['list'], how: 'empty', probability: 1, seconds: 60 }),
    at(60, { kind: 'others', call: 0 }),
  ]),
  known('18', 'a mute lock mutes again where the list is empty', 40, [
    at(10, { kind: 'keepMuted', call: 0, enforce: true }),
    at(60, { kind: 'graph', call: 0, on: ['list'], how: 'empty', probability: 1, seconds: 3_600 }),
    at(600, { kind: 'organizer', call: 0, isMuted: false }),
  ]),
  known(
    'policy 2',
    'an update leaves the run at the end alone',
    200,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:30', zone: 'UTC', calls: [0, 1] }),
      refused(5_390, ['mute', 'unmute'], 503, 180, 1),
      at(5_520, { kind: 'change', id: 'q', how: 'update', terms: { pace: 20 } }),
    ],
    { calls: [call(), call()] },
  ),
  known(
    'policy 3',
    'the end of quiet hours has no deadline, though no worker is there for seven hours',
    700,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:30', zone: 'UTC', calls: placesOf(300) }),
      at(5_405, { kind: 'away', deployment: 0, seconds: 25_200 }),
    ],
    { calls: callsOf(300), orders: 1 },
  ),
  known(
    'policy 4',
    'an update of a paused policy unmutes what its old terms have muted',
    120,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '23:30', zone: 'UTC', calls: [0, 1] }),
      at(3_900, { kind: 'change', id: 'q', how: 'pause' }),
      at(4_200, { kind: 'change', id: 'q', how: 'update', terms: { calls: [1] } }),
    ],
    { calls: [call(), call()] },
  ),
  known('policy 4', 'an update of a policy that was paused at its end unmutes', 150, [
    at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:30', zone: 'UTC', calls: [0] }),
    at(3_900, { kind: 'change', id: 'q', how: 'pause' }),
    at(6_000, { kind: 'change', id: 'q', how: 'update', terms: { to: '22:15' } }),
  ]),
  ...[6, 10, 14, 18, 22, 26].map((diesAfterMs) =>
    known(
      'policy 5',
      `a client that dies ${diesAfterMs} ms after it began to update leaves nobody muted`,
      120,
      [
        at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '23:30', zone: 'UTC', calls: [0, 1] }),
        at(3_900, { kind: 'change', id: 'q', how: 'update', terms: { calls: [1] }, diesAfterMs }),
      ],
      { calls: [call(), call()], orders: 4 },
    ),
  ),
  ...[8, 12, 16, 20, 24].map((diesAfterMs) =>
    known(
      'policy 5',
      `a client that dies ${diesAfterMs} ms after it began to resume leaves nobody muted`,
      150,
      [
        at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:30', zone: 'UTC', calls: [0] }),
        at(3_900, { kind: 'change', id: 'q', how: 'pause' }),
        at(6_000, { kind: 'change', id: 'q', how: 'resume', diesAfterMs }),
      ],
      { orders: 4 },
    ),
  ),
  known(
    'policy 6',
    'more calls that cannot be unmuted than a run remembers are asked again all the same',
    150,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:30', zone: 'UTC', calls: 'live', pace: 50 }),
      ...placesOf(230).map((place) => refused(5_390, ['unmute'], 403, 60, place)),
    ],
    { calls: callsOf(230, { isLive: true }), orders: 1 },
  ),
  known(
    'policy 7',
    'a live call is looked at until something was tried',
    200,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:30', zone: 'UTC', calls: 'live' }),
      at(3_900, { kind: 'establish', call: 0 }),
      at(4_200, { kind: 'change', id: 'q', how: 'delete' }),
      at(4_300, { kind: 'lists', lagMs: 3_600_000, isFailing: false, seconds: 3_600 }),
      at(4_400, { kind: 'others', call: 0 }),
    ],
    { calls: [call({ isLater: true })] },
  ),
  known(
    'policy 8',
    'the beginning of quiet hours does not go over an unmute that was asked for since',
    90,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '23:30', zone: 'UTC', calls: placesOf(100), pace: 1 }),
      at(3_665, { kind: 'ask', call: 99, action: 'unmute', onConflict: 'supersede' }),
    ],
    { calls: callsOf(100), orders: 3 },
  ),
  known('holds', 'the unmute at the end is no older than the mute that it undoes', 40, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    at(20, { kind: 'extend', call: 0, untilSeconds: -5 }),
  ]),
  known('holds', 'an unmute at the end yields to no mute that then fails', 40, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    refused(59, ['unmute'], 503, 20),
    at(60, { kind: 'letGo', call: 0 }),
    refused(60.5, ['mute'], 503, 120),
    at(63, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
  ]),
  known('holds', 'an unmute at the end yields to no mute that is then refused', 40, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true, seconds: 60 }),
    refused(59, ['unmute'], 503, 20),
    refused(63, ['mute'], 403, 120),
    at(64, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
  ]),
  known(
    'holds',
    'a mute lock supersedes no unmute that was asked for just after it',
    30,
    [
      at(0, { kind: 'slow', ms: 400, seconds: 10 }),
      at(0, { kind: 'graph', call: 0, on: ['unmute'], how: 'slow', probability: 1, seconds: 10 }),
      at(0, { kind: 'keepMuted', call: 0, enforce: true }),
      at(0.4, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    ],
    { orders: 60 },
  ),
  known(
    'holds',
    'a mute lock that has muted over an unmute asked for just after it unmutes again',
    30,
    [
      at(0, { kind: 'slow', ms: 400, seconds: 10 }),
      at(0, { kind: 'keepMuted', call: 0, enforce: true }),
      at(0.5, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    ],
    { orders: 60 },
  ),
  known(
    'holds',
    'a pause that has muted over an unmute asked for just after it unmutes again',
    30,
    [
      at(0, { kind: 'slow', ms: 400, seconds: 10 }),
      at(0, { kind: 'keepMuted', call: 0, enforce: false, seconds: 3_600 }),
      at(0.5, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    ],
    { orders: 60 },
  ),
  known('holds', 'a mute lock waits after an unmute that nobody could confirm', 10, [
    at(0, { kind: 'graph', call: 0, on: ['mute'], how: 'slow', probability: 1, seconds: 8 }),
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    at(1.2, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    at(2, { kind: 'notices', drop: 1, copies: 0, delayMs: 0, seconds: 45 }),
    refused(4, ['list', 'getParticipant'], 503, 40),
  ]),
  known('holds', 'a mute lock waits after an unmute that was terminated', 10, [
    at(0, { kind: 'graph', call: 0, on: ['mute'], how: 'slow', probability: 1, seconds: 8 }),
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    at(1.2, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    at(1.2, { kind: 'graph', call: 0, on: ['unmute'], how: 'lostAnswer', probability: 1, seconds: 20 }),
    at(13, { kind: 'terminate', call: 0 }),
  ]),
  known('holds', 'a pause that is extended while Graph does not answer mutes again', 60, [
    at(0, { kind: 'keepMuted', call: 0, enforce: false, seconds: 600 }),
    at(30, { kind: 'organizer', call: 0, isMuted: false }),
    refused(39, ['getCall', 'list', 'getParticipant'], 503, 90),
    at(40, { kind: 'keepMuted', call: 0, enforce: false, seconds: 3_600 }),
  ]),
  known('holds', 'a mute lock whose first mute was neither confirmed nor put back unmutes', 40, [
    at(0, { kind: 'graph', call: 0, on: ['list'], how: 'empty', probability: 1, seconds: 45 }),
    refused(0, ['getParticipant'], 404, 45),
    at(0, { kind: 'notices', drop: 1, copies: 0, delayMs: 0, seconds: 45 }),
    at(1, { kind: 'keepMuted', call: 0, enforce: true }),
  ]),
  known(
    'holds',
    'a mute lock unmutes though workers were away for a day at its end, and Graph refuses at first',
    27 * 60,
    [
      at(0, { kind: 'keepMuted', call: 0, enforce: true, seconds: 60 }),
      at(50, { kind: 'away', deployment: 0, seconds: 25 * 3_600 }),
      refused(25 * 3_600, ['unmute'], 503, 200),
    ],
    { orders: 4 },
  ),
  ...['Europe/Helsinki', 'Europe/London'].map((zone) =>
    known(
      'policy 10',
      `quiet hours end though the server takes Berlin's times from ${zone}`,
      320,
      [at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '23:30', zone: 'Europe/Berlin', calls: [0] })],
      { start: '2027-02-01T20:30:00+01:00', serverZones: { 'Europe/Berlin': zone } },
    ),
  ),
  known(
    'policy 10',
    'quiet hours begin though the server is an hour early',
    130,
    [at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '06:00', zone: 'Europe/Berlin', calls: [0] })],
    { start: '2027-02-01T20:30:00+01:00', serverZones: { 'Europe/Berlin': 'Europe/Helsinki' } },
  ),
  known(
    'holds',
    'a call that talks keeps no mute lock from reading what has become of its unmute',
    40,
    [
      at(0, { kind: 'keepMuted', call: 0, enforce: true, seconds: 60 }),
      at(30, { kind: 'talk', call: 0, everyMs: 60, seconds: 600 }),
      at(59, { kind: 'graph', call: 0, on: ['unmute'], how: 'silent', probability: 1, seconds: 20 }),
      at(63, { kind: 'terminate', call: 0 }),
    ],
    { orders: 2, endsBy: 120 },
  ),
  known('holds', 'a release that waited for workers goes over no mute that was asked for after it', 40, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    at(50, { kind: 'away', deployment: 0, seconds: 60 }),
    at(60, { kind: 'letGo', call: 0 }),
    at(80, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
  ]),
  known('holds', 'an extension that waited for workers goes over no unmute that was asked for after it', 40, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    at(50, { kind: 'away', deployment: 0, seconds: 60 }),
    at(60, { kind: 'keepMuted', call: 0, enforce: true }),
    at(80, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
  ]),
  known('holds', 'an extension that waited for workers goes over an unmute that was asked for before it', 40, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    at(50, { kind: 'away', deployment: 0, seconds: 60 }),
    at(60, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    at(80, { kind: 'keepMuted', call: 0, enforce: true }),
  ]),
  known('holds', 'an unmute that waited for workers ends no pause that was asked for after it', 8, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true, seconds: 5 }),
    at(60, { kind: 'away', deployment: 0, seconds: 90 }),
    at(60.1, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
    at(70, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    at(125, { kind: 'keepMuted', call: 0, enforce: false, seconds: 3_600 }),
  ]),
  known('holds', 'a release counts although the unmute of an older one still waits', 40, [
    at(0, { kind: 'keepMuted', call: 0, enforce: true }),
    refused(20, ['mute', 'unmute'], 503, 30),
    at(20.1, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
    at(21, { kind: 'letGo', call: 0 }),
    at(22, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    at(23, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
    at(24, { kind: 'keepMuted', call: 0, enforce: true }),
    at(26, { kind: 'letGo', call: 0 }),
  ]),
  known('holds', 'a mute lock that is let go while it unmutes goes over a mute that was asked for in between', 40, [
    at(0, { kind: 'keepMuted', call: 0, enforce: false, seconds: 30 }),
    refused(25.5, ['getCall', 'list', 'getParticipant'], 503, 60),
    at(40.5, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
    at(50, { kind: 'letGo', call: 0 }),
  ]),
  known('policy 11', 'an update that changes nothing, just as quiet hours end, drops no end', 170, [
    at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:45', zone: 'UTC', calls: [0] }),
    at(6_300, { kind: 'change', id: 'q', how: 'update' }),
  ]),
  known('policy 12', 'a run that was triggered at a quarter of an hour does not wait for the end', 170, [
    at(3_700, { kind: 'quiet', id: 'q', from: '22:00', to: '22:45', zone: 'UTC', calls: [0] }),
    at(4_500, { kind: 'change', id: 'q', how: 'trigger' }),
    at(4_860, { kind: 'change', id: 'q', how: 'delete' }),
  ]),
  known('policy 13', 'quiet hours end though Graph refuses the unmute for three hours', 330, [
    at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:30', zone: 'UTC', calls: [0] }),
    refused(5_390, ['unmute'], 503, 10_800),
  ]),
  heardOf('for a moment', 3_000, 12, 62),
  heardOf('for half a minute', 25_000, 35, 92),
  known(
    'entry',
    'a mute on entry that is released just when its turn comes mutes nobody',
    10,
    [
      at(0, { kind: 'entry', call: 0 }),
      at(4, { kind: 'notices', drop: 1, copies: 0, delayMs: 0, seconds: 60 }),
      at(5, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
      at(5.2, { kind: 'join', call: 0, name: 'late', isInLobby: false }),
      refused(5.5, ['getParticipant'], 503, 19.5),
      at(25, { kind: 'slow', ms: 1_500, seconds: 0.9 }),
      at(25.95, { kind: 'kill', deployment: 0, seconds: 5 }),
      at(27, { kind: 'release', call: 0 }),
    ],
    { orders: 24 },
  ),
  known(
    'entry',
    'an operation that no worker has started before the release of its mute on entry is not begun after it',
    10,
    [
      at(0, { kind: 'entry', call: 0 }),
      at(10, { kind: 'join', call: 0, name: 'late', isInLobby: false }),
      at(10.38, { kind: 'away', deployment: 0, seconds: 120 }),
      at(20, { kind: 'release', call: 0 }),
    ],
    { orders: 24 },
  ),
  known('18', 'a list of the application alone makes no mute on entry mute who was there', 10, [
    at(0, { kind: 'graph', call: 0, on: ['list'], how: 'alone', probability: 1, seconds: 2 }),
    at(1, { kind: 'entry', call: 0 }),
    at(60, { kind: 'release', call: 0 }),
  ]),
  known('18', 'a list of the application alone is no success of a mute of others', 10, [
    at(0, { kind: 'graph', call: 0, on: ['list'], how: 'alone', probability: 1, seconds: 2 }),
    at(1, { kind: 'others', call: 0 }),
  ]),
  known(
    'others',
    'a mute of others ends in its time though Graph answers no read any more',
    10,
    [
      at(4, { kind: 'notices', drop: 1, copies: 0, delayMs: 0, seconds: 120 }),
      at(5, { kind: 'others', call: 0 }),
      refused(6, ['list', 'getParticipant'], 503, 120),
    ],
    { endsBy: 28 },
  ),
  known(
    'holds',
    'a mute lock mutes again though one mute of others follows the other',
    10,
    [
      at(0, { kind: 'keepMuted', call: 0, enforce: true }),
      at(200, { kind: 'graph', call: 0, on: ['muteParticipant'], how: 'slow', probability: 1, seconds: 240 }),
      ...placesOf(29).map((place) => at(200 + place * 8, { kind: 'others', call: 0 })),
      at(205, { kind: 'organizer', call: 0, isMuted: false }),
    ],
    { calls: [call({ people: 10 })], orders: 8 },
  ),
  known(
    'holds',
    'the end of a mute lock goes over no mute that was asked for after it, though that has joined one from before',
    10,
    [
      at(0, { kind: 'keepMuted', call: 0, enforce: false, seconds: 55 }),
      at(20, { kind: 'organizer', call: 0, isMuted: false }),
      at(49, { kind: 'notices', drop: 1, copies: 0, delayMs: 0, seconds: 18 }),
      refused(51, ['list', 'getParticipant'], 503, 16),
      at(50, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
      at(64, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
    ],
  ),
  known(
    'holds',
    'a mute lock ends that was extended and let go before any worker took it',
    10,
    [
      at(0, { kind: 'away', deployment: 0, seconds: 20 }),
      at(1, { kind: 'keepMuted', call: 0, enforce: true }),
      at(5, { kind: 'extend', call: 0, untilSeconds: 500 }),
      at(10, { kind: 'letGo', call: 0 }),
    ],
    { endsBy: 60 },
  ),
  known(
    'policy 14',
    'quiet hours end in a call that was established just before, though workers came only after their end',
    120,
    [
      at(0, { kind: 'quiet', id: 'q', from: '22:00', to: '22:15', zone: 'UTC', calls: 'live' }),
      at(4_440, { kind: 'away', deployment: 0, seconds: 300 }),
      at(4_490, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
      at(4_497, { kind: 'establish', call: 0 }),
    ],
    { calls: [call({ isLater: true })] },
  ),
  known('operations', 'a mute joins no mute that an unmute takes over, though no worker has taken that yet', 10, [
    at(0, { kind: 'away', deployment: 0, seconds: 30 }),
    at(5, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
    at(10, { kind: 'ask', call: 0, action: 'unmute', onConflict: 'supersede' }),
    at(15, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' }),
  ]),
];
