import type { GraphFault, Verb } from './graph.ts';
import { Random } from './random.ts';

/**
 * What happens in one simulation, as data: it can be printed, shrunk and run again. `seed` chooses all that the data leaves
 * open, which is every latency and so every order.
 */
export interface Scenario {
  seed: number;
  theme: Theme | 'known';
  /** ISO 8601: the clock of the zones matters. */
  start: string;
  /** It is judged at its end. All faults are over long before (`CALM_MS`). */
  minutes: number;
  calls: CallPlan[];
  /** Activities that a worker takes at a time; 1,000 where absent. */
  slots?: number;
  /** Zones of which the server's tables differ from those of everybody else: it takes another zone's times. */
  serverZones?: Readonly<Record<string, string>>;
  steps: Step[];
}

export interface CallPlan {
  people: number;
  isDelta: boolean;
  deployment: number;
  /** Its live call is known from the start. */
  isLive: boolean;
  /** It is established by a step of its own. */
  isLater?: boolean;
}

export type Step = { at: number } & Act;

/** Calls and deployments are named by their place in the plan. `at` is in ms from the start. */
export type Act =
  | { kind: 'ask'; call: number; action: 'mute' | 'unmute'; onConflict: 'supersede' | 'queue' | 'reject' }
  /** A mute of all others in the call. */
  | { kind: 'others'; call: number }
  | { kind: 'keepMuted'; call: number; seconds?: number; enforce: boolean }
  /** Other terms for the mute lock that runs, until so many seconds after the start; that may be over already. */
  | { kind: 'extend'; call: number; untilSeconds: number }
  /** Ends the mute lock that runs by its handle, which only signals it. */
  | { kind: 'letGo'; call: number }
  /** Somebody ends the operation that runs in Temporal. */
  | { kind: 'terminate'; call: number }
  | { kind: 'release'; call: number }
  | { kind: 'releaseEverywhere'; deployment: number }
  | { kind: 'entry'; call: number; seconds?: number }
  | {
      kind: 'quiet';
      id: string;
      deployment?: number;
      from: string;
      to: string;
      zone: string;
      calls: number[] | 'live';
      overlap?: 'bufferOne' | 'cancelOther';
      /** Calls at a time, and begun in a second. */
      pace?: number;
    }
  /** A change of quiet hours by their own deployment, whose client dies so long after it has begun. */
  | {
      kind: 'change';
      id: string;
      how: 'update' | 'pause' | 'resume' | 'delete' | 'trigger';
      terms?: Partial<Record<'from' | 'to', string>> & { calls?: number[]; pace?: number };
      diesAfterMs?: number;
    }
  | {
      kind: 'policy';
      id: string;
      action: 'mute' | 'unmute';
      calls: number[];
      onConflict: 'supersede' | 'queue' | 'reject';
    }
  | { kind: 'cancelPolicy'; id: string }
  /** Somebody of another deployment takes this policy for one of their own. */
  | { kind: 'meddle'; id: string; deployment: number; how: 'update' | 'delete' | 'pause' | 'trigger' }
  | { kind: 'organizer'; call: number; isMuted: boolean }
  | { kind: 'join'; call: number; name: string; isInLobby: boolean }
  | { kind: 'leave'; call: number; name: string }
  | { kind: 'talk'; call: number; everyMs: number; seconds: number }
  /** Graph tells that it is established; of a live call that is done at the start. */
  | { kind: 'establish'; call: number }
  | { kind: 'end'; call: number }
  | Fault;

export type Fault =
  | {
      kind: 'graph';
      call: number;
      on: readonly Verb[];
      how: GraphFault['how'];
      status?: number;
      retryAfter?: number;
      probability: number;
      seconds: number;
    }
  | { kind: 'kill'; deployment: number; seconds: number }
  | { kind: 'away'; deployment: number; seconds: number }
  | { kind: 'down'; seconds: number }
  /** Each request of a client to Temporal takes up to so long, each way. */
  | { kind: 'slow'; ms: number; seconds: number }
  | { kind: 'lists'; lagMs: number; isFailing: boolean; seconds: number }
  | { kind: 'notices'; drop: number; copies: number; delayMs: number; seconds: number }
  | { kind: 'strand'; call: number; action: 'mute' | 'unmute'; seconds: number };

const FAULTS: ReadonlySet<string> = new Set([
  'graph',
  'kill',
  'away',
  'down',
  'slow',
  'lists',
  'notices',
  'strand',
] satisfies Fault['kind'][]);

export function isFault(step: Step): step is { at: number } & Fault {
  return FAULTS.has(step.kind);
}

/** How often each comes. */
const THEMES = [
  'keepMuted',
  'keepMuted',
  'keepMuted',
  'burst',
  'burst',
  'ending',
  'ending',
  'takeover',
  'takeover',
  'quiet',
  'quiet',
  'quiet',
  'short',
  'changes',
  'changes',
  'spring',
  'policy',
  'policy',
  'entry',
  'entry',
  'release',
  'release',
  'two',
  'talk',
] as const;
type Theme = (typeof THEMES)[number];

/** From the last step, and the end of the last fault, to the judge. */
export const CALM_MS = 20 * 60_000;

const SECOND = 1_000;
const MINUTE = 60_000;

/** The scenario of a seed. */
export function scenarioOf(seed: number): Scenario {
  return new Maker(seed).make();
}

class Maker {
  readonly #seed: number;
  readonly #random: Random;
  readonly #steps: Step[] = [];
  #calls: CallPlan[] = [];
  #end = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
  }

  make(): Scenario {
    const random = this.#random;
    const theme = random.pick(...THEMES);
    const count =
      theme === 'keepMuted' || theme === 'burst' || theme === 'ending' || theme === 'takeover' || theme === 'talk'
        ? 1
        : random.int(1, 3);
    this.#calls = Array.from({ length: count }, () => ({
      people: random.int(2, 5),
      isDelta: random.chance(0.3),
      deployment: 0,
      isLive: random.chance(0.15),
    }));
    let start = '2027-02-01T21:00:00Z';
    switch (theme) {
      case 'keepMuted':
        this.#hold();
        break;
      case 'burst':
        this.#burst();
        break;
      case 'ending':
        this.#ending();
        break;
      case 'takeover':
        this.#takeover();
        break;
      case 'short':
        this.#short();
        break;
      case 'quiet':
        this.#night();
        break;
      case 'changes':
        this.#changes();
        break;
      case 'spring':
        start = this.#spring();
        break;
      case 'policy':
        this.#policy();
        break;
      case 'entry':
        this.#entry();
        break;
      case 'release':
        this.#release();
        break;
      case 'talk':
        this.#talk();
        break;
      case 'two':
        this.#two();
        break;
    }
    const last = Math.max(this.#end, ...this.#steps.map(endOf));
    return {
      seed: this.#seed,
      theme,
      start,
      minutes: Math.ceil((last + CALM_MS) / MINUTE),
      calls: this.#calls,
      steps: this.#steps.toSorted((a, b) => a.at - b.at),
    };
  }

  #add(at: number, act: Act): void {
    this.#steps.push({ at: Math.max(0, Math.round(at)), ...act });
  }

  #until(at: number): void {
    this.#end = Math.max(this.#end, at);
  }

  #anyCall(): number {
    return this.#random.int(0, this.#calls.length - 1);
  }

  #anyAction(): 'mute' | 'unmute' {
    return this.#random.pick('mute', 'unmute');
  }

  // what goes wrong

  #faults(from: number, to: number, most: number): void {
    const random = this.#random;
    const count = random.int(0, most);
    for (let made = 0; made < count; made += 1) this.#fault(random.int(from, to));
  }

  #fault(at: number): void {
    const random = this.#random;
    const call = this.#anyCall();
    const seconds = random.pick(5, 30, 90, 300);
    const probability = random.pick(0.3, 0.7, 1);
    switch (random.int(0, 9)) {
      case 0:
        return this.#add(at, { kind: 'kill', deployment: 0, seconds: random.pick(1, 15, 60) });
      case 1:
        return this.#add(at, { kind: 'away', deployment: 0, seconds });
      case 2:
        return this.#add(at, { kind: 'down', seconds: random.pick(3, 20, 60) });
      case 3:
        return this.#add(at, {
          kind: 'lists',
          lagMs: random.pick(2_000, 20_000, 60_000),
          isFailing: random.chance(0.5),
          seconds: random.pick(60, 600, 1_800),
        });
      case 4:
      case 5:
        return this.#add(at, {
          kind: 'notices',
          drop: random.pick(0, 0.5, 1),
          copies: random.pick(0, 0.5),
          delayMs: random.pick(30, 3_000, 20_000),
          seconds,
        });
      case 6:
        return this.#add(at, {
          kind: 'graph',
          call,
          on: ['mute', 'unmute'],
          how: random.pick('silent', 'lostAnswer', 'lateEffect'),
          probability,
          seconds,
        });
      case 7:
        return this.#add(at, {
          kind: 'graph',
          call,
          on: ['getCall', 'list', 'getParticipant'],
          how: random.pick('status', 'silent'),
          status: 503,
          probability,
          seconds,
        });
      case 8:
        return this.#add(at, {
          kind: 'graph',
          call,
          on: ['list'],
          how: random.pick('empty', 'empty', 'incomplete'),
          probability,
          seconds,
        });
      default: {
        const status = random.pick(503, 503, 429, 403);
        const retryAfter = status === 429 ? { retryAfter: random.int(1, 20) } : {};
        return this.#add(at, {
          kind: 'graph',
          call,
          on: ['mute', 'unmute', 'muteParticipant'],
          how: 'status',
          status,
          ...retryAfter,
          probability,
          seconds,
        });
      }
    }
  }

  // themes

  /** One that lasts, with others who unmute, and callers who change their mind. */
  #hold(): void {
    const random = this.#random;
    const hours = random.pick(0.1, 0.2, 0.2, 0.3, 0.5, 1);
    const lasts = hours * 60 * MINUTE;
    const enforce = random.chance(0.7);
    const isOpen = enforce && random.chance(0.2);
    this.#add(random.int(0, 10) * SECOND, {
      kind: 'keepMuted',
      call: 0,
      enforce,
      ...(!isOpen && { seconds: lasts / 1_000 }),
    });
    this.#until(lasts);
    for (let made = random.int(0, 4); made > 0; made -= 1) {
      this.#add(random.int(0, lasts), { kind: 'organizer', call: 0, isMuted: random.chance(0.2) });
    }
    if (random.chance(0.3))
      this.#add(random.int(0, lasts), { kind: 'ask', call: 0, action: this.#anyAction(), onConflict: 'supersede' });
    if (random.chance(0.2)) this.#add(random.int(0, lasts), { kind: 'others', call: 0 });
    if (random.chance(0.2))
      this.#add(random.int(0, lasts), {
        kind: 'keepMuted',
        call: 0,
        enforce: random.chance(0.7),
        seconds: random.int(60, lasts / 1_000),
      });
    if (random.chance(0.2)) this.#add(random.int(0, lasts), { kind: 'release', call: 0 });
    if (random.chance(0.04))
      this.#add(random.int(0, lasts), { kind: 'strand', call: 0, action: this.#anyAction(), seconds: 4_500 });
    this.#faults(0, lasts, 4);
  }

  /** Everything within seconds: the orders of what comes together. */
  #burst(): void {
    const random = this.#random;
    for (let round = random.int(1, 3); round > 0; round -= 1) {
      const begin = random.int(0, 20) * MINUTE;
      for (let made = random.int(2, 5); made > 0; made -= 1) {
        const at = begin + random.int(0, 12_000);
        const kind = random.int(0, 5);
        if (kind === 0)
          this.#add(at, { kind: 'keepMuted', call: 0, enforce: random.chance(0.6), seconds: random.pick(5, 30, 300) });
        else if (kind === 1)
          this.#add(at, {
            kind: 'policy',
            id: `p${made}-${round}`,
            action: this.#anyAction(),
            calls: [0],
            onConflict: random.pick('supersede', 'supersede', 'queue'),
          });
        else
          this.#add(at, {
            kind: 'ask',
            call: 0,
            action: this.#anyAction(),
            onConflict: random.pick('supersede', 'supersede', 'queue', 'reject'),
          });
      }
      if (random.chance(0.6)) this.#add(begin + random.int(0, 12_000), { kind: 'kill', deployment: 0, seconds: 5 });
      if (random.chance(0.2)) this.#add(begin + random.int(0, 12_000), { kind: 'kill', deployment: 0, seconds: 5 });
      if (random.chance(0.5)) this.#fault(begin + random.int(0, 5_000));
    }
    this.#until(40 * MINUTE);
  }

  /** A mute lock that begins or ends while Graph refuses, Temporal is slow, or workers are away, and others ask for something. */
  #ending(): void {
    const random = this.#random;
    const lasts = random.pick(30, 60, 120) * SECOND;
    const enforce = random.chance(0.5);
    const isOpen = enforce && random.chance(0.4);
    this.#add(0, { kind: 'keepMuted', call: 0, enforce, ...(!isOpen && { seconds: lasts / 1_000 }) });
    const around = random.chance(0.3) ? 0 : lasts;
    const at = (least: number, most: number): number => around + random.int(least, most);
    if (random.chance(0.5)) this.#add(at(-3_000, 3_000), { kind: 'slow', ms: random.pick(100, 400), seconds: 10 });
    for (const verb of ['mute', 'unmute'] as const) {
      if (random.chance(0.4)) continue;
      const [how, status] = random.pick<readonly [GraphFault['how'], number?]>(
        ['slow'],
        ['status', 503],
        ['status', 403],
        ['lostAnswer'],
      );
      const seconds = random.pick(5, 20, 120);
      const refused = status === undefined ? {} : { status };
      this.#add(at(-5_000, 5_000), { kind: 'graph', call: 0, on: [verb], how, ...refused, probability: 1, seconds });
    }
    if (random.chance(0.3)) {
      const on = ['getCall', 'list', 'getParticipant'] as const;
      const seconds = random.pick(20, 60);
      this.#add(at(-5_000, 5_000), { kind: 'graph', call: 0, on, how: 'status', status: 503, probability: 1, seconds });
    }
    if (random.chance(0.2)) this.#add(at(0, 5_000), { kind: 'notices', drop: 1, copies: 0, delayMs: 0, seconds: 45 });
    const isDay = random.chance(0.03);
    if (isDay || random.chance(0.3))
      this.#add(at(-10_000, 2_000), { kind: 'away', deployment: 0, seconds: isDay ? 90_000 : random.pick(10, 60) });
    if (random.chance(0.4)) this.#add(at(-5_000, 20_000), { kind: 'letGo', call: 0 });
    if (random.chance(0.3))
      this.#add(at(-5_000, 20_000), { kind: 'keepMuted', call: 0, enforce, ...(!isOpen && { seconds: 300 }) });
    if (random.chance(0.15)) {
      const untilSeconds = random.pick(-5, 0, (lasts + 60_000) / 1_000);
      this.#add(at(-10_000, 5_000), { kind: 'extend', call: 0, untilSeconds });
    }
    for (let made = random.int(0, 2); made > 0; made -= 1)
      this.#add(at(-3_000, 30_000), { kind: 'ask', call: 0, action: this.#anyAction(), onConflict: 'supersede' });
    if (random.chance(0.15)) this.#add(at(0, 30_000), { kind: 'terminate', call: 0 });
    if (random.chance(0.2)) this.#add(at(-20_000, 10_000), { kind: 'organizer', call: 0, isMuted: random.chance(0.3) });
    this.#until(around + 10 * MINUTE);
  }

  /** One takes over from another while Graph is slow, a worker dies, and somebody changes their mind. */
  #takeover(): void {
    const random = this.#random;
    const at = random.int(1, 10) * MINUTE;
    const first = this.#anyAction();
    const second = first === 'mute' ? 'unmute' : 'mute';
    this.#add(at - 100, {
      kind: 'graph',
      call: 0,
      on: ['mute', 'unmute'],
      how: 'slow',
      probability: 1,
      seconds: random.pick(1, 3, 12),
    });
    this.#add(at, { kind: 'ask', call: 0, action: first, onConflict: 'supersede' });
    const taken = at + random.int(200, 1_500);
    if (random.chance(0.3))
      this.#add(taken, { kind: 'keepMuted', call: 0, enforce: random.chance(0.5), seconds: random.pick(30, 300) });
    else
      this.#add(taken, {
        kind: 'policy',
        id: 'p',
        action: second,
        calls: [0],
        onConflict: random.pick('supersede', 'supersede', 'queue'),
      });
    this.#add(taken + random.int(100, 9_000), { kind: 'kill', deployment: 0, seconds: random.pick(1, 5, 20) });
    if (random.chance(0.3)) this.#add(taken + random.int(3_000, 9_000), { kind: 'away', deployment: 0, seconds: 1 });
    if (random.chance(0.8))
      this.#add(taken + random.int(1_000, 14_000), { kind: 'ask', call: 0, action: first, onConflict: 'supersede' });
    if (random.chance(0.3)) this.#add(taken + random.int(1_000, 14_000), { kind: 'cancelPolicy', id: 'p' });
    if (random.chance(0.3)) this.#fault(at + random.int(0, 10_000));
    this.#until(at + 10 * MINUTE);
  }

  /** Quiet hours that end while their beginning is still under way somewhere. */
  #short(): void {
    const random = this.#random;
    const lasts = random.pick(20, 40, 60);
    const to = new Date(Date.UTC(2027, 1, 1, 22, 0, lasts)).toISOString().slice(11, 19);
    const calls = this.#calls.map((_, index) => index);
    this.#add(0, { kind: 'quiet', id: 'quiet', from: '22:00:00', to, zone: 'UTC', calls });
    const begin = 60 * MINUTE;
    this.#until(begin + 2 * MINUTE);
    this.#fault(begin + random.int(-5_000, lasts * SECOND));
    if (random.chance(0.5)) {
      const call = this.#anyCall();
      this.#add(begin - 1_000, {
        kind: 'graph',
        call,
        on: ['mute', 'unmute'],
        how: 'status',
        status: 503,
        probability: 1,
        seconds: 90,
      });
    }
  }

  #quiet(from: string, to: string, zone: string, begins: number, ends: number, nights = 1): void {
    const random = this.#random;
    const calls = random.chance(0.3) ? ('live' as const) : this.#calls.map((_, index) => index);
    if (calls === 'live') this.#calls = this.#calls.map((call) => ({ ...call, isLive: true }));
    const overlap = random.pick(undefined, undefined, undefined, 'bufferOne' as const, 'cancelOther' as const);
    this.#add(random.int(0, 60) * SECOND, {
      kind: 'quiet',
      id: 'quiet',
      from,
      to,
      zone,
      calls,
      ...(overlap !== undefined && { overlap }),
    });
    const [beginning, end] = [begins * MINUTE, (ends + (nights - 1) * 1_440) * MINUTE];
    if (random.chance(0.2)) {
      // Judged in the midst of them.
      this.#until(beginning + 5 * MINUTE);
      if (calls === 'live') this.#establish(random.pick(beginning, beginning + 10 * MINUTE));
      return this.#faults(beginning - MINUTE, beginning + MINUTE, 2);
    }
    this.#until(end + 5 * MINUTE);
    if (calls === 'live' && random.chance(0.5)) this.#establish(random.pick(end, random.int(beginning, end)));
    if (random.chance(0.5)) this.#faults(beginning - MINUTE, beginning + MINUTE, 2);
    if (random.chance(0.7)) this.#faults(end - MINUTE, end + MINUTE, 3);
    if (random.chance(0.15))
      this.#add(random.pick(beginning, end) - random.int(0, 5) * MINUTE, {
        kind: 'strand',
        call: this.#anyCall(),
        action: this.#anyAction(),
        seconds: 10_800,
      });
    if (random.chance(0.2))
      this.#add(random.int(beginning, end), {
        kind: 'ask',
        call: this.#anyCall(),
        action: this.#anyAction(),
        onConflict: 'supersede',
      });
    if (random.chance(0.1)) this.#add(random.int(beginning, end), { kind: 'end', call: this.#anyCall() });
  }

  #night(): void {
    const [to, ends] = this.#random.pick<readonly [string, number]>(['22:45', 105], ['01:00', 240], ['06:00', 540]);
    this.#quiet('22:00', to, 'UTC', 60, ends);
  }

  /** Quiet hours that are changed, paused, resumed, run and deleted, by clients that may die in the midst of it. */
  #changes(): void {
    const random = this.#random;
    const calls = this.#calls.map((_, index) => index);
    const isLive = random.chance(0.3);
    if (isLive) this.#calls = this.#calls.map((call) => ({ ...call, isLive: true }));
    const [begin, end] = [60 * MINUTE, 105 * MINUTE];
    const id = 'quiet';
    const quiet = { from: '22:00', to: '22:45', zone: 'UTC', calls: isLive ? ('live' as const) : calls };
    // Also in the midst of them.
    const created = random.pick(random.int(0, 60) * SECOND, begin + random.int(-30, 120) * SECOND);
    this.#add(created, { kind: 'quiet', id, ...quiet });
    const near = (): number =>
      random.pick(begin, end, end) + random.pick(random.int(-5_000, 90_000), random.int(-20, 30) * MINUTE);
    for (let made = random.int(1, 4); made > 0; made -= 1) {
      const at = Math.max(created + 5_000, near());
      const how = random.pick(
        'update' as const,
        'update' as const,
        'pause' as const,
        'resume' as const,
        'trigger' as const,
      );
      const terms = {
        ...(random.chance(0.5) && { to: random.pick('22:15', '22:30', '23:00') }),
        ...(random.chance(0.2) && { from: random.pick('21:30', '22:20') }),
        ...(random.chance(0.4) && !isLive && { calls: calls.filter(() => random.chance(0.6)) }),
        ...(random.chance(0.3) && { pace: random.int(1, 50) }),
      };
      const dies = random.chance(0.3) ? { diesAfterMs: random.int(1, 40) } : {};
      const isMeant = how !== 'update' || terms.calls === undefined || terms.calls.length > 0;
      if (isMeant) this.#add(at, { kind: 'change', id, how, ...(how === 'update' && { terms }), ...dies });
    }
    if (random.chance(0.15)) this.#add(Math.max(created + 5_000, near()), { kind: 'change', id, how: 'delete' });
    this.#until(end + 45 * MINUTE);
    this.#faults(begin - MINUTE, begin + MINUTE, 2);
    this.#faults(end - MINUTE, end + 2 * MINUTE, 2);
  }

  /** A call begins about then. */
  #establish(about: number): void {
    this.#add(about + this.#random.int(-3_000, 3_000), { kind: 'establish', call: this.#calls.length });
    this.#calls = [...this.#calls, { people: 3, isDelta: false, deployment: 0, isLive: false, isLater: true }];
  }

  /** Nights that lose an hour. */
  #spring(): string {
    const [zone, start, from, to, begins, ends] = this.#random.pick<
      readonly [string, string, string, string, number, number]
    >(
      ['America/New_York', '2027-03-13T20:00:00-05:00', '22:00', '02:30', 120, 420],
      ['Europe/Berlin', '2027-03-27T20:00:00+01:00', '22:00', '02:30', 120, 420],
      ['Africa/Cairo', '2027-04-29T20:00:00+02:00', '00:00', '06:00', 240, 540],
      ['America/New_York', '2027-03-13T20:00:00-05:00', '22:00', '06:00', 120, 540],
    );
    this.#quiet(from, to, zone, begins, ends);
    return start;
  }

  /** Runs of policies that meet others, and are cancelled. */
  #policy(): void {
    const random = this.#random;
    for (let round = random.int(1, 3); round > 0; round -= 1) {
      const id = `p${round}`;
      const at = random.int(0, 40) * MINUTE;
      const call = this.#anyCall();
      const isMet = random.chance(0.6);
      if (isMet)
        this.#add(at - random.int(0, 2_000), { kind: 'ask', call, action: this.#anyAction(), onConflict: 'supersede' });
      if (isMet && random.chance(0.5))
        this.#add(at - 3_000, {
          kind: 'graph',
          call,
          on: ['mute', 'unmute'],
          how: 'status',
          status: 503,
          probability: 1,
          seconds: 60,
        });
      this.#add(at, {
        kind: 'policy',
        id,
        action: this.#anyAction(),
        calls: this.#calls.map((_, index) => index),
        onConflict: random.pick('supersede', 'queue', 'queue', 'reject'),
      });
      if (random.chance(0.6)) this.#add(at + random.int(100, 30_000), { kind: 'cancelPolicy', id });
      if (random.chance(0.1))
        this.#add(at - 5_000, { kind: 'strand', call, action: this.#anyAction(), seconds: 7_200 });
    }
    this.#until(60 * MINUTE);
    this.#faults(0, 60 * MINUTE, 3);
    if (random.chance(0.3)) this.#until(150 * MINUTE);
  }

  #entry(): void {
    const random = this.#random;
    const at = random.int(5, 120) * SECOND;
    const lasts = random.int(5, 25) * MINUTE;
    this.#add(at, { kind: 'entry', call: 0, seconds: lasts / 1_000 });
    for (let made = random.int(0, 5); made > 0; made -= 1) {
      this.#add(random.int(0, at + lasts), {
        kind: 'join',
        call: 0,
        name: `new${made}`,
        isInLobby: random.chance(0.2),
      });
    }
    if (random.chance(0.3)) this.#add(random.int(at, at + lasts), { kind: 'leave', call: 0, name: 'p0' });
    if (random.chance(0.3)) this.#add(random.int(at, at + lasts), { kind: 'release', call: 0 });
    if (random.chance(0.4))
      this.#add(Math.max(0, at - 20_000), {
        kind: 'graph',
        call: 0,
        on: ['list'],
        how: random.pick('empty', 'incomplete'),
        probability: random.pick(0.5, 1),
        seconds: random.pick(25, 60),
      });
    if (random.chance(0.3))
      this.#add(random.int(at, at + lasts), {
        kind: 'ask',
        call: 0,
        action: this.#anyAction(),
        onConflict: 'supersede',
      });
    this.#until(at + lasts);
    this.#faults(0, at + lasts, 3);
  }

  /** What is left muted, and the tool that ends it all. */
  #release(): void {
    const random = this.#random;
    for (const [call] of this.#calls.entries()) {
      const at = random.int(0, 10) * MINUTE;
      if (random.chance(0.5))
        this.#add(at, {
          kind: 'keepMuted',
          call,
          enforce: random.chance(0.7),
          ...(random.chance(0.5) && { seconds: 3_600 }),
        });
      else this.#add(at, { kind: 'ask', call, action: 'mute', onConflict: 'supersede' });
      if (random.chance(0.2)) this.#add(at + random.int(0, 60) * SECOND, { kind: 'end', call });
    }
    const at = random.int(11, 40) * MINUTE;
    if (random.chance(0.6)) this.#add(at, { kind: 'releaseEverywhere', deployment: 0 });
    else this.#add(at, { kind: 'release', call: this.#anyCall() });
    this.#until(70 * MINUTE);
    this.#faults(0, at, 3);
    if (random.chance(0.5)) this.#faults(at - MINUTE, at + MINUTE, 2);
    if (random.chance(0.1))
      this.#add(at - 10_000, { kind: 'strand', call: this.#anyCall(), action: this.#anyAction(), seconds: 3_600 });
  }

  /** A call that never stops to talk. */
  #talk(): void {
    const random = this.#random;
    const seconds = random.int(60, 120);
    this.#add(
      0,
      random.chance(0.7)
        ? { kind: 'keepMuted', call: 0, enforce: true, seconds: seconds + 300 }
        : { kind: 'entry', call: 0, seconds: seconds + 300 },
    );
    this.#add(5_000, { kind: 'talk', call: 0, everyMs: random.pick(300, 1_000, 2_000, 5_000), seconds });
    if (random.chance(0.5)) this.#add(random.int(5, seconds) * SECOND, { kind: 'organizer', call: 0, isMuted: false });
    if (random.chance(0.3))
      this.#add(random.int(5, seconds) * SECOND, {
        kind: 'ask',
        call: 0,
        action: this.#anyAction(),
        onConflict: 'supersede',
      });
    this.#until((seconds + 300) * SECOND);
    this.#faults(0, seconds * SECOND, 3);
  }

  /** Two deployments in one namespace. */
  #two(): void {
    const random = this.#random;
    this.#calls = [0, 1].map((deployment) => ({ people: 3, isDelta: random.chance(0.3), deployment, isLive: true }));
    this.#add(random.int(0, 60) * SECOND, {
      kind: 'keepMuted',
      call: 1,
      enforce: true,
      ...(random.chance(0.5) && { seconds: 1_500 }),
    });
    this.#add(random.int(0, 60) * SECOND, { kind: 'ask', call: 0, action: 'mute', onConflict: 'supersede' });
    this.#add(
      random.int(2, 30) * MINUTE,
      random.pick<Act>({ kind: 'releaseEverywhere', deployment: 0 }, { kind: 'release', call: 0 }),
    );
    if (random.chance(0.5)) {
      this.#add(100, {
        kind: 'quiet',
        id: 'theirs',
        deployment: 1,
        from: '21:10',
        to: '21:20',
        zone: 'UTC',
        calls: [1],
      });
      this.#add(random.int(1, 25) * MINUTE, {
        kind: 'meddle',
        id: 'theirs',
        deployment: 0,
        how: random.pick('update', 'delete', 'pause', 'trigger'),
      });
    }
    this.#until(26 * MINUTE);
    this.#faults(0, 25 * MINUTE, 2);
  }
}

/** When a step, and what it begins, is over. */
export function endOf(step: Step): number {
  if (isFault(step)) return step.at + step.seconds * SECOND;
  return step.at + (step.kind === 'talk' ? step.seconds * SECOND : 0);
}
