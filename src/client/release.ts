import { canonicalId, isCallId } from '../contract/call-id.ts';
import { TENANT_ID } from '../contract/check.ts';
import { CANCELLED } from '../contract/failure.ts';
import { PENDING, SEARCH_ATTRIBUTE } from '../contract/names.ts';
import { inParallel } from './in-parallel.ts';
import { invalid, ModerationError, valid, type ModerationErrorType } from './errors.ts';
import { toModerationError } from './failure.ts';
import type { Holds } from './holds.ts';
import { isTaken } from './lasting-runs.ts';
import type { ModerationClient } from './moderation-client.ts';
import type { MutesOnEntry } from './mutes-on-entry.ts';
import { newestOwn } from './newest.ts';
import { quote, toQuery, toRecord, type OperationRecord } from './records.ts';
import type { Runs } from './runs.ts';

/**
 * Releases calls: ends their mutes on entry and their holds, and unmutes the application where an operation of ours has left it muted.
 *
 * W1. Whose mute it is shows in the call's operations alone, the newest first. One that failed and left the call as it was
 *     says nothing, and the one before it counts. A mute that is confirmed, or whose end nobody knows, has left it muted;
 *     an unmute that is confirmed has not. Nobody else's mute is touched.
 * W2. A mute on entry goes first, and unmutes nobody. Then a hold, which unmutes by itself; nothing else is asked for
 *     where it has.
 * W3. Each call succeeds or fails on its own. That it has ended is no failure: there is nobody to be heard.
 * W4. The newest operation of a call the server always knows; the calls, and what was before, come from Temporal's lists,
 *     which are a moment behind.
 */

/** Which calls: one, those whose operations named a tenant, or all. */
export type ReleaseScope = { callId: string } | { tenantId: string } | { everywhere: true };

export interface ReleaseOptions {
  /** Tell what would be done, and do nothing. Whether a call still goes on is not asked either. */
  dryRun?: boolean;
  /** For the audit trail of the unmutes. */
  requestedBy?: string;
  reason?: string;
}

/**
 * - `released`: its hold has unmuted it, `unmuted`: an operation has
 * - `wouldRelease`, `wouldUnmute`: the same, with `dryRun`
 * - `callEnded`: there was nothing to unmute any more
 * - `notMuted`: no operation of ours has left it muted
 * - `failed`: look at `type` and `message`
 */
export type ReleaseOutcome =
  | 'released'
  | 'unmuted'
  | 'wouldRelease'
  | 'wouldUnmute'
  | 'callEnded'
  | 'notMuted'
  | 'failed';

export interface ReleasedCall {
  callId: string;
  outcome: ReleaseOutcome;
  /** It was being muted on entry, and is not any more, or would not be. Who was muted stays so: they can unmute themselves. */
  muteOnEntry?: 'ended' | 'wouldEnd';
  /** Of a failure. */
  type?: ModerationErrorType;
  message?: string;
}

/** Calls that are released at the same time. */
const AT_ONCE = 8;

/** How long a hold is waited for, in ms. It goes on by itself where that is not enough. */
const HOLD_WITHIN_MS = 120_000;

/** How far back the operations of one call are looked at. */
const MOST_LOOKED_AT = 50;

/** Outcomes after which the call may be as the operation wanted it. Of others, `details.restored` tells. */
const DECISIVE: ReadonlySet<string> = new Set(['Confirmed', 'RestoreFailed', 'Terminated', 'TimedOut', PENDING]);
const MAYBE: ReadonlySet<string> = new Set(['Unconfirmed', 'GraphUnavailable', 'OperationFailed', CANCELLED]);

export class Releaser {
  readonly #runs: Runs;
  readonly #holds: Holds;
  readonly #mutesOnEntry: MutesOnEntry;
  readonly #moderation: Pick<ModerationClient, 'unmute'>;

  constructor(runs: Runs, holds: Holds, mutesOnEntry: MutesOnEntry, moderation: Pick<ModerationClient, 'unmute'>) {
    this.#runs = runs;
    this.#holds = holds;
    this.#mutesOnEntry = mutesOnEntry;
    this.#moderation = moderation;
  }

  async *release(scope: ReleaseScope, options: ReleaseOptions): AsyncIterable<ReleasedCall> {
    const callIds = await this.#callsOf(scope);
    yield* inParallel(callIds, AT_ONCE, async (callId) => await this.#releaseCall(callId, options));
  }

  async #callsOf(scope: ReleaseScope): Promise<string[]> {
    if ('callId' in scope) {
      if (isCallId(scope.callId)) return [canonicalId(scope.callId)];
      throw invalid(['callId must be 1 to 128 of A-Z a-z 0-9 _ -; pass the id of the call as Graph gave it']);
    }
    const tenantId = 'tenantId' in scope ? valid(TENANT_ID, scope.tenantId) : undefined;
    if (tenantId === undefined && !('everywhere' in scope && scope.everywhere)) {
      throw invalid(['the scope must be { callId }, { tenantId } or { everywhere: true }']);
    }
    const callIds = new Set<string>();
    for await (const callId of this.#holds.calls(tenantId)) callIds.add(callId);
    for await (const callId of this.#mutesOnEntry.calls(tenantId)) callIds.add(callId);
    const ofTenant = tenantId === undefined ? '' : ` AND ${SEARCH_ATTRIBUTE.tenantId} = ${quote(tenantId)}`;
    const query = `WorkflowType = 'mute' AND ${SEARCH_ATTRIBUTE.target} IS NULL${ofTenant}`;
    for await (const info of this.#runs.client.workflow.list({ query })) {
      const record = toRecord(info);
      if (record !== undefined) callIds.add(record.callId);
    }
    return [...callIds];
  }

  async #releaseCall(callId: string, options: ReleaseOptions): Promise<ReleasedCall> {
    let entry: Pick<ReleasedCall, 'muteOnEntry'> = {};
    try {
      entry = await this.#releaseEntry(callId, options);
      const outcome = (await this.#releaseHold(callId, options)) ?? (await this.#unmute(callId, options)); // W2
      return { callId, outcome, ...entry };
    } catch (error) {
      if (!(error instanceof ModerationError)) throw error;
      if (error.type === 'CallEnded' || error.type === 'CallNotFound')
        return { callId, outcome: 'callEnded', ...entry }; // W3
      return { callId, outcome: 'failed', ...entry, type: error.type, message: error.message };
    }
  }

  /** It is waited for, for it may be muting somebody. That it fails is an end, too. */
  async #releaseEntry(callId: string, { dryRun = false }: ReleaseOptions): Promise<Pick<ReleasedCall, 'muteOnEntry'>> {
    const running = await this.#mutesOnEntry.running(callId);
    if (running === undefined) return {};
    if (dryRun) return { muteOnEntry: 'wouldEnd' };
    if (!(await isTaken(running.release()))) return {};
    const deadline = Date.now() + HOLD_WITHIN_MS;
    try {
      await this.#runs.client.withDeadline(deadline, async () => await running.result());
    } catch (error) {
      if (!(error instanceof ModerationError) && Date.now() < deadline) throw error;
      if (!(error instanceof ModerationError)) {
        const message = `The mute on entry of call ${callId} has not ended within ${HOLD_WITHIN_MS / 1_000} s. Look at it in Temporal.`;
        throw new ModerationError('GraphUnavailable', message, { callId }, error);
      }
    }
    return { muteOnEntry: 'ended' };
  }

  /** Nothing where there is no hold, or where it has ended without an unmute of its own. */
  async #releaseHold(callId: string, { dryRun = false }: ReleaseOptions): Promise<ReleaseOutcome | undefined> {
    const hold = await this.#holds.running(callId);
    if (hold === undefined) return undefined;
    if (dryRun) return 'wouldRelease';
    if (!(await isTaken(hold.release()))) return undefined;
    const deadline = Date.now() + HOLD_WITHIN_MS;
    try {
      const { endedBy } = await this.#runs.client.withDeadline(deadline, async () => await hold.result());
      if (endedBy === 'callEnded') return 'callEnded';
      return endedBy === 'released' || endedBy === 'expired' ? 'released' : undefined;
    } catch (error) {
      if (error instanceof ModerationError || Date.now() < deadline) throw error;
      const message = `The hold of call ${callId} could not unmute it within ${HOLD_WITHIN_MS / 1_000} s, and goes on trying. Look at it in Temporal.`;
      throw new ModerationError('GraphUnavailable', message, { callId }, error);
    }
  }

  async #unmute(callId: string, { dryRun = false, requestedBy, reason }: ReleaseOptions): Promise<ReleaseOutcome> {
    const left = await this.#leftMutedBy(callId);
    if (left === undefined) return 'notMuted';
    if (dryRun) return 'wouldUnmute';
    const operation = await this.#moderation.unmute({
      callId,
      ...(left.tenantId !== undefined && { tenantId: left.tenantId }),
      ...(requestedBy !== undefined && { requestedBy }),
      ...(reason !== undefined && { reason }),
    });
    await operation.result();
    return 'unmuted';
  }

  /** The operation that has left the application muted, if one has (W1). */
  async #leftMutedBy(callId: string): Promise<OperationRecord | undefined> {
    for (const record of await this.#ownOf(callId)) {
      if (!(await this.#isDecisive(record))) continue;
      return record.action === 'unmute' && record.outcome === 'Confirmed' ? undefined : record;
    }
    return undefined;
  }

  /** The call's operations on the application's own mute, the newest first (W4). */
  async #ownOf(callId: string): Promise<OperationRecord[]> {
    const newest = await newestOwn(this.#runs, callId);
    const records = newest === undefined ? [] : [newest];
    for await (const info of this.#runs.client.workflow.list({ query: toQuery({ callId }) })) {
      const record = toRecord(info);
      if (record === undefined || record.target !== undefined || record.runId === newest?.runId) continue;
      if (records.push(record) >= MOST_LOOKED_AT) break;
    }
    return records.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  }

  async #isDecisive({ workflowId, runId, callId, outcome }: OperationRecord): Promise<boolean> {
    if (DECISIVE.has(outcome)) return true;
    if (!MAYBE.has(outcome)) return false;
    const run = this.#runs.of(workflowId, runId);
    const error: unknown = await run.result().catch((failure: unknown) => failure);
    return (await toModerationError(error, callId, run)).details.restored === false;
  }
}
