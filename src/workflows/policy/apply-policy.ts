import { makeContinueAsNewFunc, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import type { PolicyCall } from '../../activities/types.ts';
import { checkPolicy } from '../../contract/policy-check.ts';
import {
  catchupSecondsOf,
  DEFAULT_CONCURRENCY,
  DEFAULT_PER_SECOND,
  type Closing,
  type Policy,
  type PolicyReport,
  type PolicyStop,
} from '../../contract/policy.ts';
import { rules } from '../activity-proxies.ts';
import { delayOf } from '../call/polling.ts';
import { invalidRequest } from '../lib/failures.ts';
import { iso } from '../lib/iso.ts';
import { carriedOf, closing } from '../lib/own-run.ts';
import { policyChangedSignal, policyQuery } from '../messages.ts';
import { Pace } from './pace.ts';
import { Patience } from './patience.ts';
import { CALL_MS, PolicyActions, type Unfinished } from './policy-actions.ts';
import { BATCH, firstPlace, nextCalls, type Place } from './policy-calls.ts';
import { countCall, countMore, newReport } from './policy-report.ts';
import { asked, dueAtOf, levelAfterChange, levelNow } from './quiet-level.ts';

/**
 * One run of a policy: its action on every call of its target, each an operation of its own under the ID of its call;
 * or, with the rule `onEntry`, a mute on entry there.
 *
 *     batch ──▶ batch ──▶ … ──▶ (of quiet hours: again ──▶ …) ──▶ report
 *
 * - **Each call succeeds or fails alone.** Its outcome is counted and affects no other call. No call ends the run:
 *   each is waited for at most CALL_MS, and after SLOW_MS another call gets its slot.
 * - **Concurrency is limited.** At most `concurrency` operations are waited for at a time, except slow ones, and at
 *   most `perSecond` are started per second.
 * - **A batch is a run.** After each batch of BATCH calls the workflow continues as new, so neither its history nor
 *   its input grows with the number of calls. The report is bounded, too.
 * - **A missed run is not repeated.** If no worker was there in time, the run does nothing, unless it belongs to
 *   quiet hours.
 * - **A cancelled run starts nothing more.** Operations that it has started continue on their own.
 * - **A run has a deadline.** It takes at most RUN_MS, unless it belongs to quiet hours: these have a deadline of
 *   their own, and a run that unmutes gives no call up because it is late.
 *
 * Quiet hours are a level: the clock decides what a run does at the moment when it works, not the event that started
 * it.
 *
 * - **The clock decides.** Every batch checks again whether it is quiet, and until when. From that moment on the run
 *   starts nothing more: the schedule starts another run for the next level, and runs of a policy never wait for each
 *   other. If the schedule has started a run early, it waits until the hours begin or end.
 * - **A late mute is taken back.** If a mute of the run is confirmed only after the hours, the run unmutes the call
 *   itself unless there is a newer wish: the run at the end may not have seen it.
 * - **The hours of another policy count.** After the hours, a call is left muted if the quiet hours of another policy
 *   continue there.
 * - **A failed call is tried again.** A call that could not be muted at the beginning, or unmuted at the end, is
 *   tried again at growing intervals (AGAIN_MS), unless it has ended, was refused for good, or has a newer wish. If
 *   more than MAX_AGAIN calls could not be unmuted, they are not remembered: the next round walks over all calls of
 *   the target, and tries those that are left muted.
 * - **An order is as old as its run.** Every order carries the time at which the run was due or triggered, however
 *   late it is sent, so it overrides no newer wish.
 * - **A run that closes terms starts first.** It is started before the terms of the policy are changed, or before the
 *   policy is resumed, so it runs whatever happens to the client. It waits until the client signals that the change
 *   is made, or could have been made (`quiet-level.ts`). Then it unmutes the calls that the terms have muted and that
 *   no quiet hours keep muted, also if nothing was changed, unless the policy is still paused. A call without any
 *   operation since then is left alone.
 */

const SLOW_MS = 60_000;
const RUN_MS = 6 * 3_600_000;

/**
 * Before each further round (**A failed call is tried again**). The last one repeats for a day if calls are to be
 * unmuted.
 */
const AGAIN_MS = [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 1_800_000] as const;
const MAX_ROUNDS_OF_UNMUTES = AGAIN_MS.length + 48;

/** Calls that are remembered to be tried again. */
const MAX_AGAIN = 200;

/** Outcomes after which a call is not tried again (**A failed call is tried again**). */
const FINAL: ReadonlySet<string> = new Set([
  'Confirmed',
  'StillQuiet',
  'AlreadyDone',
  'CallEnded',
  'CallNotFound',
  'NotAGroupCall',
  'InvalidRequest',
  'Superseded',
]);

/** Outcomes of a call that needed no unmute. */
const LEFT_ALONE: ReadonlySet<string> = new Set(['StillQuiet', 'AlreadyDone']);

/**
 * Outcomes that end the attempts to mute, because a call that is not muted harms nobody. An unmute is tried again
 * after them.
 */
const FINAL_TO_MUTE: ReadonlySet<string> = new Set(['PermissionDenied', 'CallNotEstablished']);

/** The state that is carried when the run continues as new. */
interface Carried {
  report: PolicyReport;
  /** Where the next batch begins; absent after the last one. */
  place?: Place;
  /** **A failed call is tried again.** */
  again: Unfinished[];
  /** Calls that are not remembered: their number by outcome. */
  beyond: Record<string, number>;
  /** The present round walks over all calls. */
  isWalk: boolean;
  rounds: number;
  /** Of `again`: how many are left in the present round. */
  due: number;
  /** **A run has a deadline.** */
  startedAt: number;
  /** **An order is as old as its run.** */
  dueAt: number;
}

export async function runPolicy(input: unknown, rest: readonly unknown[]): Promise<PolicyReport> {
  const checked = checkPolicy(input);
  if (!checked.ok) {
    throw closing(invalidRequest(checked.issues));
  }
  return await new PolicyRun(checked.policy, carriedOf(rest) as Carried | undefined, isClosingOf(rest)).run();
}

class PolicyRun {
  readonly #policy: Policy;
  readonly #carried: Carried;
  readonly #isFirst: boolean;
  /** The terms of the policy are over, whatever the clock says. */
  readonly #isClosing: boolean;
  /** **The clock decides.** */
  #until = Number.POSITIVE_INFINITY;
  readonly #actions: PolicyActions;
  readonly #pace: Pace;
  /** **A run that closes terms starts first.** */
  #isChangeMade = false;

  constructor(policy: Policy, carried: Carried | undefined, isClosing: boolean) {
    const { id, action, perSecond = DEFAULT_PER_SECOND } = policy;
    this.#policy = policy;
    this.#actions = new PolicyActions(policy);
    this.#pace = new Pace(perSecond);
    this.#isFirst = carried === undefined;
    this.#isClosing = isClosing;
    this.#carried = carried ?? {
      report: newReport(id, action),
      place: firstPlace(),
      again: [],
      beyond: {},
      isWalk: false,
      rounds: 0,
      due: 0,
      startedAt: Date.now(),
      dueAt: dueAtOf(policy),
    };
    const made = (): void => {
      this.#isChangeMade = true;
    };
    setHandler(policyChangedSignal, made, { description: 'The change is made (sent by the client)' });
    setHandler(policyQuery, () => this.#report, {
      description: 'Report of the run so far',
    });
  }

  get #report(): PolicyReport {
    return this.#carried.report;
  }

  async run(): Promise<PolicyReport> {
    if (this.#isFirst && this.#isMissed()) return this.#end({ missed: true }); // **A missed run is not repeated.**
    const stop = await this.#decide();
    if (stop !== undefined) return this.#end({ stopped: stop });
    const { place } = this.#carried;
    if (place === undefined) return await this.#again();
    const { calls, next } = await nextCalls(this.#policy.target, place);
    await this.#apply(calls);
    if (this.#stop() !== undefined) return this.#end({ stopped: this.#stop() });
    if (next === undefined) return await this.#again();
    if (calls.length === 0 || next.from === undefined) {
      const { calls: more, next: later } = await nextCalls(this.#policy.target, next);
      if (more.length === 0 && later === undefined) return await this.#again();
    }
    return await this.#continue(next); // **A batch is a run.**
  }

  async #continue(place?: Place): Promise<never> {
    const { place: _before, ...rest } = this.#carried;
    const carried: Carried = { ...rest, ...(place !== undefined && { place }) };
    if (this.#isClosing) {
      const continueAsNew = makeContinueAsNewFunc<(...args: [Policy, Carried, Closing]) => Promise<never>>();
      return await continueAsNew(this.#policy, carried, CLOSING);
    }
    const continueAsNew = makeContinueAsNewFunc<(...args: [Policy, Carried]) => Promise<never>>();
    return await continueAsNew(this.#policy, carried);
  }

  /** **The clock decides.** Whether it is quiet now; returns the reason if the run ends. */
  async #decide(): Promise<PolicyStop | undefined> {
    if (this.#policy.when.quietHours === undefined) return undefined;
    if (this.#isClosing && !this.#isFirst) return undefined;
    if (this.#isClosing) this.#report.action = 'unmute';
    const level = this.#isClosing
      ? await levelAfterChange(this.#policy, this.#carried.dueAt, () => this.#isChangeMade)
      : await levelNow(this.#policy);
    if ('stop' in level) return level.stop;
    if (!this.#isFirst && level.action !== this.#report.action) return 'hours';
    this.#report.action = level.action;
    this.#until = level.until ?? this.#until;
    this.#carried.dueAt = level.dueAt ?? this.#carried.dueAt;
    return undefined;
  }

  #isMissed(): boolean {
    const allowed = catchupSecondsOf(this.#policy) ?? 0;
    return Date.now() - workflowInfo().startTime.getTime() > allowed * 1_000;
  }

  /** The reason why nothing more is started, if there is one. */
  #stop(): PolicyStop | undefined {
    if (Date.now() >= this.#until) return 'hours'; // **The clock decides.**
    if (this.#policy.when.quietHours !== undefined) return undefined;
    return Date.now() >= this.#carried.startedAt + RUN_MS ? 'deadline' : undefined; // **A run has a deadline.**
  }

  #end({ missed, stopped }: { missed?: true; stopped?: PolicyStop | undefined } = {}): PolicyReport {
    const { again, beyond } = this.#carried;
    for (const { callId, came } of again.splice(0)) countCall(this.#report, callId, came);
    countMore(this.#report, beyond);
    return Object.assign(
      this.#report,
      { ...(missed && { missed }), ...(stopped !== undefined && { stopped }) },
      { endedAt: iso(Date.now()) },
    );
  }

  /**
   * **A failed call is tried again.** A batch of a round, and a run of Temporal's for each. A walk begins with the
   * first batch of all calls.
   */
  async #again(): Promise<PolicyReport> {
    const carried = this.#carried;
    if (carried.due === 0) {
      const pause = delayOf(AGAIN_MS, carried.rounds);
      const most = this.#isUnmuteOfHours() ? MAX_ROUNDS_OF_UNMUTES : AGAIN_MS.length;
      const isWalk = Object.keys(carried.beyond).length > 0;
      if ((carried.again.length === 0 && !isWalk) || carried.rounds >= most) return this.#end();
      await sleep(pause, {
        summary: `Until ${carried.again.length} call(s)${isWalk ? ' and more' : ''} are asked again`,
      });
      const stop = await this.#decide();
      if (stop !== undefined) return this.#end({ stopped: stop });
      carried.rounds += 1;
      Object.assign(carried, { isWalk, ...(isWalk && { again: [], beyond: {} }) });
      if (isWalk) return await this.#continue(firstPlace());
      carried.due = carried.again.length;
    }
    const calls = carried.again.splice(0, Math.min(BATCH, carried.due));
    carried.due -= calls.length;
    await this.#apply(calls);
    if (this.#stop() !== undefined) return this.#end({ stopped: this.#stop() });
    return carried.again.length === 0 ? this.#end() : await this.#continue();
  }

  async #apply(calls: readonly (PolicyCall | Unfinished)[]): Promise<void> {
    const { concurrency = DEFAULT_CONCURRENCY } = this.#policy;
    const kept = await this.#keptQuiet(calls);
    if (calls.length === 0) return;
    const waiting = [...calls];
    const all: Promise<void>[] = [];
    const patience = new Patience(SLOW_MS, CALL_MS); // **Each call succeeds or fails alone.**
    const lane = async (): Promise<void> => {
      for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) {
        await this.#pace.next();
        if (this.#stop() !== undefined) return;
        const next = call;
        const { ended, quick } = patience.begin(async () => await this.#one(next, kept));
        all.push(ended);
        await quick;
      }
    };
    await patience.during(async () => {
      // **Concurrency is limited.**
      await Promise.all(Array.from({ length: Math.min(concurrency, calls.length) }, lane));
      await Promise.all(all);
    });
  }

  async #one(call: PolicyCall | Unfinished, kept: ReadonlySet<string>): Promise<void> {
    const { callId } = call;
    const came = await this.#actions.on(call, {
      action: this.#report.action,
      dueAt: this.#carried.dueAt,
      until: this.#until,
      isUnmuteOfHours: this.#isUnmuteOfHours(),
      isLookedAt: this.#isClosing || this.#carried.isWalk,
      kept,
    });
    const isOfHours = this.#policy.when.quietHours !== undefined;
    const isFinal = FINAL.has(came.outcome) || (!this.#isUnmuteOfHours() && FINAL_TO_MUTE.has(came.outcome));
    const { again, beyond, isWalk } = this.#carried;
    const { tenantId } = call;
    const { outcome } = came;
    const isAgain = isOfHours && !isFinal;
    // **A failed call is tried again.**
    if (isAgain && again.length < MAX_AGAIN) again.push({ callId, ...(tenantId !== undefined && { tenantId }), came });
    else if (isAgain && this.#isUnmuteOfHours()) beyond[outcome] = (beyond[outcome] ?? 0) + 1;
    else if (!(isWalk && LEFT_ALONE.has(outcome))) countCall(this.#report, callId, came); // It was counted before the walk.
  }

  #isUnmuteOfHours(): boolean {
    return this.#policy.when.quietHours !== undefined && this.#report.action === 'unmute';
  }

  /** **The hours of another policy count.** */
  async #keptQuiet(calls: readonly PolicyCall[]): Promise<ReadonlySet<string>> {
    if (!this.#isUnmuteOfHours() || calls.length === 0) return new Set();
    const plain = calls.map(({ callId }) => ({ callId }));
    const pausedToo = this.#isClosing ? this.#policy.id : undefined;
    return new Set(await asked(async () => rules.quietCalls(plain, iso(Date.now()), pausedToo)));
  }
}

const CLOSING: Closing = { closing: true };

function isClosingOf(rest: readonly unknown[]): boolean {
  return rest.some((one) => typeof one === 'object' && one !== null && 'closing' in one && one.closing === true);
}
