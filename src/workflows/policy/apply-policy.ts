import {
  defineQuery,
  defineSignal,
  makeContinueAsNewFunc,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { PolicyCall } from '../../activities/types.ts';
import { POLICY_CHANGED, QUERY } from '../../contract/names.ts';
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
import { Pace } from './pace.ts';
import { Patience } from './patience.ts';
import { CALL_MS, PolicyActions, type Unfinished } from './policy-actions.ts';
import { BATCH, firstPlace, nextCalls, type Place } from './policy-calls.ts';
import { countCall, countMore, newReport } from './policy-report.ts';
import { asked, dueAtOf, levelAfterChange, levelNow } from './quiet-level.ts';

/**
 * One run of a policy: its action on every call of its target, each an operation of its own under the ID of its call; or,
 * with the rule `onEntry`, a mute on entry there.
 *
 *     batch ──▶ batch ──▶ … ──▶ (of quiet hours: again ──▶ …) ──▶ report
 *
 * P1. Each call succeeds or fails alone: what becomes of one is counted, and nothing of it reaches another. Nothing that
 *     one call does ends the run: it is waited for no longer than CALL_MS, and after SLOW_MS others take its place.
 * P2. At most `concurrency` operations are waited for at a time, but for slow ones (P1), and at most `perSecond` are started
 *     in a second.
 * P3. A batch is BATCH calls, and a run of Temporal's: after each the workflow continues as new, so neither its history
 *     nor its input grows with the number of calls. The report is bounded too.
 * P4. A run for which no worker was there in time is not made up for, unless it is one of quiet hours.
 * P5. A run that is cancelled starts nothing more, and leaves what it has started to itself.
 * P6. A run takes RUN_MS at most, unless it is one of quiet hours: those have a deadline of their own (P7), and one that unmutes
 *     gives nobody up because it was late.
 *
 * Quiet hours are a level: what a run does is decided by the clock when it works, and not by what started it.
 *
 * P7. Every batch asks anew whether it is quiet, and until when that is so. From that moment on the run starts nothing more:
 *     the schedule starts another one for the next level, and runs of a policy never wait for each other.
 *     A run that the schedule has started early waits until the hours begin or end.
 * P8. What a run has muted, and finds confirmed only after the hours, it unmutes itself unless somebody else has: the run at
 *     their end may not have seen it.
 * P9. After the hours, a call is left muted if another policy's hours still go on there.
 * P10. A call that could not be muted as the hours began, or unmuted as they ended, is asked again, in growing intervals
 *     (AGAIN_MS), unless it is over, was refused for good, or somebody has asked for something else. More calls than MAX_AGAIN
 *     that could not be unmuted are not remembered: then the next round walks over all calls of the target, and asks again
 *     where a call is left muted.
 * P11. What a run orders was wished for when the run was due, or asked for, however late it is ordered: it goes over no wish
 *     since then.
 * P12. A run that closes the terms of a policy is started before they are changed, or before the policy is resumed, so that it
 *     comes whatever becomes of the client. It waits until the client says that the change is made, or could have been
 *     (`quiet-level.ts`). Then it unmutes the calls that the terms have muted and that no quiet hours keep muted, also if nothing
 *     was changed, unless the policy is still paused: what is wanted is kept. Of a call that nobody has asked anything of since, it asks
 *     nothing.
 */

const SLOW_MS = 60_000;
const RUN_MS = 6 * 3_600_000;

/** Before each further round of P10. The last one repeats for a day if calls are to be unmuted. */
const AGAIN_MS = [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 1_800_000] as const;
const MAX_ROUNDS_OF_UNMUTES = AGAIN_MS.length + 48;

/** Calls that are remembered to be asked again. */
const MAX_AGAIN = 200;

/** Outcomes after which a call is not asked again (P10). */
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

/** Outcomes of a call that was not to be unmuted. */
const LEFT_ALONE: ReadonlySet<string> = new Set(['StillQuiet', 'AlreadyDone']);

/** Nobody is harmed if a call is not muted, so these end the attempts to mute. An unmute is tried again after them. */
const FINAL_TO_MUTE: ReadonlySet<string> = new Set(['PermissionDenied', 'CallNotEstablished']);

/** What a run leaves to the one that it continues as. */
interface Carried {
  report: PolicyReport;
  /** Where the next batch begins; absent after the last one. */
  place?: Place;
  /** P10. */
  again: Unfinished[];
  /** Those that are not remembered: how many came to what. */
  beyond: Record<string, number>;
  /** The present round walks over all calls. */
  isWalk: boolean;
  rounds: number;
  /** Of `again`: how many of the present round are still to be asked. */
  due: number;
  /** P6. */
  startedAt: number;
  /** P11. */
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
  /** P7. */
  #until = Number.POSITIVE_INFINITY;
  readonly #actions: PolicyActions;
  readonly #pace: Pace;
  /** P12. */
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
    setHandler(defineSignal(POLICY_CHANGED), made, { description: 'The change is made (sent by the client)' });
    setHandler(defineQuery<PolicyReport>(QUERY.policy), () => this.#report, {
      description: 'What came of the run so far',
    });
  }

  get #report(): PolicyReport {
    return this.#carried.report;
  }

  async run(): Promise<PolicyReport> {
    if (this.#isFirst && this.#isMissed()) return this.#end({ missed: true }); // P4
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
    return await this.#continue(next); // P3
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

  /** P7. What the policy's hours say now; gives why the run ends if they say that. */
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

  /** Why nothing more is to be started, if so. */
  #stop(): PolicyStop | undefined {
    if (Date.now() >= this.#until) return 'hours'; // P7
    if (this.#policy.when.quietHours !== undefined) return undefined;
    return Date.now() >= this.#carried.startedAt + RUN_MS ? 'deadline' : undefined; // P6
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

  /** P10. A batch of a round, and a run of Temporal's for each. A walk begins with the first batch of all calls. */
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
    const patience = new Patience(SLOW_MS, CALL_MS); // P1
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
      await Promise.all(Array.from({ length: Math.min(concurrency, calls.length) }, lane)); // P2
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
    // P10
    if (isAgain && again.length < MAX_AGAIN) again.push({ callId, ...(tenantId !== undefined && { tenantId }), came });
    else if (isAgain && this.#isUnmuteOfHours()) beyond[outcome] = (beyond[outcome] ?? 0) + 1;
    else if (!(isWalk && LEFT_ALONE.has(outcome))) countCall(this.#report, callId, came); // It was counted before the walk.
  }

  #isUnmuteOfHours(): boolean {
    return this.#policy.when.quietHours !== undefined && this.#report.action === 'unmute';
  }

  /** P9. */
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
