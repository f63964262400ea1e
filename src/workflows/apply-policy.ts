import {
  ActivityFailure,
  ApplicationFailure,
  defineQuery,
  isCancellation,
  makeContinueAsNewFunc,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { OperationOutcome, PolicyCall } from '../activities/types.ts';
import { toSeconds } from '../contract/duration.ts';
import { isFailureType } from '../contract/failure.ts';
import type { EntryRule } from '../contract/mute-on-entry.ts';
import { PARTIAL, QUERY, wantedIsMuted, type Action } from '../contract/names.ts';
import { entryRuleOf } from '../contract/on-entry.ts';
import { isEveryoneMuted, type OthersResult } from '../contract/operation.ts';
import {
  checkPolicy,
  DEFAULT_CATCHUP_SECONDS,
  DEFAULT_CONCURRENCY,
  DEFAULT_PER_SECOND,
  type MutedOthers,
  type Policy,
  type PolicyReport,
} from '../contract/policy.ts';
import { entries, lists, operations, reads, rules } from './activities.ts';
import { entryOrder, policyOrder } from './policy-order.ts';
import { invalidRequest } from './failures.ts';

/**
 * One run of a policy: its action on every call of its target, each an operation of its own under the ID of its call; or,
 * with the rule `onEntry`, a mute on entry there.
 *
 *     batch ──▶ batch ──▶ … ──▶ report
 *
 * P1. Each call succeeds or fails alone: what becomes of one is counted, and nothing of it reaches another.
 * P2. At most `concurrency` operations are waited for at a time, and at most `perSecond` are started in a second.
 * P3. A batch is BATCH calls, and a run of Temporal's: after each the workflow continues as new, so neither its history
 *     nor its input grows with the number of calls. The report is bounded too.
 * P4. A run for which no worker was there in time is not made up for: an unmute that is an hour late may be wrong by now.
 * P5. A run that is cancelled starts nothing more, and leaves what it has started to itself.
 */

const BATCH = 200;
const MOST_CONFIRMED = 2_000;
const MOST_FAILURES = 100;
const MOST_MESSAGE = 300;
const MOST_IN_CALLS = 1_000;

/** What became of a call. */
interface Came {
  outcome: string;
  message?: string;
  /** Where others were muted. */
  others?: MutedOthers;
}

/** What rules have decided is no failure. */
const BY_RULE: ReadonlySet<string> = new Set(['NotCrowded', 'AlreadyDone']);

/** A mute on entry runs now, and whom it will mute nobody knows. */
const ON_ENTRY: ReadonlySet<string> = new Set(['Started', 'Extended']);

/** What a run leaves to the one that it continues as. */
interface Carried {
  report: PolicyReport;
  /** Where the next batch begins: in the list of calls, or in Temporal's. */
  from: string;
}

export async function runPolicy(input: unknown, rest: readonly unknown[]): Promise<PolicyReport> {
  const checked = checkPolicy(input);
  if (!checked.ok) {
    const { type, message, details } = invalidRequest(checked.faults);
    throw ApplicationFailure.create({ type, message, details: [details], nonRetryable: true });
  }
  return await new PolicyRun(checked.policy, carriedOf(rest)).run();
}

class PolicyRun {
  readonly #policy: Policy;
  readonly #report: PolicyReport;
  readonly #from: string | undefined;
  #second = Date.now();
  #startedInSecond = 0;

  constructor(policy: Policy, carried: Carried | undefined) {
    const { id: policyId, action } = policy;
    this.#policy = policy;
    this.#from = carried?.from;
    this.#report = carried?.report ?? {
      policyId,
      action,
      startedAt: new Date().toISOString(),
      calls: 0,
      outcomes: {},
      confirmed: [],
      failures: [],
    };
    setHandler(defineQuery<PolicyReport>(QUERY.policy), () => this.#report, {
      description: 'What came of the run so far',
    });
  }

  async run(): Promise<PolicyReport> {
    if (this.#from === undefined && this.#isMissed()) return this.#end({ missed: true }); // P4
    if (this.#from === undefined && this.#policy.when.quietHours !== undefined) {
      this.#report.action = await this.#actionNow();
    }
    const { calls, next } = await this.#batch();
    await this.#apply(calls);
    if (next === undefined) return this.#end();
    const continueAsNew = makeContinueAsNewFunc<(...args: [Policy, Carried]) => Promise<never>>();
    return await continueAsNew(this.#policy, { report: this.#report, from: next }); // P3
  }

  /** What the rules refuse is the failure of the run. */
  async #actionNow(): Promise<Action> {
    try {
      return await rules.actionAt(this.#policy, scheduledAt().toISOString());
    } catch (error) {
      throw error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : error;
    }
  }

  #isMissed(): boolean {
    const allowed = toSeconds(this.#policy.catchupWindow) ?? DEFAULT_CATCHUP_SECONDS;
    return Date.now() - workflowInfo().startTime.getTime() > allowed * 1_000;
  }

  #end(more: Pick<PolicyReport, 'missed'> = {}): PolicyReport {
    return Object.assign(this.#report, more, { endedAt: new Date().toISOString() });
  }

  async #batch(): Promise<{ calls: PolicyCall[]; next?: string }> {
    const { target } = this.#policy;
    if ('live' in target) {
      const page = { ...target.live, pageSize: BATCH, ...(this.#from !== undefined && { pageToken: this.#from }) };
      return await lists.listLiveCalls.executeWithOptions({ summary: 'List the calls that are alive' }, [page]);
    }
    const from = Number(this.#from ?? 0);
    const calls = target.calls.slice(from, from + BATCH).map((callId) => ({ callId }));
    return { calls, ...(from + BATCH < target.calls.length && { next: String(from + BATCH) }) };
  }

  async #apply(calls: readonly PolicyCall[]): Promise<void> {
    const { concurrency = DEFAULT_CONCURRENCY } = this.#policy;
    const waiting = [...calls];
    const lane = async (): Promise<void> => {
      for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) {
        await this.#pace();
        this.#count(call.callId, (await this.#ruledOut(call)) ?? (await this.#act(call)));
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, calls.length) }, lane)); // P2
  }

  /** Waits for the next second where this one is used up. Those who wait are counted in the second they wait for. */
  async #pace(): Promise<void> {
    const { perSecond = DEFAULT_PER_SECOND } = this.#policy;
    const now = Date.now();
    if (now >= this.#second + 1_000) {
      this.#second = now;
      this.#startedInSecond = 0;
    } else if (this.#startedInSecond >= perSecond) {
      this.#second += 1_000;
      this.#startedInSecond = 0;
    }
    this.#startedInSecond += 1;
    const wait = this.#second - now;
    if (wait > 0) await sleep(wait, { summary: `At most ${perSecond} a second` });
  }

  /** What the rules have against it, if anything. */
  async #ruledOut({ callId, tenantId }: PolicyCall): Promise<Came | undefined> {
    const { moreThan } = this.#policy.rules ?? {};
    if (moreThan === undefined) return undefined;
    const target = { callId, ...(tenantId !== undefined && { tenantId }) };
    return await this.#alone(async () => {
      const { participants, self, isComplete } = await reads.readCrowd.executeWithOptions(
        { summary: `Count ${callId}` },
        [target],
      );
      const isCrowded = participants > moreThan;
      if (!isCrowded && isComplete) return { outcome: 'NotCrowded' };
      // An incomplete roster proves only "at least": nobody is muted on a guess, and nobody is left muted on one.
      if (!isCrowded && this.#report.action === 'mute') return { outcome: 'GraphUnavailable', message: INCOMPLETE };
      if (this.#policy.request?.target !== undefined) return undefined; // How the application stands says nothing of others.
      const isWanted = wantedIsMuted(this.#report.action);
      const isDone = self !== undefined && (self.serverMuted ?? self.isMuted) === isWanted && self.isMuted === isWanted;
      return isDone ? { outcome: 'AlreadyDone' } : undefined;
    });
  }

  async #act(call: PolicyCall): Promise<Came | undefined> {
    const rule = entryRuleOf(this.#policy.rules);
    return await (rule === undefined ? this.#operate(call) : this.#muteOnEntry(rule, call));
  }

  async #muteOnEntry(rule: EntryRule, call: PolicyCall): Promise<Came> {
    const order = entryOrder(this.#policy, rule, call);
    const options = { summary: `Mute who comes into ${call.callId}` };
    return await this.#alone(async () => await entries.startMuteOnEntry.executeWithOptions(options, [order]));
  }

  async #operate(call: PolicyCall): Promise<Came | undefined> {
    const order = policyOrder(this.#policy, this.#report.action, call);
    const options = { summary: `${order.action} ${call.callId}` };
    return await this.#alone(async () => cameOf(await operations.runOperation.executeWithOptions(options, [order])));
  }

  /** P1. What fails is what became of this call. */
  async #alone<T extends Came | undefined>(work: () => Promise<T>): Promise<T | Came> {
    try {
      return await work();
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error; // P5
      const { cause } = error;
      const type = cause instanceof ApplicationFailure && isFailureType(cause.type) ? cause.type : 'Unknown';
      return { outcome: type, message: cause?.message ?? error.message };
    }
  }

  #count(callId: string, came: Came | undefined): void {
    const report = this.#report;
    const { outcome: type, message = '', others }: Came = came ?? { outcome: 'Unknown' };
    report.calls += 1;
    report.outcomes[type] = (report.outcomes[type] ?? 0) + 1;
    if (others !== undefined) this.#countOthers(callId, others);
    if (type === 'Confirmed') {
      if (report.confirmed.length < MOST_CONFIRMED) report.confirmed.push(callId);
    } else if (!BY_RULE.has(type) && !ON_ENTRY.has(type) && report.failures.length < MOST_FAILURES) {
      report.failures.push({ callId, type, message: message.slice(0, MOST_MESSAGE) });
    }
  }

  #countOthers(callId: string, { muted, of }: MutedOthers): void {
    const others = (this.#report.others ??= { muted: 0, of: 0, inCalls: [] });
    others.muted += muted;
    others.of += of;
    if (others.inCalls.length < MOST_IN_CALLS) others.inCalls.push({ callId, muted, of });
  }
}

const INCOMPLETE =
  'Graph gave an incomplete roster, so it is not known how many are in the call, and nobody was muted. The next run looks again.';

/** An operation on others is confirmed, too, where only some of them are muted. */
function cameOf(outcome: OperationOutcome): Came {
  if (outcome.outcome !== 'Confirmed' || !('participants' in outcome.result)) return outcome;
  const { result } = outcome;
  const others = mutedOf(result);
  if (isEveryoneMuted(result)) return { outcome: 'Confirmed', others };
  const rest = result.isRosterComplete ? '' : ', and the roster was incomplete, so there may be more';
  return { outcome: PARTIAL, message: `${others.muted} of ${others.of} are muted${rest}.`, others };
}

function mutedOf({ target, participants }: OthersResult): MutedOthers {
  const isByName = target !== 'others' && 'participantIds' in target;
  const meant = participants.filter(({ outcome }) => outcome !== 'left' && (isByName || outcome !== 'inLobby'));
  return { muted: meant.filter(({ outcome }) => outcome === 'confirmed').length, of: meant.length };
}

/** When the schedule meant this run to start: a late one still knows whether it stands for a beginning or an end. */
function scheduledAt(): Date {
  const { typedSearchAttributes, startTime } = workflowInfo();
  return typedSearchAttributes.get({ name: 'TemporalScheduledStartTime', type: 'DATETIME' }) ?? startTime;
}

/** Set by a run that continues as this one, and by nothing else. */
function carriedOf([first]: readonly unknown[]): Carried | undefined {
  const isOurs = workflowInfo().continuedFromExecutionRunId !== undefined;
  return isOurs && typeof first === 'object' && first !== null ? (first as Carried) : undefined;
}
