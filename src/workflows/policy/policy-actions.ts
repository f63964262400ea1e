import { ActivityFailure, ApplicationFailure, CancellationScope, isCancellation, log } from '@temporalio/workflow';
import type { OperationOrder, PolicyCall } from '../../activities/types.ts';
import { isFailureType } from '../../contract/failure.ts';
import type { MuteOnEntryRule } from '../../contract/mute-on-entry.ts';
import { wantedIsMuted, type Action } from '../../contract/names.ts';
import { muteOnEntryRuleOf } from '../../contract/mute-on-entry-check.ts';
import type { Policy } from '../../contract/policy.ts';
import { reads, rules } from '../activity-proxies.ts';
import { iso } from '../lib/iso.ts';
import { Operations } from '../orders/ordered-operations.ts';
import { beginMuteOnEntry } from './policy-mutes-on-entry.ts';
import { muteOnEntryOrder, policyOrder, priorityOfPolicyOrder } from './policy-order.ts';
import { callOutcomeOf, type CallOutcome } from './policy-report.ts';

/**
 * What a run of a policy does with one call: checks the rules, orders the operation or the mute on entry, and returns
 * the outcome. No call affects another (the rules in bold are those of `apply-policy.ts`).
 */

/** A call is waited for no longer than this. */
export const CALL_MS = 10 * 60_000;

const INCOMPLETE =
  'Graph returned an incomplete roster, so it is unknown how many people are in the call, and nobody was muted. The next run tries again.';

/** A call that could not be muted or unmuted yet, and why. */
export interface Unfinished extends PolicyCall {
  came: CallOutcome;
}

/** What the run has decided for all of its calls. Times are in ms. */
export interface ActionTerms {
  action: Action;
  /** When it was wished for (**An order is as old as its run**). */
  dueAt: number;
  /** The end of the quiet hours (**The clock decides**); infinite if there is none. */
  until: number;
  isUnmuteOfHours: boolean;
  /** A call that nobody asks anything of is left alone (**A run that closes terms starts first**). */
  isLookedAt: boolean;
  /** Calls that quiet hours of others keep muted (**The hours of another policy count**). */
  kept: ReadonlySet<string>;
}

export class PolicyActions {
  readonly #policy: Policy;
  readonly #operations = new Operations(priorityOfPolicyOrder);
  readonly #scope = CancellationScope.current();

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  async on(call: PolicyCall | Unfinished, terms: ActionTerms): Promise<CallOutcome> {
    return (await this.#ruledOut(call, terms)) ?? (await this.#act(call, terms));
  }

  /** The outcome if a rule prevents the action. */
  async #ruledOut(call: PolicyCall | Unfinished, terms: ActionTerms): Promise<CallOutcome | undefined> {
    const { callId, tenantId } = call;
    if (terms.kept.has(callId)) return { outcome: 'StillQuiet' }; // **The hours of another policy count.**
    if (terms.isUnmuteOfHours) {
      if ('came' in call) {
        if (!(await this.#isStillMuted(call, terms))) return call.came; // **A failed call is tried again.**
        // **A run that closes terms starts first.**
      } else if (terms.isLookedAt && (await this.#isLeft(callId, terms)) === 'no') return { outcome: 'AlreadyDone' };
    }
    const { minParticipants } = this.#policy.rules ?? {};
    if (minParticipants === undefined) return undefined;
    const target = { callId, ...(tenantId !== undefined && { tenantId }) };
    return await this.#alone(async () => {
      const { participants, self, isComplete } = await reads.readParticipantCount.executeWithOptions(
        { summary: `Count ${callId}` },
        [target],
      );
      const isEnough = participants >= minParticipants;
      if (!isEnough && isComplete) return { outcome: 'BelowMinimum' };
      // An incomplete roster proves only "at least": nobody is muted on a guess, and nobody is left muted on one.
      if (!isEnough && terms.action === 'mute') return { outcome: 'GraphUnavailable', message: INCOMPLETE };
      if (this.#policy.request?.target !== undefined) return undefined; // The state of the application does not matter for others.
      const isWanted = wantedIsMuted(terms.action);
      const isDone = self !== undefined && (self.serverMuted ?? self.isMuted) === isWanted && self.isMuted === isWanted;
      return isDone ? { outcome: 'AlreadyDone' } : undefined;
    });
  }

  /**
   * **A failed call is tried again.** Somebody may have asked for something else since the last round, or it may have
   * been done after all.
   */
  async #isStillMuted({ callId, came }: Unfinished, terms: ActionTerms): Promise<boolean> {
    const isLeft = (await this.#isLeft(callId, terms)) !== 'no';
    if (!isLeft) came.outcome = came.outcome === 'NotEnded' ? 'Confirmed' : 'Superseded';
    return isLeft;
  }

  async #isLeft(callId: string, { dueAt }: ActionTerms): Promise<string> {
    const until = iso(dueAt);
    const left = await this.#alone(async () => ({ outcome: await rules.isLeftMuted({ callId, until }) }));
    return left.outcome;
  }

  async #act(call: PolicyCall, terms: ActionTerms): Promise<CallOutcome> {
    const rule = muteOnEntryRuleOf(this.#policy.rules);
    if (rule !== undefined) return await this.#muteOnEntry(rule, call);
    const { action, dueAt, until } = terms;
    const came = await this.#operate(policyOrder(this.#policy, action, call, until), dueAt);
    const isTooLate = action === 'mute' && Date.now() >= until;
    return isTooLate ? ((await this.#takenBack(call, came, until)) ?? came) : came;
  }

  async #muteOnEntry(rule: MuteOnEntryRule, call: PolicyCall): Promise<CallOutcome> {
    const order = muteOnEntryOrder(this.#policy, rule, call);
    return await this.#alone(async () => await beginMuteOnEntry(this.#operations, order));
  }

  async #operate(order: OperationOrder, wishedAt: number): Promise<CallOutcome> {
    return await this.#alone(async () => callOutcomeOf(await this.#operations.run(order, wishedAt)));
  }

  /** **A late mute is taken back.** */
  async #takenBack(call: PolicyCall, { runId }: CallOutcome, end: number): Promise<CallOutcome | undefined> {
    const { callId } = call;
    const until = iso(end);
    const look = { callId, until, ...(runId !== undefined && { runId }) };
    const left = await this.#alone(async () => ({ outcome: await rules.isLeftMuted(look) }));
    return left.outcome === 'yes' ? await this.#operate(policyOrder(this.#policy, 'unmute', call), end) : undefined;
  }

  /** **Each call succeeds or fails alone.** What fails is what became of this call. */
  async #alone<T extends CallOutcome | undefined>(work: () => Promise<T>): Promise<T | CallOutcome> {
    try {
      return await work();
    } catch (error) {
      if (this.#scope.consideredCancelled) throw error; // **A cancelled run starts nothing more.**
      if (isCancellation(error)) {
        const message = `The operation has not ended within ${CALL_MS / 60_000} minutes, and continues. See it in Temporal.`;
        return { outcome: 'NotEnded', message };
      }
      const cause = error instanceof ActivityFailure ? error.cause : undefined;
      if (cause instanceof ApplicationFailure && isFailureType(cause.type)) {
        return { outcome: cause.type, message: cause.message };
      }
      log.warn('A call of a policy ended with an unexpected error', { policyId: this.#policy.id });
      return { outcome: 'Unknown', message: 'Unexpected error. See the history of this run.' };
    }
  }
}
