import { ActivityFailure, CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import type { EstablishedCall } from '../../activities/types.ts';
import type { LiveCallStatus } from '../../contract/live-call.ts';
import { muteOnEntryRuleOf } from '../../contract/mute-on-entry-check.ts';
import type { Policy } from '../../contract/policy.ts';
import { rules } from '../activity-proxies.ts';
import { delayOf } from '../call/polling.ts';
import { iso } from '../lib/iso.ts';
import { Operations } from '../orders/ordered-operations.ts';
import { beginMuteOnEntry } from '../policy/policy-mutes-on-entry.ts';
import { muteOnEntryOrder, policyOrder, priorityOfPolicyOrder } from '../policy/policy-order.ts';

/**
 * The policies that act on an active call.
 *
 * **Checked once.** When the call is established, an activity looks for a policy that mutes it, and for one that
 * mutes newcomers from then on. It is repeated until Temporal answers or the call ends. Both are done side by side,
 * because the moment of a mute on entry matters.
 *
 * **Checked after quiet hours.** A call that was established in quiet hours is checked again after their end, because
 * the policy's run at that moment may not have found it, or may not have come. This also applies if no worker took
 * this workflow before the hours ended. If the quiet hours of any policy still last, it waits for their end. If there
 * was no request since they ended, it is unmuted, also if the policy is gone or paused. A failed unmute is retried
 * MAX_TRIES times, at growing intervals. A check without an answer, because an operation is under way or a list has
 * not caught up, does not count.
 */

/**
 * When a call is checked after quiet hours: soon if it was muted shortly before their end, so that the list that the
 * run of the policy works by may not have it yet, else when that run has had time to do its work.
 */
const LAG_MS = 60_000;
const GRACE_MS = 120_000;
const SOON_MS = 2_000;
const LOOK_AGAIN_MS = [60_000, 60_000, 60_000, 120_000, 240_000, 480_000, 900_000] as const;
const MAX_TRIES = 20;

/** The state that is carried when the run continues as new. */
export interface PoliciesState {
  /** Set once the policies were checked. */
  onEstablished?: LiveCallStatus['onEstablished'];
  onEntry?: LiveCallStatus['onEntry'];
  /** Until the call has been looked at after quiet hours. */
  quiet?: Quiet;
}

/** Quiet hours that the call was established in. */
interface Quiet {
  policy: Policy;
  until: number;
  lookAt: number;
  looks: number;
  tries: number;
  /** The mute, if it was confirmed. */
  runId?: string;
}

export class LiveCallPolicies {
  readonly #call: () => EstablishedCall;
  readonly #now: PoliciesState;
  readonly #operations = new Operations(priorityOfPolicyOrder);
  readonly #scope = new CancellationScope();
  #ordered = 0;
  #isAttending = false;

  constructor(call: () => EstablishedCall, state: PoliciesState) {
    this.#call = call;
    this.#now = state;
  }

  get isAttending(): boolean {
    return this.#isAttending;
  }

  /** It waits for the outcome of an operation that it has ordered. */
  get isOrdering(): boolean {
    return this.#ordered > 0;
  }

  /**
   * Begins to apply the policies, beside the rest. `notBefore` is when the call was last known not to be established.
   */
  attend(notBefore: number): void {
    if (this.#isAttending) return;
    this.#isAttending = true;
    const work = async (): Promise<void> => {
      if (this.#now.onEstablished === undefined) await this.#join(notBefore);
      while (this.#now.quiet !== undefined) await this.#look(this.#now.quiet);
    };
    this.#scope
      .run(async () => await this.#orWarn(work))
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
  }

  /** Stops the work. The state has what the next run needs to continue it. */
  cancel(): void {
    this.#scope.cancel();
  }

  async #join(notBefore: number): Promise<void> {
    const now = this.#now;
    const call = this.#call();
    const { join, entry, until, quiet } = await rules.policyOnEstablished(call, iso(notBefore));
    now.onEstablished = {};
    // Known from now on, whatever becomes of the mute.
    if (quiet !== undefined) now.quiet = quietOf(quiet.policy, Date.parse(quiet.until));
    await Promise.all([
      this.#orWarn(async () => {
        const rule = muteOnEntryRuleOf(entry?.rules);
        if (entry === undefined || rule === undefined) return;
        const order = muteOnEntryOrder(entry, rule, call);
        const start = async () => await beginMuteOnEntry(this.#operations, order);
        const { outcome } = await this.#ordering(start);
        now.onEntry = { policyId: entry.id, outcome };
      }),
      this.#orWarn(async () => {
        if (join === undefined) return;
        const end = until === undefined ? undefined : Date.parse(until);
        const order = policyOrder(join, 'mute', this.#call(), end);
        const came = await this.#ordering(async () => await this.#operations.run(order));
        now.onEstablished = { policyId: join.id, outcome: came.outcome };
        if (now.quiet === undefined || end === undefined) return;
        if (came.outcome === 'Confirmed') now.quiet.runId = came.runId;
        if (Date.now() + LAG_MS > now.quiet.until) now.quiet.lookAt = now.quiet.until + SOON_MS;
      }),
    ]);
  }

  async #look(quiet: Quiet): Promise<void> {
    const wait = quiet.lookAt - Date.now();
    if (wait > 0) {
      await sleep(wait, { summary: `Until the quiet hours of policy ${quiet.policy.id} are over` });
    }
    const { callId } = this.#call();
    const later = await rules.quietUntil(this.#call(), iso(Date.now()));
    if (later !== undefined) {
      Object.assign(quiet, { until: Date.parse(later), lookAt: Date.parse(later) + GRACE_MS });
      return;
    }
    const look = { callId, until: iso(quiet.until) };
    const left = await rules.isLeftMuted({ ...look, ...(quiet.runId !== undefined && { runId: quiet.runId }) });
    if (left === 'no' || quiet.tries >= MAX_TRIES) {
      delete this.#now.quiet;
      return;
    }
    quiet.lookAt = Date.now() + delayOf(LOOK_AGAIN_MS, quiet.looks);
    quiet.looks += 1;
    if (left === 'wait') return;
    quiet.tries += 1;
    await this.#orWarn(async () => {
      const order = policyOrder(quiet.policy, 'unmute', this.#call());
      await this.#ordering(async () => await this.#operations.run(order, quiet.until));
    });
  }

  async #ordering<T>(work: () => Promise<T>): Promise<T> {
    this.#ordered += 1;
    try {
      return await work();
    } finally {
      this.#ordered -= 1;
    }
  }

  /** A failed activity does not fail the run. */
  async #orWarn(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      log.warn('The policies of an established call could not be applied', { callId: this.#call().callId });
    }
  }
}

/** If they are over, the run at their end has not found the call, or comes late itself. */
function quietOf(policy: Policy, until: number): Quiet {
  const lookAt = until + (Date.now() < until ? GRACE_MS : SOON_MS);
  return { policy, until, lookAt, looks: 0, tries: 0 };
}
