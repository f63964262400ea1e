import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { grpcStatusOf } from '../../../src/client/any-error.ts';
import { ModerationError } from '../../../src/client/errors.ts';
import type { ModerationClient } from '../../../src/client/moderation-client.ts';
import type { MuteLockHandle } from '../../../src/client/standing/mute-locks.ts';
import type { MuteOnEntryHandle } from '../../../src/client/standing/mutes-on-entry.ts';
import type { GraphSimulator, NewCall } from '../../../src/simulator/index.ts';
import type { TestCall } from '../../support/service.ts';
import type { LifeAccount } from './judge.ts';
import type { Report } from './report.ts';
import type { Troubles } from './troubles.ts';

/** What a call lives on. */
export interface Stage {
  graph: GraphSimulator;
  moderation: ModerationClient;
  troubles: Troubles;
  report: Report;
  call: (given: Partial<NewCall>) => TestCall;
  /** Labels of the calls that a policy acts on. */
  labels: Record<'reception' | 'crowd' | 'office', string>;
  /** How long anything may take to be seen, in calm times or not. */
  limitMs: number;
}

/** Time within which Graph shows what does not have to come in troubled times. */
const CALM_LIMIT_MS = 45_000;

/** `over`: what should have brought it about has ended before. */
type Sight = 'seen' | 'over' | 'late';

/** A mute lock or a timed mute, and how it ends: as `endedBy` says, or with the type of a failure. */
export interface Lock {
  handle: MuteLockHandle;
  since: number;
  ended: Promise<string>;
}

/**
 * One call of the day, and what a caller of the service and the people in it do. The caller asks again if Temporal cannot be
 * reached, and repeats an unmute that failed, as a program must. What it wants in the end is always that nothing is muted.
 */
export class Life {
  readonly account: LifeAccount;
  readonly call: TestCall;
  readonly #stage: Stage;
  #end: Promise<void> | undefined;

  constructor(stage: Stage, kind: string, participants = 3) {
    const call = stage.call({ state: 'establishing', participants });
    this.#stage = stage;
    this.call = call;
    this.account = {
      kind,
      callId: call.id,
      get log() {
        return call.log;
      },
      endedMuted: false,
      isServerMuted: false,
      participants: [],
      muteOnEntryAt: undefined,
      late: [],
      failed: [],
      kept: [],
    };
    for (const id of this.#people()) this.account.participants.push({ id, joinedAt: 0 });
  }

  get labels(): Stage['labels'] {
    return this.#stage.labels;
  }

  /** The notification may be delivered again and again, if no webhook answers. */
  async establish(...labels: string[]): Promise<number> {
    const { graph, moderation } = this.#stage;
    if (labels.length > 0)
      await this.#patiently(async () => await moderation.calls.label(this.call.id, { add: labels }));
    graph.setCallState(this.call.id, 'established').catch(() => undefined);
    return Date.now();
  }

  /** Asks for an operation, and waits for its confirmation. */
  async request(action: 'mute' | 'unmute'): Promise<boolean> {
    const { moderation, report } = this.#stage;
    const since = Date.now();
    const request = { callId: this.call.id, requestId: randomUUID() };
    try {
      const handle = await this.#patiently(async () => await moderation[action](request));
      await this.#patiently(async () => await handle.result());
      report.took(`${action} on request`, since);
      return true;
    } catch (error) {
      this.#failed(`the ${action}`, since, typeOf(error));
      return false;
    }
  }

  /** A caller that wants its unmute repeats it. */
  async unmute(): Promise<void> {
    const since = Date.now();
    while (!(await this.request('unmute'))) {
      if (Date.now() - since > this.#stage.limitMs) return void this.account.late.push('no unmute was confirmed');
    }
  }

  async lock(terms: { forSeconds?: number }, isTimed = false): Promise<Lock> {
    const { moderation, limitMs } = this.#stage;
    const since = Date.now();
    const { forSeconds } = terms;
    const handle = await this.#patiently(async () =>
      isTimed && forSeconds !== undefined
        ? await moderation.muteFor({ callId: this.call.id, forSeconds })
        : await moderation.keepMuted({ callId: this.call.id, ...terms }),
    );
    const result = this.#patiently(async () => await handle.result(), 10 * limitMs);
    return { handle, since, ended: result.then(({ endedBy }) => endedBy, typeOf) };
  }

  /** Until its first mute is confirmed. */
  async untilKept({ handle, ended }: Lock): Promise<void> {
    await this.#polling(async () => (await handle.status()).phase !== 'muting', ended);
  }

  /** A signal to what has just ended finds nobody. */
  async release(standing: MuteLockHandle | MuteOnEntryHandle): Promise<number> {
    const asked = Date.now();
    await this.#patiently(async () => {
      await standing.release().catch(unlessGone);
    });
    return asked;
  }

  /** It ends as expected; if it failed, its caller has the call released. */
  async endsAs({ ended, since }: Lock, ...expected: string[]): Promise<void> {
    const end = await Promise.race([ended, sleep(this.#stage.limitMs, NOT_ENDED, { ref: false })]);
    if (expected.includes(end)) return;
    this.#failed('the mute lock', since, end);
    await this.releaseCall();
  }

  /** `release`, until it says that nothing is left. */
  async releaseCall(): Promise<void> {
    const { moderation, limitMs } = this.#stage;
    const within = { withinSeconds: limitMs / 1_000 };
    const since = Date.now();
    for (;;) {
      const results = await moderation.release({ callId: this.call.id }, within).all();
      if (results.every(({ outcome }) => outcome !== 'failed' && outcome !== 'incomplete')) break;
      if (Date.now() - since > limitMs) return void this.account.late.push('it was not released');
    }
    if (!this.hasEnded) await this.sees(false, 'release of a call', since);
  }

  async muteOnEntry(): Promise<MuteOnEntryHandle> {
    this.account.muteOnEntryAt = Date.now();
    const { moderation } = this.#stage;
    const entry = await this.#patiently(async () => await moderation.muteOnEntry({ callId: this.call.id }));
    await this.#polling(async () => (await entry.status()).since !== undefined);
    return entry;
  }

  /** Nobody is muted after its end. */
  async endsMuteOnEntry(entry: MuteOnEntryHandle): Promise<void> {
    const since = await this.release(entry);
    const end = await this.#patiently(async () => await entry.result()).then(({ endedBy }) => endedBy, typeOf);
    if (end !== 'released') this.#failed('the mute on entry', since, end);
  }

  /** Until Graph shows it. If it is `due`, it must come also in troubled times. */
  async sees(
    isMuted: boolean,
    what: string,
    since: number,
    { isDue = true, or }: { isDue?: boolean; or?: Promise<unknown> } = {},
  ): Promise<Sight> {
    return await this.#sees(() => this.call.self.serverMuted === isMuted, what, since, isDue, or);
  }

  async seesMuted(participantId: string, what: string, since: number): Promise<Sight> {
    const { graph } = this.#stage;
    return await this.#sees(
      () => graph.participant(this.call.id, participantId).serverMuted,
      what,
      since,
      false,
      undefined,
    );
  }

  /** Nothing of ours may have unmuted it until then, unless something was wrong. */
  wasKept(from: number, until: number, by: string): void {
    if (this.#stage.troubles.isCalm(from)) this.account.kept.push({ from, until, by });
  }

  organizerUnmutes(): number {
    const change = { serverMuted: false };
    this.#stage.graph.setParticipant(this.call.id, this.call.participantId, change).catch(() => undefined);
    return Date.now();
  }

  /** IDs of those who have joined. */
  join(count: number): string[] {
    const before = new Set(this.#people());
    this.#stage.graph.addParticipants(this.call.id, count).catch(() => undefined);
    const fresh = this.#people().filter((id) => !before.has(id));
    for (const id of fresh) this.account.participants.push({ id, joinedAt: Date.now() });
    return fresh;
  }

  leave(): void {
    const [someone] = this.#people();
    if (someone === undefined) return;
    this.#stage.graph.removeParticipant(this.call.id, someone).catch(() => undefined);
  }

  /** People talk for a while. */
  async talk(ms: number): Promise<void> {
    await sleep(ms);
  }

  /** Everybody hangs up. Whether it was muted then, nobody hears any more. */
  hangUp({ isMuted = false } = {}): void {
    if (this.#end !== undefined) return;
    this.look();
    this.account.endedMuted = isMuted;
    this.#end = this.#stage.graph.endCall(this.call.id).catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** How Graph has it now. */
  look(): void {
    if (!this.hasEnded) this.account.isServerMuted = this.call.self.serverMuted;
  }

  async #sees(
    isSo: () => boolean,
    what: string,
    since: number,
    isDue: boolean,
    or: Promise<unknown> | undefined,
  ): Promise<Sight> {
    const { troubles, report, limitMs } = this.#stage;
    const limit = isDue ? limitMs : Math.min(limitMs, CALM_LIMIT_MS);
    const sight = await Promise.race([
      this.call.until(isSo, limit).then(
        () => 'seen' as const,
        () => 'late' as const,
      ),
      ...(or === undefined ? [] : [or.then(() => 'over' as const)]),
    ]);
    if (sight === 'seen') report.took(what, since);
    if (sight === 'late') {
      const isMissed = isDue || troubles.isCalm(since);
      if (isMissed) this.account.late.push(`${what} was not seen within ${limit / 1_000} s`);
      else report.missed(what);
    }
    return sight;
  }

  #failed(what: string, since: number, type: string): void {
    const { report, troubles } = this.#stage;
    report.failed(type);
    if (type === NOT_ENDED) this.account.late.push(`${what} has not ended`);
    else if (troubles.isCalm(since)) this.account.failed.push(`${what} has ended as ${type}`);
  }

  #people(): string[] {
    const { participants } = this.#stage.graph.describe(this.call.id);
    return participants.map(({ id }) => id).filter((id) => id !== this.call.participantId);
  }

  /** A worker answers, if one is there. */
  async #polling(ask: () => Promise<boolean>, or?: Promise<unknown>): Promise<void> {
    const ended = new AbortController();
    or?.finally(() => ended.abort()).catch(() => undefined);
    const deadline = Date.now() + this.#stage.limitMs;
    while (!ended.signal.aborted && Date.now() < deadline && !(await this.#patiently(ask))) await sleep(200);
  }

  /** Asks again while Temporal cannot be reached. What takes too long is `NotEnded`. */
  async #patiently<T>(ask: () => Promise<T>, limitMs = this.#stage.limitMs): Promise<T> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      const late = new AbortController();
      try {
        const limit = sleep(Math.max(0, deadline - Date.now()), undefined, { signal: late.signal });
        return await Promise.race([ask(), limit.then(() => Promise.reject(notEnded(this.call.id, limitMs)))]);
      } catch (error) {
        if (!isTransient(error)) throw error;
        await sleep(500);
      } finally {
        late.abort();
      }
    }
  }
}

const NOT_ENDED = 'NotEnded';

function notEnded(callId: string, ms: number): ModerationError {
  return new ModerationError(NOT_ENDED, `It has not ended within ${ms} ms.`, { callId });
}

const TRANSIENT = new Set([
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'UNKNOWN',
  'INTERNAL',
  'RESOURCE_EXHAUSTED',
]);

function isTransient(error: unknown): boolean {
  if (error instanceof ModerationError) return error.type === 'TemporalUnavailable';
  return TRANSIENT.has(grpcStatusOf(error) ?? '');
}

/** Of an outcome; what is none is thrown. */
function typeOf(error: unknown): string {
  if (error instanceof ModerationError) return error.type;
  throw error;
}

function unlessGone(error: unknown): void {
  if (!(error instanceof WorkflowNotFoundError)) throw error;
}
