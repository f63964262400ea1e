import type { GraphRequest, GraphResponse } from '../../src/graph/client.ts';
import { fromAnswer, GraphError } from '../../src/graph/errors.ts';
import type { RosterParticipant, RosterUpdate } from '../../src/contract/signals.ts';
import { scopes, type Clock } from './clock.ts';
import type { Random } from './random.ts';

/**
 * A simulated Graph: calls, who is in them, and what it does to those who ask. It serves the real activities in place of
 * `GraphClient`, and tells the webhook of what changes.
 *
 * Q1. A request travels, takes effect, and is answered; each may fail by itself. One that is not answered within 9 s fails as
 *     `GraphClient` fails it, and its effect may come all the same, also later.
 * Q2. `isMuted` of a participant is its own mute or the server's. `unmute` of the application takes the server's away.
 * Q3. Every change makes a roster, numbered where the call's rosters are; `notify` decides what becomes of it.
 * Q4. The list of participants ends at 100, and may be empty, incomplete or of the application alone for a time, as a fault.
 */
export interface Person {
  id: string;
  clientMuted: boolean;
  serverMuted: boolean;
  isInLobby: boolean;
  joinedAt: number;
  leftAt: number | undefined;
  sequence: number;
}

export interface CallOptions {
  id: string;
  people: number;
  /** Rosters tell only what has changed, with a number. */
  isDelta: boolean;
  state?: string;
}

export interface Call {
  id: string;
  state: string;
  own: Person;
  people: Person[];
  isDelta: boolean;
  sequence: number;
  faults: GraphFault[];
}

export type Verb = 'mute' | 'unmute' | 'getCall' | 'list' | 'getParticipant' | 'muteParticipant';

/** From one moment to another, by chance or always. */
export interface GraphFault {
  on: readonly Verb[];
  until: number;
  probability: number;
  how: 'status' | 'silent' | 'slow' | 'lostAnswer' | 'lateEffect' | 'empty' | 'incomplete' | 'alone';
  status?: number;
  retryAfter?: number;
}

export type LogEntry =
  | { type: 'post'; at: number; callId: string; verb: Verb; participantId: string; clientContext: string }
  | {
      type: 'change';
      at: number;
      callId: string;
      participantId: string;
      isMuted: boolean;
      serverMuted: boolean;
      by: 'us' | 'other';
    };

interface Settle {
  resolve: (success: GraphResponse) => void;
  reject: (error: Error) => void;
  back: (settle: () => void) => void;
}

const ANSWER_WITHIN_MS = 9_000;
const CAP = 100;

export class Graph {
  readonly calls = new Map<string, Call>();
  readonly log: LogEntry[] = [];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #notify: (call: Call, update: RosterUpdate) => void;

  constructor(clock: Clock, random: Random, notify: (call: Call, update: RosterUpdate) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#notify = notify;
  }

  // what people do

  create({ id, people, isDelta, state = 'established' }: CallOptions): Call {
    const person = (name: string): Person => ({
      id: `${id}-${name}`,
      clientMuted: false,
      serverMuted: false,
      isInLobby: false,
      joinedAt: this.#clock.now,
      leftAt: undefined,
      sequence: 1,
    });
    const own = person('app');
    const all = [own, ...Array.from({ length: people }, (_, index) => person(`p${index}`))];
    const call: Call = { id, state, own, people: all, isDelta, sequence: 1, faults: [] };
    this.calls.set(id, call);
    return call;
  }

  join(call: Call, name: string, isInLobby = false): Person {
    const person: Person = {
      id: `${call.id}-${name}`,
      clientMuted: false,
      serverMuted: false,
      isInLobby,
      joinedAt: this.#clock.now,
      leftAt: undefined,
      sequence: 0,
    };
    call.people.push(person);
    this.#changed(call, person);
    return person;
  }

  admit(call: Call, person: Person): void {
    person.isInLobby = false;
    person.joinedAt = this.#clock.now;
    this.#changed(call, person);
  }

  leave(call: Call, person: Person): void {
    person.leftAt = this.#clock.now;
    call.people = call.people.filter((one) => one !== person);
    this.#changed(call, person);
  }

  set(
    call: Call,
    person: Person,
    change: Partial<Pick<Person, 'clientMuted' | 'serverMuted'>>,
    by: 'us' | 'other' = 'other',
  ): void {
    if (call.state === 'terminated') return;
    Object.assign(person, change);
    const { id, clientMuted, serverMuted } = person;
    const isMuted = clientMuted || serverMuted;
    this.log.push({
      type: 'change',
      at: this.#clock.now,
      callId: call.id,
      participantId: id,
      isMuted,
      serverMuted,
      by,
    });
    this.#changed(call, person);
  }

  end(call: Call): void {
    call.state = 'terminated';
  }

  /** A roster that tells nothing new. */
  repeat(call: Call): void {
    this.#changed(call, call.people[this.#random.int(0, call.people.length - 1)] ?? call.own);
  }

  #changed(call: Call, person: Person): void {
    if (call.state === 'terminated') return;
    call.sequence += 1;
    person.sequence = call.sequence;
    const entry = (one: Person): RosterParticipant => ({
      id: one.id,
      isMuted: one.clientMuted || one.serverMuted,
      ...(call.isDelta && { sequence: one.sequence }),
      ...(one.leftAt !== undefined && { removed: true }),
    });
    const update: RosterUpdate = call.isDelta
      ? { participants: [entry(person)], full: false, sequenceNumber: call.sequence }
      : { participants: call.people.slice(0, CAP).map(entry), full: true };
    this.#notify(call, update);
  }

  // what the service asks

  /** In place of a `GraphClient`. */
  get client(): {
    get: (call: GraphRequest) => Promise<GraphResponse>;
    post: (call: GraphRequest, body: object) => Promise<GraphResponse>;
  } {
    return {
      get: async (call) => await this.#request(call, undefined),
      post: async (call, body) => await this.#request(call, body),
    };
  }

  async #request(asked: GraphRequest, body: { clientContext?: string } | undefined): Promise<GraphResponse> {
    const owner = scopes.getStore()?.owner;
    const [, , callId = '', collection, participantId] = asked.path;
    const verb = verbOf(asked.path);
    return await new Promise((resolve, reject) => {
      const back = (settle: () => void): void => {
        this.#clock.after(this.#random.latency(20, 400), settle, owner);
      };
      const call = this.calls.get(callId);
      if (body !== undefined && call !== undefined) {
        const { clientContext = '' } = body;
        const id = participantId !== undefined && collection === 'participants' ? participantId : call.own.id;
        this.log.push({ type: 'post', at: this.#clock.now, callId, verb, participantId: id, clientContext });
      }
      this.#clock.after(this.#random.latency(20, 400), () => {
        const fault = call && this.#faultOf(call, verb);
        const silent = (): void => {
          const failure = new GraphError(
            'GraphUnavailable',
            `Graph did not answer when asked to ${asked.what} (TimeoutError).`,
            {
              isRetryable: true,
              details: { code: 'TimeoutError', clientRequestId: 'c' },
            },
          );
          this.#clock.after(ANSWER_WITHIN_MS, () => reject(failure), owner);
        };
        if (fault?.how === 'silent') return silent();
        if (fault?.how === 'status') return back(() => reject(this.#refused(asked, fault)));
        if (fault?.how === 'lateEffect' && body !== undefined) {
          this.#clock.after(this.#random.int(500, 8_000), () => this.#answer(asked, verb));
          return silent();
        }
        if (fault?.how === 'slow') {
          this.#clock.after(this.#random.int(1_000, 7_000), () => this.#finish(asked, verb, { resolve, reject, back }));
          return;
        }
        const answer = this.#answer(asked, verb, fault?.how);
        if (fault?.how === 'lostAnswer') return silent();
        back(() => (answer instanceof Error ? reject(answer) : resolve(answer)));
      });
    });
  }

  #finish(asked: GraphRequest, verb: Verb, { resolve, reject, back }: Settle): void {
    const answer = this.#answer(asked, verb);
    back(() => (answer instanceof Error ? reject(answer) : resolve(answer)));
  }

  #faultOf(call: Call, verb: Verb): GraphFault | undefined {
    call.faults = call.faults.filter(({ until }) => until > this.#clock.now);
    return call.faults.find((fault) => fault.on.includes(verb) && this.#random.chance(fault.probability));
  }

  #refused(asked: GraphRequest, { status = 503, retryAfter }: GraphFault): GraphError {
    const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
    return fromAnswer(asked.what, { status, clientRequestId: 'c', headers, body: undefined }, asked.permission);
  }

  /** Q2. */
  #answer(asked: GraphRequest, verb: Verb, how?: GraphFault['how']): GraphResponse | GraphError {
    const [, , callId = '', , participantId = ''] = asked.path;
    const call = this.calls.get(callId);
    const gone = (): GraphError =>
      fromAnswer(asked.what, { status: 404, clientRequestId: 'c', headers: {}, body: undefined }, asked.permission);
    if (call === undefined || call.state === 'terminated') return gone();
    const found = (body: unknown): GraphResponse => ({ status: 200, clientRequestId: 'c', headers: {}, body });
    const person = call.people.find(({ id }) => id === participantId);
    switch (verb) {
      case 'getCall':
        return found({ id: callId, state: call.state, myParticipantId: call.own.id, chatInfo: {} });
      case 'list': {
        const listed =
          how === 'empty'
            ? []
            : how === 'incomplete'
              ? call.people.filter((one) => one !== call.own).slice(0, 1)
              : how === 'alone'
                ? [call.own]
                : call.people;
        return found({ value: listed.slice(0, CAP).map(resourceOf) });
      }
      case 'getParticipant':
        return person === undefined ? gone() : found(resourceOf(person));
      case 'mute':
      case 'unmute':
        this.set(call, call.own, { serverMuted: verb === 'mute' }, 'us');
        return found({ id: `op-${this.log.length}`, status: 'completed' });
      case 'muteParticipant':
        if (person === undefined) return gone();
        this.set(call, person, { serverMuted: true }, 'us');
        return found({ id: `op-${this.log.length}`, status: 'completed' });
      default:
        throw new Error(`not simulated: ${asked.path.join('/')}`);
    }
  }
}

function resourceOf({ id, clientMuted, serverMuted, isInLobby, sequence }: Person) {
  return {
    id,
    isMuted: clientMuted || serverMuted,
    isInLobby,
    rosterSequenceNumber: sequence,
    mediaStreams: [{ mediaType: 'audio', serverMuted }],
  };
}

function verbOf(path: readonly string[]): Verb {
  const [, , , collection, participantId, action] = path;
  if (action !== undefined) return 'muteParticipant';
  if (participantId !== undefined) return 'getParticipant';
  if (collection === 'participants') return 'list';
  if (collection === 'mute' || collection === 'unmute') return collection;
  return 'getCall';
}
