import { canonicalId, isCallId, workflowIdOf } from '../../contract/call-id.ts';
import { CANCELLED } from '../../contract/failure.ts';
import type { MuteLockResult } from '../../contract/mute-lock.ts';
import { isTenantId } from '../../contract/tenant.ts';
import { grpcStatusOf, toOwnError } from '../any-error.ts';
import { invalid, ModerationError, type ModerationErrorType } from '../errors.ts';
import type { MuteLockHandle, MuteLocks } from '../standing/mute-locks.ts';
import { isTaken } from '../standing/standing-mutes.ts';
import { leftMuted } from './left-muted.ts';
import type { ModerationClient } from '../moderation-client.ts';
import type { MutesOnEntry } from '../standing/mutes-on-entry.ts';
import type { Run } from '../operations/operation-handle.ts';
import { otherDeployment } from '../own-deployment.ts';
import { Pool } from '../../lib/pool.ts';
import { ReleaseCandidates } from './release-candidates.ts';
import { ReleaseRun } from './release-run.ts';
import type { Runs } from '../operations/runs.ts';

/**
 * Releases calls: ends their mutes on entry and their mute locks, and unmutes the application if an operation of ours
 * has left it muted. It is the emergency exit, so it works when other things are broken.
 *
 * - **Operations decide whose mute it is.** The call's operations decide it (`left-muted.ts`); Temporal's lists only
 *   name candidates (`release-candidates.ts`). In doubt the call is unmuted: that is harmless unless somebody else,
 *   such as an organizer, has muted it, who can mute it again, whereas a mute that we left would stay. If the
 *   operations show that we did not mute, nobody else's mute is touched.
 * - **A mute lock unmutes by itself.** If it does not end in time, or its worker does not answer, it is not waited
 *   for: it has received the signal to end, and the call is unmuted beside it. If it refuses the signal, it is
 *   cancelled, and if it refuses that, it is terminated, so that it cannot mute again.
 * - **Each call succeeds or fails on its own.** Each gets a result within its time, whatever goes wrong. A call that
 *   has ended is not a failure.
 * - **An operation without progress is terminated.** If no worker can run it, it is waited for like any other; then
 *   it is terminated, and the call is unmuted again. It is not terminated if a request to Graph is under way, because
 *   that could arrive after the unmute.
 * - **Other deployments are left alone.** Only workflows of our own task queue receive signals. A call that another
 *   deployment keeps muted, or has changed last, is refused.
 */

/**
 * Which calls of this client's task queue: one; those of a tenant (its active calls, and calls whose operations named
 * it); or all.
 */
export type ReleaseScope = { callId: string } | { tenantId: string } | { everywhere: true };

export interface ReleaseOptions {
  /** Report what would be done, and do nothing. It does not check whether a call has ended. */
  dryRun?: boolean;
  /**
   * Time limit per call in seconds, 1 to 3,600. Whatever has not ended by then continues on its own, and the result is
   * a failure of the type `NotEnded`.
   *
   * @default 120
   */
  withinSeconds?: number;
  /** For the audit trail of the unmutes. */
  requestedBy?: string;
  reason?: string;
}

/**
 * - `released`: its mute lock has unmuted it, `unmuted`: an operation has
 * - `wouldRelease`, `wouldUnmute`: the same, with `dryRun`
 * - `callEnded`: there was nothing to unmute any more
 * - `notMuted`: no operation of ours has left it muted
 * - `failed`: see `type` and `message`
 * - `incomplete`: the last result, of no call: a list could not be read, so calls may be missing. Release again.
 */
export type ReleaseOutcome =
  | 'released'
  | 'unmuted'
  | 'wouldRelease'
  | 'wouldUnmute'
  | 'callEnded'
  | 'notMuted'
  | 'failed'
  | 'incomplete';

export interface ReleasedCall {
  /** `*` with the outcome `incomplete`. */
  callId: string;
  outcome: ReleaseOutcome;
  /**
   * Its mute lock did not end in time. `goesOn`: it was asked to end, and ends as soon as a worker runs it.
   * `terminated`: it accepted no signal. `notKnown`: Temporal did not report whether there is one.
   */
  muteLock?: 'goesOn' | 'terminated' | 'notKnown';
  /**
   * Its mute on entry was ended, or would be; or could not be ended, and `type` and `message` give the reason unless
   * the call itself has failed. Participants who were muted stay muted; they can unmute themselves.
   */
  muteOnEntry?: 'ended' | 'wouldEnd' | 'failed';
  /** Of a failure. */
  type?: ModerationErrorType;
  message?: string;
}

/** Calls that are released at the same time; most of that is waiting. */
const AT_ONCE = 20;

const DEFAULT_WITHIN_SECONDS = 120;
const MAX_WITHIN_SECONDS = 3_600;

/**
 * Parts of a call's time, from its beginning: until its mute lock has ended, and until an operation without progress
 * has.
 */
const MUTE_LOCK_PART = 0.5;
const STANDSTILL_PART = 0.75;

/** Temporal's answer to one question. */
const ASK_WITHIN_MS = 10_000;

/** A mute lock that has not ended after this is queried, and waited for only if a worker answers. */
const MUTE_LOCK_LOOK_MS = 5_000;
const MUTE_LOCK_ANSWER_MS = 3_000;

/** An attempt of a request to Graph takes at most 10 s. */
const ON_ITS_WAY_MS = 15_000;

type Failed = Required<Pick<ReleasedCall, 'type' | 'message'>>;
type Unmuted = Pick<ReleasedCall, 'outcome' | 'muteLock'> & Partial<Failed>;
type MuteOnEntryEndReason = Pick<ReleasedCall, 'muteOnEntry'> & Partial<Failed>;

/** Of one call, in ms since the epoch. */
interface Times {
  began: number;
  muteLock: number;
  standstill: number;
  end: number;
}

interface Work extends ReleaseOptions {
  seconds: number;
  onStarted: (runId: string) => void;
}

export class Releaser {
  readonly #runs: Runs;
  readonly #taskQueue: string;
  readonly #muteLocks: MuteLocks;
  readonly #mutesOnEntry: MutesOnEntry;
  readonly #moderation: Pick<ModerationClient, 'unmute' | 'getHandle'>;

  constructor(
    runs: Runs,
    taskQueue: string,
    muteLocks: MuteLocks,
    mutesOnEntry: MutesOnEntry,
    moderation: Pick<ModerationClient, 'unmute' | 'getHandle'>,
  ) {
    this.#runs = runs;
    this.#taskQueue = taskQueue;
    this.#muteLocks = muteLocks;
    this.#mutesOnEntry = mutesOnEntry;
    this.#moderation = moderation;
  }

  /** @throws {ModerationError} `InvalidRequest` */
  release(scope: ReleaseScope, options: ReleaseOptions): ReleaseRun {
    requireScope(scope);
    const { withinSeconds: seconds = DEFAULT_WITHIN_SECONDS } = options;
    if (!(seconds >= 1 && seconds <= MAX_WITHIN_SECONDS)) {
      throw invalid([`withinSeconds must be a number from 1 to ${MAX_WITHIN_SECONDS}`]);
    }
    if ('callId' in scope) {
      const callId = canonicalId(scope.callId);
      return new ReleaseRun(async (emit) => {
        emit(await this.#releaseCall(callId, { ...options, seconds, onStarted: () => undefined }));
      });
    }
    const tenantId = 'tenantId' in scope ? scope.tenantId : undefined;
    return new ReleaseRun(async (emit) => await this.#releaseMany(tenantId, { ...options, seconds }, emit));
  }

  async #releaseMany(
    tenantId: string | undefined,
    options: ReleaseOptions & { seconds: number },
    emit: (result: ReleasedCall) => void,
  ): Promise<void> {
    const candidates = new ReleaseCandidates(
      this.#runs,
      this.#taskQueue,
      this.#muteLocks,
      this.#mutesOnEntry,
      tenantId,
    );
    const work: Work = { ...options, onStarted: (runId) => candidates.started(runId) };
    const pool = new Pool(AT_ONCE);
    const seen = new Set<string>();
    const named = new Set<string>();
    // An active call without any operation of ours is not reported, unless a list names it after all.
    const withheld = new Map<string, ReleasedCall>();
    const release = async (callId: string): Promise<void> => {
      const released = await this.#releaseCall(callId, work);
      const isNothing = released.outcome === 'notMuted' && released.muteOnEntry === undefined;
      if (isNothing && !named.has(callId)) withheld.set(callId, released);
      else emit(released);
    };
    const gaps = await candidates.find(({ callId, isNamed }) => {
      if (isNamed) named.add(callId);
      const late = isNamed ? withheld.get(callId) : undefined;
      if (late !== undefined) {
        withheld.delete(callId);
        emit(late);
      }
      if (seen.has(callId)) return;
      seen.add(callId);
      pool.add(async () => await release(callId));
    });
    await pool.emptied();
    if (gaps.length > 0) emit(incomplete(gaps));
  }

  async #releaseCall(callId: string, work: Work): Promise<ReleasedCall> {
    const began = Date.now();
    const ms = work.seconds * 1_000;
    const times = {
      began,
      muteLock: began + ms * MUTE_LOCK_PART,
      standstill: began + ms * STANDSTILL_PART,
      end: began + ms,
    };
    const [entry, unmuted] = await Promise.all([
      this.#releaseEntry(callId, work, times),
      this.#releaseApplication(callId, work, times),
    ]);
    return { callId, ...entry, ...unmuted };
  }

  /** Waits for its end, because it may be muting somebody. A failure is an end, too. */
  async #releaseEntry(
    callId: string,
    { dryRun = false, seconds }: Work,
    { end }: Times,
  ): Promise<MuteOnEntryEndReason> {
    try {
      const running = await this.#asked(async () => await this.#mutesOnEntry.running(callId));
      if (running === undefined) return {};
      if (dryRun) return { muteOnEntry: 'wouldEnd' };
      if (!(await this.#asked(async () => await isTaken(running.release())))) return {};
      const ended = await this.#until(end, async () => {
        await running.result().catch((error: unknown) => {
          if (!(error instanceof ModerationError)) throw error;
        });
        return true;
      });
      if (ended === true) return { muteOnEntry: 'ended' };
      throw notEnded(callId, `The mute on entry of call ${callId} was told to end, and has not within ${seconds} s.`);
    } catch (error) {
      const { type, message } = toOwnError(error, `Ending the mute on entry of call ${callId}`, callId);
      return { muteOnEntry: 'failed', type, message };
    }
  }

  async #releaseApplication(callId: string, work: Work, times: Times): Promise<Unmuted> {
    let muteLock: Unmuted['muteLock'];
    try {
      const released = await this.#releaseHold(callId, work, times);
      if (released !== undefined && 'outcome' in released) return released;
      muteLock = released?.muteLock;
      const left = await this.#unmute(callId, work, times);
      const outcome = left === 'notMuted' && released?.isCancelled === true ? 'released' : left;
      return { outcome, ...(muteLock !== undefined && { muteLock, ...unendedMuteLock(callId, muteLock) }) };
    } catch (error) {
      const own = toOwnError(error, `Releasing call ${callId}`, callId);
      const also = muteLock === undefined ? {} : { muteLock };
      if (hasEnded(own)) return { outcome: 'callEnded', ...also }; // **Each call succeeds or fails on its own.**
      return { outcome: 'failed', ...also, type: own.type, message: own.message };
    }
  }

  // the mute lock (**A mute lock unmutes by itself**)

  /**
   * The outcome if the mute lock has unmuted the call, or else how it was left; undefined if there is none any more.
   */
  async #releaseHold(
    callId: string,
    { dryRun = false }: Work,
    times: Times,
  ): Promise<{ outcome: ReleaseOutcome } | { muteLock?: Unmuted['muteLock']; isCancelled?: true } | undefined> {
    let muteLock: MuteLockHandle | undefined;
    try {
      muteLock = await this.#asked(async () => await this.#muteLocks.running(callId));
    } catch (error) {
      if (error instanceof ModerationError) throw error; // **Other deployments are left alone.**
      return { muteLock: 'notKnown' };
    }
    if (muteLock === undefined) return undefined;
    if (dryRun) return { outcome: 'wouldRelease' };
    const told = await this.#tellMuteLock(muteLock);
    if (told !== 'told') return told === 'ended' ? undefined : { muteLock: told };
    try {
      const result = await this.#muteLockEnd(muteLock, times);
      if (result === undefined) return { muteLock: 'goesOn' };
      if (result.endedBy === 'callEnded') return { outcome: 'callEnded' };
      const isUnmuted = result.endedBy === 'released' || result.endedBy === 'expired';
      return isUnmuted ? { outcome: 'released' } : undefined;
    } catch (error) {
      // It has failed, so it has not unmuted; the operations show whether an unmute is needed.
      if (error instanceof ModerationError) {
        if (error.type === CANCELLED) return { isCancelled: true };
        return hasEnded(error) ? { outcome: 'callEnded' } : undefined;
      }
      return grpcStatusOf(error) === undefined ? undefined : { muteLock: 'goesOn' };
    }
  }

  async #tellMuteLock(muteLock: MuteLockHandle): Promise<'told' | 'ended' | 'terminated' | 'notKnown'> {
    const run = this.#runs.client.workflow.getHandle(muteLock.workflowId);
    const ways = [
      ['told', async () => await muteLock.release()],
      ['told', async () => void (await run.cancel())],
      [
        'terminated',
        async () => void (await run.terminate('Released, and it took neither the signal nor a cancellation')),
      ],
    ] as const;
    for (const [told, way] of ways) {
      try {
        return (await this.#asked(async () => await isTaken(way()))) ? told : 'ended';
      } catch {
        // Try the next, stronger way.
      }
    }
    return 'notKnown';
  }

  /** Undefined if it has not ended in time, or no worker answers for it. */
  async #muteLockEnd(muteLock: MuteLockHandle, { muteLock: deadline }: Times): Promise<MuteLockResult | undefined> {
    const ended = async (): Promise<MuteLockResult> => await muteLock.result();
    const soon = await this.#until(Math.min(Date.now() + MUTE_LOCK_LOOK_MS, deadline), ended);
    if (soon !== undefined) return soon;
    const status = async () => await muteLock.status();
    const isAlive = await this.#until(Date.now() + MUTE_LOCK_ANSWER_MS, status).catch(() => undefined);
    return isAlive === undefined ? undefined : await this.#until(deadline, ended);
  }

  // the operation

  async #unmute(callId: string, work: Work, times: Times): Promise<ReleaseOutcome> {
    const left = await leftMuted(this.#runs, callId);
    if (left.answer === 'notMuted') return 'notMuted';
    const run = left.answer === 'muted' ? left.by : left.newest; // **Operations decide whose mute it is.**
    if (run !== undefined && run.taskQueue !== this.#taskQueue) {
      // **Other deployments are left alone.**
      throw otherDeployment(callId, `its operation ${run.record.runId}`, run.taskQueue, this.#taskQueue);
    }
    const { dryRun = false, seconds } = work;
    if (dryRun) return 'wouldUnmute';
    const tenantId = run?.record.tenantId;
    const first = await this.#operate(callId, tenantId, work, times.standstill);
    if (first === 'ended') return 'unmuted';
    // A terminated operation is always followed by an unmute, however late.
    const second = (await this.#isFreed(callId, first))
      ? await this.#operate(callId, tenantId, work, Math.max(times.end, Date.now() + ASK_WITHIN_MS))
      : await this.#endOf(callId, first, times.end);
    if (second === 'ended') return 'unmuted';
    const why =
      second === undefined
        ? `The unmute of call ${callId} could not begin within ${seconds} s, because another operation on it has not ended.`
        : `The unmute of call ${callId} (run ${second.runId}) has not ended within ${seconds} s, and goes on.`;
    throw notEnded(callId, why);
  }

  /** `undefined` if it has no run of its own in time. */
  async #operate(
    callId: string,
    tenantId: string | undefined,
    { requestedBy, reason, onStarted }: Work,
    deadline: number,
  ): Promise<'ended' | Run | undefined> {
    let run: Run | undefined;
    const ended = await this.#until(deadline, async () => {
      const operation = await this.#moderation.unmute({
        callId,
        ...(tenantId !== undefined && { tenantId }),
        ...(requestedBy !== undefined && { requestedBy }),
        ...(reason !== undefined && { reason }),
      });
      run = await operation.run();
      onStarted(run.runId);
      await operation.result();
      return 'ended' as const;
    });
    return ended ?? run;
  }

  /** Of an unmute that was begun already, and cannot be begun better. */
  async #endOf(callId: string, run: Run | undefined, deadline: number): Promise<'ended' | Run | undefined> {
    if (run === undefined) return undefined;
    const ended = await this.#until(deadline, async () => {
      await this.#moderation.getHandle({ callId, action: 'unmute', runId: run.runId }).result();
      return 'ended' as const;
    });
    return ended ?? run;
  }

  /**
   * Whether an operation without progress was terminated. An operation of this release is not terminated (**An
   * operation without progress is terminated**).
   */
  async #isFreed(callId: string, own: Run | undefined): Promise<boolean> {
    try {
      return await this.#asked(async () => {
        const described = await this.#runs.client.workflow.getHandle(workflowIdOf(callId)).describe();
        const { runId, workflowId, closeTime, taskQueue, raw } = described;
        if (closeTime !== undefined) return true;
        if (taskQueue !== this.#taskQueue || (own?.runId === runId && !own.attached)) return false;
        const run = this.#runs.of(workflowId, runId);
        if ((await this.#runs.statusOf(run)) !== undefined) return false;
        const isOnItsWay = (raw.pendingActivities ?? []).some(({ lastStartedTime }) => {
          const startedAt = Number(lastStartedTime?.seconds ?? 0) * 1_000;
          return Date.now() - startedAt < ON_ITS_WAY_MS;
        });
        if (isOnItsWay) return false;
        await run.terminate('Released, and no worker could run it');
        return true;
      });
    } catch {
      return false;
    }
  }

  // Temporal

  /** An answer that does not take long. */
  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    return await this.#runs.client.withDeadline(Date.now() + ASK_WITHIN_MS, ask);
  }

  /** Undefined if `work` has not ended by then. */
  async #until<T>(deadline: number, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#runs.client.withDeadline(deadline, work);
    } catch (error) {
      if (error instanceof ModerationError || Date.now() < deadline) throw error;
      return undefined;
    }
  }
}

function requireScope(scope: ReleaseScope): void {
  if ('callId' in scope) {
    if (isCallId(scope.callId)) return;
    throw invalid(['callId must be 1 to 128 of A-Z a-z 0-9 _ -; pass the id that Graph returned for the call']);
  }
  if ('tenantId' in scope) {
    if (isTenantId(scope.tenantId)) return;
    throw invalid(['tenantId must be the ID or a domain of a tenant']);
  }
  // Also from callers without types: a release of nothing must not look like one of everything, nor like a success.
  if ((scope as { everywhere?: unknown }).everywhere === true) return;
  throw invalid(['the scope must be { callId }, { tenantId } or { everywhere: true }']);
}

function hasEnded({ type }: ModerationError): boolean {
  return type === 'CallEnded' || type === 'CallNotFound';
}

function notEnded(callId: string, why: string): ModerationError {
  const message = `${why} See it in Temporal: a worker of its task queue, or of the build that it is pinned to, may be missing.`;
  return new ModerationError('NotEnded', message, { callId });
}

function unendedMuteLock(callId: string, muteLock: NonNullable<ReleasedCall['muteLock']>): Failed {
  const how = {
    goesOn: `The mute lock of call ${callId} was asked to end, but has not ended in time. It ends when a worker runs it.`,
    terminated: `The mute lock of call ${callId} accepted neither a signal nor a cancellation, so it was terminated.`,
    notKnown: `Temporal did not report whether call ${callId} is kept muted, or did not accept the end of its mute lock. Release the call again.`,
  };
  return { type: muteLock === 'notKnown' ? 'TemporalUnavailable' : 'NotEnded', message: how[muteLock] };
}

function incomplete(gaps: readonly string[]): ReleasedCall {
  const message = `Calls may be missing, because Temporal could not list everything (${gaps.join('; ')}). The calls that were listed are released. Release again.`;
  return { callId: '*', outcome: 'incomplete', type: 'TemporalUnavailable', message };
}
