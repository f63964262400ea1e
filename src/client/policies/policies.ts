import { randomUUID } from 'node:crypto';
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  WorkflowNotFoundError,
  type Client,
  type ScheduleDescription,
  type ScheduleHandle,
  type ScheduleSpec,
} from '@temporalio/client';
import { keyword } from '../../contract/attributes.ts';
import { DURATION_RULE } from '../../contract/duration.ts';
import { POLICY_CHANGED, QUERY, SEARCH_ATTRIBUTE } from '../../contract/names.ts';
import { muteOnEntryRuleOf, isByRules } from '../../contract/mute-on-entry-check.ts';
import { checkPolicy, faultsOfNote } from '../../contract/policy-check.ts';
import {
  APPLY_POLICY,
  catchupSecondsOf,
  CHANGE_WITHIN_MS,
  overlapOf,
  policyIdOf,
  scheduleIdOf,
  type Closing,
  type Policy,
  type PolicyOverlap,
  type PolicyReport,
} from '../../contract/policy.ts';
import { policyPriority } from '../../contract/priority.ts';
import { UnreadablePayload } from '../../contract/unreadable.ts';
import type { Calls } from '../calls/calls.ts';
import { DATE_RULE, toDate } from '../../schedule/dates.ts';
import { invalidPolicy as invalid, ModerationError } from '../errors.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import type { MutesOnEntry } from '../standing/mutes-on-entry.ts';
import type { OperationRecord } from '../operations/records.ts';
import { lastChangeOf, quietAt } from '../../schedule/quiet-hours.ts';
import { argumentOf, readSchedule, scheduleIds, type ScheduleRecord } from './schedules.ts';
import { isNever, readWhen } from '../../schedule/spec.ts';

export interface PolicyState {
  /** Stored, but not run until it is resumed. */
  paused?: boolean;
  /** For people: why it is there, or why it is paused. */
  note?: string;
}

/** A change of a policy: each given field replaces the old one. */
export type PolicyChange = Partial<Omit<Policy, 'id'>> & Pick<PolicyState, 'note'>;

/** A policy as Temporal lists it. */
export interface PolicySummary {
  id: string;
  paused: boolean;
  note: string;
  /** When it runs next, at most 10 times, ISO 8601 in UTC. Empty if it is paused or will not run any more. */
  nextTimes: string[];
}

export interface PolicyDescription extends PolicySummary {
  policy: Policy;
  runs: number;
  /** Runs skipped because an outage lasted longer than the catch-up window. */
  missed: number;
  /** Runs that were not started because the one before had not ended. */
  skipped: number;
  createdAt: string;
  updatedAt?: string;
  lastRun?: PolicyRunRecord;
}

export interface PolicyRunRecord {
  workflowId: string;
  runId: string;
  scheduledAt: string;
  takenAt: string;
  /** As Temporal has it: `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED` or another end. */
  status: string;
  /** The report so far of a running run, if a worker answers. */
  report?: PolicyReport;
}

/** The calls that a stopped policy leaves muted. */
export interface LeftBehind {
  /**
   * Calls that its last run muted, that are muted by nothing newer, and that have not ended, as far as Temporal
   * knows.
   */
  muted: string[];
  /**
   * Calls with a running mute on entry that the policy has started, in any run or when they were established:
   * the first 2,000, where there are any. One that was running already, and was given the policy's terms, is its
   * starter's.
   */
  mutingOnEntry?: string[];
  /** A message with these numbers, and with what to do. */
  message: string;
}

export interface BackfillRange {
  /** Dates, as in a policy. */
  start: string;
  end: string;
  /** @default 'bufferAll' */
  overlap?: PolicyOverlap;
}

const OVERLAP = {
  skip: 'SKIP',
  bufferOne: 'BUFFER_ONE',
  bufferAll: 'BUFFER_ALL',
  cancelOther: 'CANCEL_OTHER',
  terminateOther: 'TERMINATE_OTHER',
  allowAll: 'ALLOW_ALL',
} as const satisfies Record<PolicyOverlap, string>;

const MIN_CATCHUP_SECONDS = 10;

/** How long to wait for a worker's answer about the progress of a run, in ms. */
const REPORT_WITHIN_MS = 3_000;

/** Mutes on entry that are named at the most. */
const MAX_NAMED = 2_000;

/** Requests at a time while what is left behind is looked for. */
const LOOKS = 20;

type Latest = (callId: string) => Promise<OperationRecord | undefined>;

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
  readonly #calls: Calls;
  readonly #latest: Latest;
  readonly #mutesOnEntry: Pick<MutesOnEntry, 'callsOfPolicy'>;

  /** @internal */
  constructor(
    client: Client,
    taskQueue: string,
    calls: Calls,
    latest: Latest,
    mutesOnEntry: Pick<MutesOnEntry, 'callsOfPolicy'>,
  ) {
    this.#client = client;
    this.#taskQueue = taskQueue;
    this.#calls = calls;
    this.#latest = latest;
    this.#mutesOnEntry = mutesOnEntry;
  }

  /**
   * In the middle of quiet hours, the calls of the target are muted at once.
   *
   * @throws {ModerationError} `InvalidRequest` if something is wrong, `PolicyExists` if there is one with this ID,
   *   `OtherDeployment` if that is another deployment's
   */
  async create(input: Policy, { paused = false, note = '' }: PolicyState = {}): Promise<PolicyDescription> {
    const { policy, options } = this.#read(input);
    refuse(faultsOfNote(note));
    const triggerImmediately = !paused && quietAt(policy.when, new Date()).isQuiet;
    try {
      await this.#client.schedule.create({
        scheduleId: scheduleIdOf(policy.id),
        ...options,
        state: { paused, note, triggerImmediately },
      });
    } catch (error) {
      if (error instanceof ScheduleAlreadyRunning) {
        await this.#asking(policy.id, async () => undefined);
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
   * Changes a policy. Whether it is paused stays as it is. If its quiet hours have muted calls and say something else
   * now, those calls are unmuted, also if it is paused, and the calls that the new terms want muted are muted, unless
   * it is paused.
   */
  async update(id: string, { note, ...change }: PolicyChange): Promise<PolicyDescription> {
    refuse(faultsOfNote(note));
    while (!(await this.#updated(id, change, note)));
    return await this.describe(id);
  }

  /** False if somebody else has changed it meanwhile; then nothing was done. */
  async #updated(id: string, change: PolicyChange, note: string | undefined): Promise<boolean> {
    const { policy: before, lastRun } = await this.describe(id);
    const { policy, options } = this.#read({ ...before, ...change, id });
    let isPaused = false;
    const update = async (): Promise<void> =>
      await this.#asking(id, async (handle) => {
        await handle.update((now) => {
          this.#requireOwn(id, now.action);
          if (!isEqual(policyOf(id, now.action.workflowType, now.action.args?.[0]), before))
            throw new ChangedMeanwhile();
          isPaused = now.state.paused;
          return { ...options, state: { ...now.state, ...(note !== undefined && { note }) } };
        });
      });
    try {
      // Also if the terms are the same: Temporal drops what was due just before an update.
      await this.#closing(before, update);
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
   * Makes a change after which the quiet hours of a policy may have left calls muted. The run that unmutes those is
   * started before, so that it comes also if this client dies (`apply-policy.ts`: **A run that closes terms starts
   * first**).
   */
  async #closing(policy: Policy, change: () => Promise<void>): Promise<void> {
    if (policy.when.quietHours === undefined) return await change();
    const { id } = policy;
    const closing: Closing = { closing: true };
    const run = await this.#client.workflow.start(APPLY_POLICY, {
      workflowId: `${scheduleIdOf(id)}-closing-${randomUUID()}`,
      taskQueue: this.#taskQueue,
      args: [policy, closing],
      priority: policyPriority(undefined, tenantOf(policy)),
      typedSearchAttributes: [keyword(SEARCH_ATTRIBUTE.action, 'unmute')],
      staticSummary: `Policy ${id}: unmute what its quiet hours no longer keep muted`,
    });
    await this.#client.withDeadline(Date.now() + CHANGE_WITHIN_MS, change);
    // Without this signal, the run continues a little later.
    await run.signal(POLICY_CHANGED).catch(() => undefined);
  }

  /** Those of this deployment. */
  async *list(): AsyncIterable<PolicySummary> {
    const order: string[] = [];
    for await (const scheduleId of scheduleIds(this.#client)) {
      const id = policyIdOf(scheduleId);
      if (id === undefined) continue;
      order.push(id);
      if (order.length % LOOKS !== 0) continue;
      yield* await this.#summaries(order.splice(0));
    }
    yield* await this.#summaries(order);
  }

  async #summaries(ids: readonly string[]): Promise<PolicySummary[]> {
    const found = new Map<string, PolicySummary>();
    for await (const summary of inParallel(ids, LOOKS, async (id) => await this.#summary(id))) {
      if (summary !== undefined) found.set(summary.id, summary);
    }
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  async #summary(id: string): Promise<PolicySummary | undefined> {
    const schedule = await readSchedule(this.#client, scheduleIdOf(id));
    // It may have been deleted since it was listed.
    return schedule?.taskQueue === this.#taskQueue ? summaryOf(id, schedule, schedule.nextTimes) : undefined;
  }

  /**
   * The policy itself, without its runs; `undefined` if there is no such policy, or if it belongs to another
   * deployment.
   */
  async get(id: string): Promise<Policy | undefined> {
    const schedule = await readSchedule(this.#client, scheduleIdOf(id));
    if (schedule?.taskQueue !== this.#taskQueue) return undefined;
    return policyOf(id, schedule.workflowType, await argumentOf(this.#client, schedule));
  }

  /** @throws {ModerationError} `PolicyNotFound` */
  async describe(id: string): Promise<PolicyDescription> {
    const description = await this.#asking(id, async (handle) => await handle.describe());
    const { action, state, info } = description;
    const lastRun = await this.#lastRun(description);
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
   */
  async pause(id: string, note?: string): Promise<LeftBehind> {
    refuse(faultsOfNote(note));
    const before = await this.#readable(id);
    await this.#asking(id, async (handle) => await handle.pause(note ?? 'paused'));
    return await this.#leftBehindOf(id, before);
  }

  /**
   * Runs that were due while it was paused are skipped; but quiet hours are applied: the calls are muted, or unmuted,
   * at once.
   */
  async resume(id: string, note?: string): Promise<PolicyDescription> {
    refuse(faultsOfNote(note));
    const { policy, paused, lastRun } = await this.describe(id);
    const resume = async (): Promise<void> =>
      await this.#asking(id, async (handle) => await handle.unpause(note ?? 'resumed'));
    await (paused ? this.#closing(policy, resume) : resume());
    const now = new Date();
    if (paused && quietAt(policy.when, now).isQuiet && !hasBegun(policy, lastRun, now)) await this.trigger(id);
    return await this.describe(id);
  }

  /** Runs it now, also if it is paused, unless `overlap` or the policy prevents it. */
  async trigger(id: string, { overlap }: { overlap?: PolicyOverlap } = {}): Promise<void> {
    refuse(faultsOfOverlap(overlap));
    await this.#asking(id, async (handle) => await handle.trigger(overlap && OVERLAP[overlap]));
  }

  /** Runs it now, as often as it was due in a past period. */
  async backfill(id: string, { start, end, overlap = 'bufferAll' }: BackfillRange): Promise<void> {
    const { policy } = await this.describe(id);
    const [from, to] = [toDate(start, policy.when.timeZone), toDate(end, policy.when.timeZone)];
    const issues = [...faultsOfOverlap(overlap)];
    if (policy.when.quietHours !== undefined) {
      issues.push(
        'a run of quiet hours does what is right when it runs, so there is nothing to make up for: use trigger',
      );
    }
    if (Object.keys(policy.when).length === 0) {
      issues.push('the policy has no times, so nothing was due: use trigger to run it now');
    }
    if (from === undefined) issues.push(`start ${DATE_RULE}`);
    if (to === undefined) issues.push(`end ${DATE_RULE}`);
    if (from !== undefined && to !== undefined && to <= from) issues.push('end must come after start');
    if (to !== undefined && to.getTime() > Date.now())
      issues.push('end must have passed; what is to come runs by itself');
    refuse(issues);
    if (from === undefined || to === undefined) return;
    await this.#asking(id, async (handle) => {
      await handle.backfill({ start: from, end: to, overlap: OVERLAP[overlap] });
    });
  }

  /** Deletes it; a running run continues. Returns what stays muted, as `pause` does. */
  async delete(id: string): Promise<LeftBehind> {
    const before = await this.#readable(id);
    await this.#asking(id, async (handle) => await handle.delete());
    return await this.#leftBehindOf(id, before);
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

  async #leftBehindOf(id: string, policy: PolicyDescription | undefined): Promise<LeftBehind> {
    if (policy !== undefined) return await this.#leftBehind(policy);
    const message = `Schedule ${scheduleIdOf(id)} contains no policy that can be read here, so the calls that it leaves muted are unknown.`;
    return { muted: [], message };
  }

  /** The policy as it is stored, and its schedule, or all issues at once. */
  #read(input: Policy) {
    const checked = checkPolicy(input);
    const when = readWhen(input?.when, isByRules(input?.rules));
    const catchup = catchupOf(input);
    if (checked.ok && when.ok && typeof catchup === 'number') {
      const policy = { ...checked.policy, when: { ...checked.policy.when, ...when.dates } };
      return { policy, options: this.#optionsOf(policy, when.spec, catchup) };
    }
    throw invalid([
      ...(checked.ok ? [] : checked.issues),
      ...(when.ok ? [] : when.issues),
      ...(typeof catchup === 'string' ? [catchup] : []),
    ]);
  }

  #optionsOf(policy: Policy, spec: ScheduleSpec, catchupSeconds: number) {
    const { id, action, rules } = policy;
    return {
      spec,
      action: {
        type: 'startWorkflow' as const,
        workflowType: APPLY_POLICY,
        workflowId: scheduleIdOf(id),
        taskQueue: this.#taskQueue,
        args: [policy],
        priority: policyPriority(undefined, tenantOf(policy)),
        typedSearchAttributes: [keyword(SEARCH_ATTRIBUTE.action, action)],
        staticSummary: `Policy ${id}: ${muteOnEntryRuleOf(rules) === undefined ? action : 'mute on entry'}`,
      },
      policies: { overlap: OVERLAP[overlapOf(policy)], catchupWindow: catchupSeconds * 1_000 },
    };
  }

  /** Sends a request about a policy of this deployment. */
  async #asking<T>(id: string, ask: (handle: ScheduleHandle) => Promise<T>): Promise<T> {
    try {
      const schedule = await readSchedule(this.#client, scheduleIdOf(id));
      if (schedule === undefined) throw notFound(id);
      this.#requireOwn(id, schedule);
      return await ask(this.#client.schedule.getHandle(scheduleIdOf(id)));
    } catch (error) {
      throw error instanceof ScheduleNotFoundError ? notFound(id) : refusedByServer(error);
    }
  }

  #requireOwn(id: string, { taskQueue }: Pick<ScheduleRecord, 'taskQueue'>): void {
    if (taskQueue === this.#taskQueue) return;
    throw new ModerationError(
      'OtherDeployment',
      `Policy ${id} belongs to another deployment in this namespace, which works on task queue ${taskQueue}, and this one on ${this.#taskQueue}. ` +
        'Use a client of that task queue (MODERATION_TASK_QUEUE), or another ID.',
      { policyId: id },
    );
  }

  async #lastRun({ info }: ScheduleDescription): Promise<PolicyRunRecord | undefined> {
    const last = info.recentActions.at(-1);
    if (last === undefined) return undefined;
    const { workflowId, firstExecutionRunId: runId } = last.action.workflow;
    const times = { scheduledAt: last.scheduledAt.toISOString(), takenAt: last.takenAt.toISOString() };
    try {
      // Without a run ID it is the last of those that it has continued as.
      const handle = this.#client.workflow.getHandle(workflowId);
      const { status } = await handle.describe();
      const report =
        status.name === 'COMPLETED'
          ? ((await handle.result()) as PolicyReport)
          : status.name === 'RUNNING'
            ? await this.#reportSoFar(workflowId)
            : undefined;
      return { workflowId, runId, ...times, status: status.name, ...(report !== undefined && { report }) };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async #reportSoFar(workflowId: string): Promise<PolicyReport | undefined> {
    const handle = this.#client.workflow.getHandle(workflowId);
    try {
      return await this.#client.withDeadline(Date.now() + REPORT_WITHIN_MS, () =>
        handle.query<PolicyReport>(QUERY.policy),
      );
    } catch {
      return undefined;
    }
  }

  async #leftBehind({ id, policy, lastRun }: PolicyDescription): Promise<LeftBehind> {
    const muted: string[] = [];
    const isOfOthers = policy.request?.target !== undefined;
    const isOnEntry = muteOnEntryRuleOf(policy.rules) !== undefined;
    const mutingOnEntry = await this.#mutingOnEntry(id);
    const waiting = policy.action === 'mute' && !isOfOthers ? [...(lastRun?.report?.confirmed ?? [])] : [];
    const look = async (): Promise<void> => {
      for (let callId = waiting.shift(); callId !== undefined; callId = waiting.shift()) {
        if (await this.#isLeftMuted(callId)) muted.push(callId);
      }
    };
    await Promise.all(Array.from({ length: LOOKS }, look));
    const left = isOfOthers
      ? `Whom policy ${id} has muted stays so, for Graph cannot unmute others: they can themselves.`
      : muted.length === 0
        ? `As far as Temporal knows, the last run of policy ${id} leaves no call muted.`
        : `The last run of policy ${id} leaves ${muted.length} call(s) muted. Unmute them if that is not wanted.`;
    const message = [
      // Also report mutes on entry started before the policy was changed.
      ...(isOnEntry && muted.length === 0 ? [] : [left]),
      ...(isOnEntry || mutingOnEntry.length > 0 ? [messageOnEntry(id, mutingOnEntry.length)] : []),
      ...(lastRun?.status === 'RUNNING' ? ['A run of it is under way and goes on.'] : []),
    ].join(' ');
    return { muted: muted.toSorted(), ...(mutingOnEntry.length > 0 && { mutingOnEntry }), message };
  }

  async #mutingOnEntry(id: string): Promise<string[]> {
    const found: string[] = [];
    for await (const callId of this.#mutesOnEntry.callsOfPolicy(id)) {
      if (found.push(callId) >= MAX_NAMED) break;
    }
    return found.toSorted();
  }

  async #isLeftMuted(callId: string): Promise<boolean> {
    const latest = await this.#latest(callId);
    const isMuted = latest?.action === 'mute' && latest.outcome === 'Confirmed';
    return isMuted && !(await this.#calls.hasEnded(callId));
  }
}

function messageOnEntry(id: string, count: number): string {
  if (count === 0) return `As far as Temporal's lists show, no mute on entry continues that policy ${id} has started.`;
  const many = count < MAX_NAMED ? `${count}` : `${count} or more`;
  return `In ${many} call(s) a mute on entry continues that policy ${id} has started. Release them if that is not wanted.`;
}

function policyOf(id: string, workflowType: string, given: unknown): Policy {
  if (workflowType !== APPLY_POLICY) {
    const fault = `it starts the workflow ${workflowType} instead of ${APPLY_POLICY}`;
    const message = `Schedule ${scheduleIdOf(id)} contains no policy (${fault}). Delete it and create it again.`;
    throw new ModerationError('InvalidRequest', message, { issues: [fault] });
  }
  const checked = checkPolicy(given);
  if (checked.ok) return checked.policy;
  const message = `Schedule ${scheduleIdOf(id)} contains no valid policy (${checked.issues.join('; ')}). Delete it and create it again.`;
  throw new ModerationError('InvalidRequest', message, { issues: checked.issues });
}

/** Whose calls it is about, if those are of one tenant. */
function tenantOf({ target, request }: Policy): string | undefined {
  return request?.tenantId ?? ('live' in target ? target.live.tenantId : undefined);
}

function notFound(id: string): ModerationError {
  return new ModerationError('PolicyNotFound', `There is no policy ${id}. 'policy list' shows those that there are.`, {
    policyId: id,
  });
}

function summaryOf(id: string, state: { paused: boolean; note?: string }, next: readonly Date[]): PolicySummary {
  const { paused, note = '' } = state;
  return {
    id,
    paused,
    note,
    nextTimes: paused ? [] : next.filter((time) => !isNever(time)).map((time) => time.toISOString()),
  };
}

/** In seconds, or its issue. */
function catchupOf(policy: Policy): number | string {
  const seconds = policy?.when ? catchupSecondsOf(policy) : MIN_CATCHUP_SECONDS;
  const isLong = seconds !== undefined && seconds >= MIN_CATCHUP_SECONDS;
  return isLong ? seconds : `catchupWindow ${DURATION_RULE}, and at least ${MIN_CATCHUP_SECONDS} s`;
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

function faultsOfOverlap(overlap: PolicyOverlap | undefined): string[] {
  const isKnown = overlap === undefined || Object.hasOwn(OVERLAP, overlap);
  return isKnown ? [] : [`overlap must be one of ${Object.keys(OVERLAP).join(', ')}`];
}

function refuse(issues: readonly string[]): void {
  if (issues.length > 0) throw invalid(issues);
}

/** The server reads cron expressions itself; the SDK's error contains its message. */
function refusedByServer(error: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  return invalid(
    [`when is refused by Temporal (${error.message.trim()}); correct when.cron, or its other fields`],
    error,
  );
}
