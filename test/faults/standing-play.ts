import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { ModerationError } from '../../src/client/errors.ts';
import type { MuteLockHandle } from '../../src/client/standing/mute-locks.ts';
import type { MuteOnEntryHandle } from '../../src/client/standing/mutes-on-entry.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { muteOnEntryIdOf } from '../../src/contract/mute-on-entry.ts';
import type { Service, TestCall } from '../support/service.ts';
import { until } from '../support/until.ts';
import { judgeStanding, type StandingVerdict, type Wish } from './standing-judge.ts';
import type { StandingStep } from './standing-scenario.ts';

export interface PlayedStanding extends StandingVerdict {
  operations: number;
  faults: number;
  ends: string[];
}

/** How long everything may take to end once Graph has recovered: the longest pause between two attempts, and an operation. */
const ENDS_WITHIN_MS = 90_000;

/** An unmute at the end of a mute lock is asked for so long before it closes, at most. */
const UNMUTES_WITHIN_MS = 4_000;

/** Plays a scenario on a call of its own, lets everything end, and has it judged. */
export async function playStanding(service: Service, steps: readonly StandingStep[]): Promise<PlayedStanding> {
  const player = new Player(service);
  for (const step of steps) await player.take(step);
  return await player.end(steps.filter(({ kind }) => kind === 'faults' || kind === 'organizer').length);
}

class Player {
  readonly #service: Service;
  readonly #call: TestCall;
  readonly #wishes: Wish[] = [];
  readonly #joined = new Map<string, number>();
  readonly #pending: Promise<void>[] = [];
  /** Errors that are no outcome of what was asked for: each is a fault of ours. */
  readonly #unexpected: unknown[] = [];
  readonly #ends: string[] = [];
  #muteOnEntryAt: number | undefined;
  #hasEnded = false;

  constructor(service: Service) {
    this.#service = service;
    this.#call = service.call();
    for (const id of this.#people()) this.#joined.set(id, 0);
  }

  async take(step: StandingStep): Promise<void> {
    const { graph, moderation, client } = this.#service;
    const { id: callId, participantId } = this.#call;
    switch (step.kind) {
      case 'keepMuted': {
        const { forSeconds, enforce } = step;
        const terms = { callId, ...(forSeconds !== undefined && { forSeconds }) };
        if (enforce) await this.#held(moderation.keepMuted(terms));
        else await this.#held(moderation.muteFor({ ...terms, forSeconds: forSeconds ?? 5 }));
        return;
      }
      case 'releaseHold':
        return await unlessEnded((await moderation.getMuteLock(callId))?.release());
      case 'cancelHold':
        return void (await unlessEnded(client.workflow.getHandle(muteLockIdOf(callId)).cancel()));
      case 'muteOnEntry':
        this.#muteOnEntryAt ??= Date.now();
        return await this.#entered(moderation.muteOnEntry({ callId }));
      case 'releaseMuteOnEntry':
        return await unlessEnded((await moderation.getMuteOnEntry(callId))?.release());
      case 'ask':
        return await this.#ask(step.action);
      case 'releaseCall':
        return this.#later(this.#releaseCall());
      case 'join':
        if (this.#hasEnded) return;
        await graph.addParticipants(callId, step.count);
        for (const id of this.#people()) if (!this.#joined.has(id)) this.#joined.set(id, Date.now());
        return;
      case 'leave': {
        const [someone] = this.#people();
        if (someone !== undefined && !this.#hasEnded) await graph.removeParticipant(callId, someone);
        return;
      }
      case 'organizer':
        if (this.#hasEnded) return;
        this.#wish(Date.now(), step.isMuted, 'organizer');
        return this.#later(graph.setParticipant(callId, participantId, { serverMuted: step.isMuted }));
      case 'faults':
        return graph.setFaults(callId, step.faults);
      case 'endCall':
        if (this.#hasEnded) return;
        this.#hasEnded = true;
        return this.#later(graph.endCall(callId));
      case 'wait':
        return await sleep(step.ms);
    }
  }

  /** Graph recovers, everything that lasts is released, and is waited for. */
  async end(faults: number): Promise<PlayedStanding> {
    const { graph, moderation } = this.#service;
    const { id: callId } = this.#call;
    await graph.clearFaults(callId);
    await unlessEnded((await moderation.getMuteLock(callId))?.release());
    await unlessEnded((await moderation.getMuteOnEntry(callId))?.release());
    const late: string[] = [];
    await within(Promise.all(this.#pending), 'what was asked for', late);
    if (this.#unexpected.length > 0)
      throw new AggregateError(this.#unexpected, `On call ${callId}, something else failed`);
    for (const workflowId of [muteLockIdOf(callId), muteOnEntryIdOf(callId), this.#call.workflowId]) {
      await within(this.#closed(workflowId), workflowId, late);
    }
    await this.#call.settled();
    const { operations, lastClosedAt, holdEnds } = await this.#account();
    const verdict = judgeStanding({
      callId,
      log: this.#call.log,
      wishes: [...this.#wishes, ...holdEnds],
      isServerMuted: this.#hasEnded ? false : this.#call.self.serverMuted,
      hasEnded: this.#hasEnded,
      participants: [...this.#joined].map(([id, joinedAt]) => ({ id, joinedAt })),
      muteOnEntryAt: this.#muteOnEntryAt,
      lastClosedAt,
      late,
    });
    return { ...verdict, operations, faults, ends: this.#ends };
  }

  async #held(asked: Promise<MuteLockHandle>): Promise<void> {
    const from = Date.now();
    try {
      const handle = await asked;
      if (handle.attached) return;
      const ended = async (): Promise<void> => {
        const result = await orFailure(handle.result());
        this.#ends.push(result instanceof ModerationError ? 'failed' : result.endedBy);
        // A first mute that fails restores what was there before it: that may be older than what others did since.
        if (result instanceof ModerationError) this.#wish(from, undefined, 'keepMuted');
      };
      this.#later(ended());
    } catch (error) {
      if (!(error instanceof ModerationError)) throw error;
    }
  }

  async #entered(asked: Promise<MuteOnEntryHandle>): Promise<void> {
    try {
      const handle = await asked;
      this.#later(orFailure(handle.result()));
    } catch (error) {
      if (!(error instanceof ModerationError)) throw error;
    }
  }

  async #ask(action: 'mute' | 'unmute'): Promise<void> {
    const from = Date.now();
    const { id: callId } = this.#call;
    const handle = await this.#service.moderation[action]({ callId, confirmWithinSeconds: 3 });
    const ended = async (): Promise<void> => {
      const result = await orFailure(handle.result());
      if (!(result instanceof ModerationError)) this.#wish(from, action === 'mute', 'client');
      else if (result.type !== 'Superseded') this.#wish(from, undefined, 'client');
    };
    this.#later(ended());
  }

  /** Goes on meanwhile, and is waited for at the end. */
  #later(work: Promise<unknown>): void {
    this.#pending.push(
      work.then(
        () => undefined,
        (error: unknown) => void this.#unexpected.push(error),
      ),
    );
  }

  async #releaseCall(): Promise<void> {
    const from = Date.now();
    for await (const { outcome } of this.#service.moderation.release({ callId: this.#call.id })) {
      if (outcome === 'released' || outcome === 'unmuted') this.#wish(from, false, 'release');
      if (outcome === 'failed') this.#wish(from, undefined, 'release');
    }
  }

  #wish(from: number, isMuted: boolean | undefined, who: string): void {
    this.#wishes.push({ from, at: Date.now(), isMuted, who });
  }

  #people(): string[] {
    const { participants } = this.#service.graph.describe(this.#call.id);
    return participants.map(({ id }) => id).filter((id) => id !== this.#call.participantId);
  }

  async #listed(): Promise<void> {
    const { client } = this.#service;
    for (const id of [this.#call.workflowId, muteLockIdOf(this.#call.id)]) {
      const newest = await unlessEnded(client.workflow.getHandle(id).describe());
      if (newest === undefined) continue;
      const query = `RunId = '${newest.runId}'`;
      await until(
        async () => (await client.workflow.count(query)).count,
        (count) => count > 0,
      );
    }
  }

  async #closed(workflowId: string): Promise<void> {
    try {
      await unlessEnded(this.#service.client.workflow.getHandle(workflowId).result());
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
    }
  }

  /** Every run of the call: how many operations there were, when the last one closed, and how the holds have ended. */
  async #account(): Promise<{ operations: number; lastClosedAt: number; holdEnds: Wish[] }> {
    const { client } = this.#service;
    // Lists lag: what has closed last shows that they are as new as that.
    await this.#listed();
    let operations = 0;
    let lastClosedAt = 0;
    const holdEnds: Wish[] = [];
    const query = `ModerationCallId = '${this.#call.id}' AND WorkflowType IN ('mute', 'unmute', 'keepMuted')`;
    for await (const { workflowId, runId, type } of client.workflow.list({ query })) {
      const run = client.workflow.getHandle(workflowId, runId, { followRuns: false });
      const { closeTime } = await run.describe();
      if (closeTime === undefined) continue;
      lastClosedAt = Math.max(lastClosedAt, closeTime.getTime());
      if (type !== 'keepMuted') operations += 1;
      else if (await hasUnmuted(run)) {
        const at = closeTime.getTime();
        holdEnds.push({ from: at - UNMUTES_WITHIN_MS, at, isMuted: false, who: 'end of a mute lock' });
      }
    }
    return { operations, lastClosedAt, holdEnds };
  }
}

/** Whether a mute lock has ended with an unmute. One that was released before it muted has nothing to undo. */
async function hasUnmuted(run: WorkflowHandle): Promise<boolean> {
  return (await hasEndedWell(run)) && (await hasOrdered(run));
}

async function hasOrdered(run: WorkflowHandle): Promise<boolean> {
  const { events } = await run.fetchHistory();
  const activities = (events ?? []).map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name);
  return activities.some((name) => name === 'startOperation' || name === 'readOperation');
}

/** A cancelled one says it in its message. */
async function hasEndedWell(run: WorkflowHandle): Promise<boolean> {
  try {
    const { endedBy } = (await run.result()) as { endedBy: string };
    return endedBy === 'expired' || endedBy === 'released';
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    return cause !== undefined && /\((expired|released)\)/.test(cause.message);
  }
}

/** `undefined` if the workflow has ended meanwhile, or never was: a signal then finds nobody. */
async function unlessEnded<T>(asked: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** The result, or the failure that is an outcome as well. */
async function orFailure<T>(result: Promise<T>): Promise<T | ModerationError> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof ModerationError) return error;
    throw error;
  }
}

async function within(work: Promise<unknown>, what: string, late: string[]): Promise<void> {
  const limit = new AbortController();
  const isLate = await Promise.race([
    work.then(() => false),
    sleep(ENDS_WITHIN_MS, true, { signal: limit.signal, ref: false }),
  ]);
  limit.abort();
  if (isLate) late.push(what);
}
