import { ScheduleAlreadyRunning, type Client } from '@temporalio/client';
import { noteIssues } from '../../contract/policy-check.ts';
import { scheduleIdOf, type Policy, type PolicyOverlap } from '../../contract/policy.ts';
import { UnreadablePayload } from '../../contract/unreadable.ts';
import { lastChangeOf, quietAt } from '../../schedule/quiet-hours.ts';
import { invalidPolicy as invalid, ModerationError } from '../errors.ts';
import { backfillPeriod } from './backfill.ts';
import { changeClosing } from './closing-run.ts';
import { readLastRun } from './last-run.ts';
import type { LeftBehindFinder } from './left-behind.ts';
import { OwnSchedules } from './own-schedules.ts';
import { faultsOfOverlap, OVERLAP, policyOf, refusedByServer, scheduleFor, summaryOf } from './policy-schedule.ts';
import type {
  BackfillRange,
  LeftBehind,
  PolicyChange,
  PolicyDescription,
  PolicyRunRecord,
  PolicyState,
  PolicySummary,
} from './policy-types.ts';
import { argumentOf } from './schedules.ts';

/**
 * Policies: an action on many calls by schedule, each stored as a Temporal Schedule. Every issue is reported, field
 * by field, before anything is created or changed.
 *
 * A namespace may be shared. A schedule belongs to the deployment on whose task queue its runs start: what belongs to
 * another one is not listed, and neither read nor changed.
 *
 * Quiet hours are a level: if a call should be in another state than after the policy's last run, a run is started at
 * once when the policy is created, changed or resumed.
 */
export class Policies {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #schedules: OwnSchedules;
  readonly #leftBehind: LeftBehindFinder;

  /** @internal */
  constructor(client: Client, taskQueue: string, leftBehind: LeftBehindFinder) {
    this.#client = client;
    this.#taskQueue = taskQueue;
    this.#schedules = new OwnSchedules(client, taskQueue);
    this.#leftBehind = leftBehind;
  }

  /**
   * Stores a policy as a Temporal Schedule, which runs it without this process. In the middle of quiet hours, the calls of
   * the target are muted at once.
   *
   * @example
   * await moderation.policies.create({
   *   id: 'quiet-night',
   *   action: 'mute',
   *   target: { live: { label: 'sales' } },
   *   when: { quietHours: { from: '22:00', to: '06:00' }, timeZone: 'Europe/Berlin' },
   * });
   *
   * @throws {ModerationError} `InvalidRequest` with every issue; `PolicyExists` if there is one with this ID;
   *   `OtherDeployment` if that belongs to another task queue
   */
  async create(input: Policy, { paused = false, note = '' }: PolicyState = {}): Promise<PolicyDescription> {
    const { policy, options } = scheduleFor(input, this.#taskQueue);
    refuse(noteIssues(note));
    const triggerImmediately = !paused && quietAt(policy.when, new Date()).isQuiet;
    try {
      await this.#client.schedule.create({
        scheduleId: scheduleIdOf(policy.id),
        ...options,
        state: { paused, note, triggerImmediately },
      });
    } catch (error) {
      if (error instanceof ScheduleAlreadyRunning) {
        await this.#schedules.ask(policy.id, async () => undefined);
        throw new ModerationError(
          'PolicyExists',
          `There is a policy ${policy.id} already. Update it, or choose another ID.`,
          { policyId: policy.id },
        );
      }
      throw refusedByServer(error);
    }
    return await this.describe(policy.id);
  }

  /**
   * Changes a policy: each given field replaces the old one. Whether it is paused stays as it is. If its quiet hours have
   * muted calls that the new terms do not mute now, those calls are unmuted, also if it is paused. Calls that the new
   * terms mute now are muted, unless it is paused.
   *
   * @example
   * await moderation.policies.update('quiet-night', { when: { quietHours: { from: '21:00', to: '07:00' } } });
   *
   * @throws {ModerationError} `InvalidRequest`; `PolicyNotFound`; `OtherDeployment`
   */
  async update(id: string, { note, ...change }: PolicyChange): Promise<PolicyDescription> {
    refuse(noteIssues(note));
    while (!(await this.#updated(id, change, note)));
    return await this.describe(id);
  }

  /** False if somebody else has changed it meanwhile; then nothing was done. */
  async #updated(id: string, change: PolicyChange, note: string | undefined): Promise<boolean> {
    const { policy: before, lastRun } = await this.describe(id);
    const { policy, options } = scheduleFor({ ...before, ...change, id }, this.#taskQueue);
    let isPaused = false;
    const update = async (): Promise<void> =>
      await this.#schedules.ask(id, async (handle) => {
        await handle.update((now) => {
          this.#schedules.requireOwn(id, now.action);
          if (!isEqual(policyOf(id, now.action.workflowType, now.action.args?.[0]), before))
            throw new ChangedMeanwhile();
          isPaused = now.state.paused;
          return { ...options, state: { ...now.state, ...(note !== undefined && { note }) } };
        });
      });
    try {
      // Also if the terms are the same: Temporal drops what was due just before an update.
      await changeClosing(this.#client, this.#taskQueue, before, update);
    } catch (error) {
      if (error instanceof ChangedMeanwhile) return false;
      throw error;
    }
    const now = new Date();
    const isToBegin = !isPaused && quietAt(policy.when, now).isQuiet;
    if (isToBegin && !(isEqual(policy, before) && hasBegun(policy, lastRun, now))) await this.trigger(id);
    return true;
  }

  /**
   * The policies of this client's task queue, as many as the caller takes.
   *
   * @example
   * for await (const { id, paused, nextTimes } of moderation.policies.list()) console.log(id, paused, nextTimes[0]);
   */
  async *list(): AsyncIterable<PolicySummary> {
    for await (const { id, schedule } of this.#schedules.list()) yield summaryOf(id, schedule, schedule.nextTimes);
  }

  /**
   * The policy itself, without its runs; `undefined` if there is no such policy, or if it belongs to another task queue.
   *
   * @example
   * const policy = await moderation.policies.get('quiet-night');
   * console.log(policy?.when);
   *
   * @throws {ModerationError} `InvalidRequest` if the schedule contains no valid policy
   */
  async get(id: string): Promise<Policy | undefined> {
    const schedule = await this.#schedules.read(id);
    if (schedule === undefined) return undefined;
    return policyOf(id, schedule.workflowType, await argumentOf(this.#client, schedule));
  }

  /**
   * The policy with its next times and its last run.
   *
   * @example
   * const { lastRun } = await moderation.policies.describe('quiet-night');
   * console.log(lastRun?.status, lastRun?.report?.outcomes);
   *
   * @throws {ModerationError} `PolicyNotFound`; `OtherDeployment`; `InvalidRequest` if the schedule contains no valid policy
   */
  async describe(id: string): Promise<PolicyDescription> {
    const description = await this.#schedules.ask(id, async (handle) => await handle.describe());
    const { action, state, info } = description;
    const lastRun = await readLastRun(this.#client, description);
    return {
      ...summaryOf(id, state, info.nextActionTimes),
      policy: policyOf(id, action.workflowType, action.args?.[0]),
      runs: info.numActionsTaken,
      missed: info.numActionsMissedCatchupWindow,
      skipped: info.numActionsSkippedOverlap,
      createdAt: info.createdAt.toISOString(),
      ...(info.lastUpdatedAt !== undefined && { updatedAt: info.lastUpdatedAt.toISOString() }),
      ...(lastRun !== undefined && { lastRun }),
    };
  }

  /**
   * Stops it until it is resumed. The calls that its last run has muted stay muted, and the mutes on entry that it
   * has started continue; both are returned.
   *
   * @example
   * const { muted, message } = await moderation.policies.pause('quiet-night', 'maintenance');
   * console.log(message);
   * for (const callId of muted) await moderation.unmute({ callId });
   *
   * @throws {ModerationError} `InvalidRequest` if the note is invalid; `PolicyNotFound`; `OtherDeployment`
   */
  async pause(id: string, note?: string): Promise<LeftBehind> {
    refuse(noteIssues(note));
    const before = await this.#readable(id);
    await this.#schedules.ask(id, async (handle) => await handle.pause(note ?? 'paused'));
    return await this.#leftBehind.find(id, before);
  }

  /**
   * Lets a paused policy run again. Runs that were due while it was paused are skipped, but quiet hours are applied: the
   * calls are muted, or unmuted, at once.
   *
   * @example
   * await moderation.policies.resume('quiet-night');
   *
   * @throws {ModerationError} `InvalidRequest` if the note is invalid; `PolicyNotFound`; `OtherDeployment`
   */
  async resume(id: string, note?: string): Promise<PolicyDescription> {
    refuse(noteIssues(note));
    const { policy, paused, lastRun } = await this.describe(id);
    const resume = async (): Promise<void> =>
      await this.#schedules.ask(id, async (handle) => await handle.unpause(note ?? 'resumed'));
    await (paused ? changeClosing(this.#client, this.#taskQueue, policy, resume) : resume());
    const now = new Date();
    if (paused && quietAt(policy.when, now).isQuiet && !hasBegun(policy, lastRun, now)) await this.trigger(id);
    return await this.describe(id);
  }

  /**
   * Runs it now, also if it is paused, unless `overlap` or the policy prevents it.
   *
   * @example
   * await moderation.policies.trigger('quiet-night');
   *
   * @throws {ModerationError} `InvalidRequest` if `overlap` is invalid; `PolicyNotFound`; `OtherDeployment`
   */
  async trigger(id: string, { overlap }: { overlap?: PolicyOverlap } = {}): Promise<void> {
    refuse(faultsOfOverlap(overlap));
    await this.#schedules.ask(id, async (handle) => await handle.trigger(overlap && OVERLAP[overlap]));
  }

  /**
   * Runs it now, as often as it was due in a past period. Not for quiet hours.
   *
   * @example
   * await moderation.policies.backfill('evening', { start: '2026-11-24T18:00', end: '2026-11-24T20:00' });
   *
   * @throws {ModerationError} `InvalidRequest` if the period is invalid; `PolicyNotFound`; `OtherDeployment`
   */
  async backfill(id: string, { start, end, overlap = 'bufferAll' }: BackfillRange): Promise<void> {
    const { policy } = await this.describe(id);
    const period = backfillPeriod(policy, { start, end, overlap });
    await this.#schedules.ask(id, async (handle) => await handle.backfill(period));
  }

  /**
   * Deletes it; a running run continues. Returns what stays muted, as `pause` does.
   *
   * @example
   * console.log((await moderation.policies.delete('quiet-night')).message);
   *
   * @throws {ModerationError} `PolicyNotFound`; `OtherDeployment`
   */
  async delete(id: string): Promise<LeftBehind> {
    const before = await this.#readable(id);
    await this.#schedules.ask(id, async (handle) => await handle.delete());
    return await this.#leftBehind.find(id, before);
  }

  /** A schedule that contains no policy, or cannot be decrypted here, can be paused and deleted all the same. */
  async #readable(id: string): Promise<PolicyDescription | undefined> {
    try {
      return await this.describe(id);
    } catch (error) {
      if (error instanceof ModerationError && error.type === 'InvalidRequest') return undefined;
      if (error instanceof UnreadablePayload) return undefined;
      throw error;
    }
  }
}

/** Whether the last run was one that mutes in the present quiet hours. */
function hasBegun({ when }: Policy, lastRun: PolicyRunRecord | undefined, now: Date): boolean {
  const began = lastChangeOf(when, now);
  if (lastRun?.report === undefined || began === undefined) return false;
  return lastRun.report.action === 'mute' && Date.parse(lastRun.scheduledAt) >= began.getTime();
}

/** Somebody else has changed the policy after it was read. */
class ChangedMeanwhile extends Error {}

function isEqual(one: Policy, other: Policy): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function refuse(issues: readonly string[]): void {
  if (issues.length > 0) throw invalid(issues);
}
