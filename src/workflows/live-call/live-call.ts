import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  makeContinueAsNewFunc,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { EstablishedCall } from '../../activities/types.ts';
import { keyword, keywordList } from '../../contract/attributes.ts';
import { liveWorkflowIdOf } from '../../contract/call-id.ts';
import {
  checkLiveCall,
  MAX_LABELS,
  toCallEstablished,
  toLabelling,
  type CallState,
  type Labelling,
  type LiveCallInput,
  type LiveCallStatus,
} from '../../contract/live-call.ts';
import { SEARCH_ATTRIBUTE } from '../../contract/names.ts';
import { toCallEnd } from '../../contract/signals.ts';
import { reads } from '../activity-proxies.ts';
import { delayOf } from '../call/polling.ts';
import { invalidRequest } from '../lib/failures.ts';
import { LiveCallPolicies, type PoliciesState } from './live-call-policies.ts';
import { callEndedSignal, callEstablishedSignal, labelSignal, liveCallQuery } from '../messages.ts';
import { onSignals } from '../lib/on-signals.ts';
import { carriedOf, closing, faultsOfStart } from '../lib/own-run.ts';
import { ensureAttributes } from '../lib/visibility.ts';

/**
 * One active call, so that it can be listed, labelled and addressed by policies.
 *
 *     establishing ──▶ established ──▶ terminated ──(TOMBSTONE_MS)──▶ the run ends
 *          └────────────────────────────────▲
 *
 * It receives notifications of the call itself and no rosters, so its history grows with time and not with the people
 * who talk.
 *
 * - **`terminated` is final.** An `established` that arrives late or twice changes nothing for TOMBSTONE_MS. One that
 *   arrives even later starts a new run, and its first read shows that the call does not exist.
 * - **The call is read.** It is read at growing intervals (READ_PAUSES_MS). A call that is gone or terminated has
 *   ended, so a lost `terminated` costs one interval.
 * - **Silence ends a call.** A call that neither a notification nor a read has shown for MAX_SILENCE_MS has ended, as
 *   far as anyone can tell. So a call that Graph no longer lets us read does not stay active for ever.
 * - **No signal is lost.** A run continues as new after MAX_SIGNALS signals, or when Temporal suggests it. Signals
 *   are processed when they arrive, and the server does not let a run close over a signal that it has not seen.
 * - **Policies run beside it.** What policies do in the call (`live-call-policies.ts`) delays neither a read nor the
 *   end of the run.
 */

/** Delays before the reads of the call, from its start on. The last one repeats. */
const READ_PAUSES_MS = [10_000, 60_000, 120_000, 240_000, 480_000, 900_000] as const;

const TOMBSTONE_MS = 60_000;
const MAX_SILENCE_MS = 24 * 3_600_000;
const MAX_SIGNALS = 500;

/** This many signals, or events, end a run even while it waits for an operation, which continues on its own. */
const MAX_SIGNALS_WAITING = 5_000;
const MAX_EVENTS_WAITING = 20_000;

/** The state that is carried when the run continues as new. */
interface Carried {
  state: CallState;
  labels: string[];
  since: number;
  seenAt: number;
  round: number;
  reads: number;
  /** When it was last known not to be established, before it was. */
  notBefore: number;
  policies: PoliciesState;
  tenantId?: string;
  endedAt?: number;
  endedBy?: LiveCallStatus['endedBy'];
}

export async function runLiveCall(input: unknown, rest: readonly unknown[]): Promise<LiveCallStatus> {
  const checked = checkLiveCall(input);
  if (typeof checked === 'string') throw closing(invalidRequest([checked]));
  const { callId } = checked;
  const issues = faultsOfStart('live call', liveWorkflowIdOf(callId), rest);
  if (issues.length > 0) throw closing(invalidRequest(issues, callId));
  return await new LiveCall(checked, carriedOf(rest) as Carried | undefined).run();
}

class LiveCall {
  readonly #input: LiveCallInput;
  readonly #now: Carried;
  readonly #policies: LiveCallPolicies;
  #signals = 0;

  constructor(input: LiveCallInput, carried: Carried | undefined) {
    const { tenantId } = input;
    const now = Date.now();
    this.#input = input;
    // Workers may have been away since the start.
    const notBefore = workflowInfo().startTime.getTime();
    this.#now = carried ?? {
      state: 'establishing',
      labels: [],
      since: now,
      notBefore,
      seenAt: now,
      round: 0,
      reads: 0,
      policies: {},
    };
    if (tenantId !== undefined) this.#now.tenantId = tenantId;
    this.#policies = new LiveCallPolicies(() => this.#call(), this.#now.policies);
    this.#listen();
    this.#show();
  }

  async run(): Promise<LiveCallStatus> {
    const now = this.#now;
    const policies = this.#policies;
    for (;;) {
      if (this.#isLong()) {
        policies.cancel(); // What was decided, and what is to be looked at, is carried.
        await this.#continue(); // **No signal is lost.**
      }
      if (now.state === 'established') policies.attend(now.notBefore);
      const { endedAt } = now;
      if (endedAt !== undefined) policies.cancel();
      const due = endedAt === undefined ? this.#pause() : endedAt + TOMBSTONE_MS - Date.now();
      if (endedAt !== undefined && due <= 0) return this.#status();
      const isNew = (): boolean => now.state === 'established' && !policies.isAttending;
      const isStirred = (): boolean => this.#isLong() || now.endedAt !== endedAt || isNew();
      const summary =
        endedAt === undefined ? 'Until the call is read' : 'Until no more notifications of the call are expected';
      if (!(await condition(isStirred, due, { summary })) && endedAt === undefined) await this.#read();
    }
  }

  #call(): EstablishedCall {
    const { labels, tenantId } = this.#now;
    return { callId: this.#input.callId, labels, ...(tenantId !== undefined && { tenantId }) };
  }

  #pause(): number {
    return delayOf(READ_PAUSES_MS, this.#now.round);
  }

  /** Waits for the orders of the policies without a limit, because their outcomes belong to the call. */
  #isLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    if (this.#policies.isOrdering) return this.#signals >= MAX_SIGNALS_WAITING || historyLength >= MAX_EVENTS_WAITING;
    return this.#signals >= MAX_SIGNALS || continueAsNewSuggested;
  }

  #listen(): void {
    const heard = <T>(take: (payload: T) => void) => {
      return (payload: T): void => {
        this.#signals += 1;
        take(payload);
      };
    };
    setHandler(liveCallQuery, () => this.#status(), {
      description: 'What is known about the call',
    });
    onSignals((on) => {
      on(
        callEstablishedSignal,
        'The call is established (sent by the webhook)',
        toCallEstablished,
        heard(({ tenantId }) => this.#established(tenantId)),
      );
      on(
        callEndedSignal,
        'The call has ended (sent by the webhook)',
        toCallEnd,
        heard(() => this.#end('notification')),
      );
      on(
        labelSignal,
        'Labels the call: { add: [], remove: [] }',
        toLabelling,
        heard((labelling) => this.#label(labelling)),
      );
    });
  }

  #established(tenantId?: string): void {
    const now = this.#now;
    if (now.state === 'terminated') return; // **`terminated` is final.**
    now.state = 'established';
    now.seenAt = Date.now();
    if (tenantId !== undefined) now.tenantId = tenantId;
    this.#show();
  }

  #end(endedBy: LiveCallStatus['endedBy']): void {
    if (this.#now.state === 'terminated') return; // **`terminated` is final.**
    Object.assign(this.#now, { state: 'terminated', endedAt: Date.now(), endedBy });
    this.#show();
  }

  #label({ add, remove }: Labelling): void {
    const kept = this.#now.labels.filter((label) => !remove.includes(label));
    this.#now.labels = [...new Set([...kept, ...add])].slice(0, MAX_LABELS);
    this.#show();
  }

  /**
   * **The call is read.** A read without an answer changes nothing, unless that lasts too long (**Silence ends a
   * call**).
   */
  async #read(): Promise<void> {
    const now = this.#now;
    now.round += 1;
    const { callId } = this.#input;
    const target = { callId, ...(now.tenantId !== undefined && { tenantId: now.tenantId }) };
    try {
      const { state } = await reads.readState.executeWithOptions({ summary: `Read call ${callId}` }, [target]);
      now.reads += 1;
      if (state === 'terminated') this.#end('read');
      else if (state === 'established' || state === 'hold') this.#established();
      else {
        now.seenAt = Date.now();
        if (now.state === 'establishing') now.notBefore = now.seenAt;
      }
    } catch (error) {
      if (isCallNotFound(error)) this.#end('read');
      else if (!(error instanceof ActivityFailure)) throw error;
      else if (Date.now() - now.seenAt >= MAX_SILENCE_MS) this.#end('silence'); // **Silence ends a call.**
    }
  }

  /** Sets the search attributes. A value that is already set costs nothing. */
  #show(): void {
    const { state, labels, tenantId } = this.#now;
    ensureAttributes([
      keyword(SEARCH_ATTRIBUTE.callId, this.#input.callId),
      keyword(SEARCH_ATTRIBUTE.callState, state),
      ...(tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, tenantId)]),
    ]);
    const shown = workflowInfo().typedSearchAttributes.get({ name: SEARCH_ATTRIBUTE.labels, type: 'KEYWORD_LIST' });
    if (String(shown ?? []) !== String(labels)) upsertSearchAttributes([keywordList(SEARCH_ATTRIBUTE.labels, labels)]);
  }

  #status(): LiveCallStatus {
    const { state, labels, since, reads: read, tenantId, endedAt, endedBy } = this.#now;
    const { onEstablished, onEntry } = this.#now.policies;
    return {
      callId: this.#input.callId,
      state,
      ...(tenantId !== undefined && { tenantId }),
      labels,
      since: new Date(since).toISOString(),
      reads: read,
      ...(onEstablished?.policyId !== undefined && { onEstablished }),
      ...(onEntry !== undefined && { onEntry }),
      ...(endedAt !== undefined && { endedAt: new Date(endedAt).toISOString() }),
      ...(endedBy !== undefined && { endedBy }),
    };
  }

  async #continue(): Promise<never> {
    const continueAsNew = makeContinueAsNewFunc<(...args: [LiveCallInput, Carried]) => Promise<never>>();
    return await continueAsNew(this.#input, this.#now);
  }
}

function isCallNotFound(error: unknown): boolean {
  return (
    error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.type === 'CallNotFound'
  );
}
