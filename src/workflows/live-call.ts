import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { JoiningCall } from '../activities/types.ts';
import { keyword, keywordList } from '../contract/attributes.ts';
import { liveWorkflowIdOf } from '../contract/call-id.ts';
import {
  checkLiveCall,
  MOST_LABELS,
  toCallEstablished,
  toLabelling,
  type CallState,
  type Labelling,
  type LiveCallInput,
  type LiveCallStatus,
} from '../contract/live-call.ts';
import { LIVE_CALL_SIGNAL, QUERY, SEARCH_ATTRIBUTE } from '../contract/names.ts';
import { entryRuleOf } from '../contract/on-entry.ts';
import type { Policy } from '../contract/policy.ts';
import { toCallEnd } from '../contract/signals.ts';
import { reads, rules } from './activities.ts';
import { invalidRequest } from './failures.ts';
import { onSignals } from './on-signals.ts';
import { iso } from './iso.ts';
import { delayOf } from './call/polling.ts';
import { Operations } from './operations.ts';
import { beginMuteOnEntry } from './policy-entries.ts';
import { entryOrder, policyOrder } from './policy-order.ts';
import { ensureAttributes } from './visibility.ts';

/**
 * One call that is alive, so that it can be listed, labelled and addressed by policies.
 *
 *     establishing ──▶ established ──▶ terminated ──(TOMBSTONE_MS)──▶ the run ends
 *          └────────────────────────────────▲
 *
 * It hears of the call itself and of nothing in it: no roster comes here, so its history grows with time and not with talk.
 *
 * L1. `terminated` is final. An `established` that comes late or twice changes nothing for TOMBSTONE_MS; one that comes
 *     even later begins anew, and the first read tells that there is no such call.
 * L2. The call is read at growing intervals (READ_PAUSES_MS). One that is gone, or terminated, has ended, so that a lost
 *     `terminated` costs one interval.
 * L3. A call that neither a notification nor a read has shown for MOST_SILENCE_MS has ended, as far as anyone can tell:
 *     also one that Graph does not let us read any more is not alive for ever.
 * L4. A run continues as new after MOST_SIGNALS signals, or when Temporal suggests it. Signals are taken where they come
 *     in, nothing of them is pending, and the server lets no run close over a signal that it has not seen: none is lost.
 * L5. As it is established, once, the policies are asked whether one mutes it, and whether one mutes who comes from then on.
 *     They are asked until Temporal answers or the call ends. Both are done side by side, because the moment of a mute on
 *     entry matters. All of this goes on beside the rest: it delays neither a read nor the end of the run.
 * L6. A call that was established in quiet hours is looked at again after their end, because the policy's run at that moment may not
 *     have found it, or may not have come. That is so also if nobody has worked on this run before their end. If the hours still go on, of whichever policy, it waits for their end. If nobody has
 *     asked for anything since they ended, it is unmuted, also if the policy is gone or paused. What cannot be unmuted is
 *     tried again MOST_TRIES times, at growing intervals. A look that could not tell, because an operation is under way or a list
 *     has not caught up, is no try.
 */

/** Pauses before the reads of the call, from its start on. The last one repeats. */
const READ_PAUSES_MS = [10_000, 60_000, 120_000, 240_000, 480_000, 900_000] as const;

const TOMBSTONE_MS = 60_000;
const MOST_SILENCE_MS = 24 * 3_600_000;
const MOST_SIGNALS = 500;

/** So many signals, or events, end a run even while an operation is waited for. That goes on by itself. */
const MOST_SIGNALS_WAITING = 5_000;
const MOST_EVENTS_WAITING = 20_000;

/**
 * When a call is looked at after quiet hours (L6): soon if it was muted shortly before their end, so that the list that the
 * run of the policy works by may not have it yet, else when that run has had time to do its work.
 */
const LAG_MS = 60_000;
const GRACE_MS = 120_000;
const SOON_MS = 2_000;
const LOOK_AGAIN_MS = [60_000, 60_000, 60_000, 120_000, 240_000, 480_000, 900_000] as const;
const MOST_TRIES = 20;

/** What a run leaves to the one that it continues as. */
interface Carried {
  state: CallState;
  labels: string[];
  since: number;
  seenAt: number;
  round: number;
  reads: number;
  /** When it was last known not to be established, before it was. */
  notBefore: number;
  /** Set once the policies were asked (L5). */
  onJoin?: LiveCallStatus['onJoin'];
  onEntry?: LiveCallStatus['onEntry'];
  /** Until the call has been looked at after quiet hours (L6). */
  quiet?: Quiet;
  tenantId?: string;
  endedAt?: number;
  endedBy?: LiveCallStatus['endedBy'];
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

export async function runLiveCall(input: unknown, rest: readonly unknown[]): Promise<LiveCallStatus> {
  const checked = checkLiveCall(input);
  if (typeof checked === 'string') throw refused(checked);
  const { workflowId } = workflowInfo();
  const expected = liveWorkflowIdOf(checked.callId);
  if (workflowId !== expected) {
    throw refused(`the workflow ID is ${workflowId}, but this call must be ${expected}`, checked.callId);
  }
  return await new LiveCall(checked, carriedOf(rest)).run();
}

class LiveCall {
  readonly #input: LiveCallInput;
  readonly #now: Carried;
  readonly #operations = new Operations();
  #signals = 0;
  #ordered = 0;
  #isAttended = false;

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
    };
    if (tenantId !== undefined) this.#now.tenantId = tenantId;
    this.#listen();
    this.#show();
  }

  async run(): Promise<LiveCallStatus> {
    const now = this.#now;
    const policies = new CancellationScope();
    for (;;) {
      if (this.#isLong()) {
        policies.cancel(); // What was decided, and what is to be looked at, is carried.
        await this.#continue(); // L4
      }
      if (now.state === 'established') this.#attend(policies);
      const { endedAt } = now;
      if (endedAt !== undefined) policies.cancel();
      const due = endedAt === undefined ? this.#pause() : endedAt + TOMBSTONE_MS - Date.now();
      if (endedAt !== undefined && due <= 0) return this.#status();
      const isNew = (): boolean => now.state === 'established' && !this.#isAttended;
      const isStirred = (): boolean => this.#isLong() || now.endedAt !== endedAt || isNew();
      const summary = endedAt === undefined ? 'Until the call is read' : 'Until nobody tells of the call any more';
      if (!(await condition(isStirred, due, { summary })) && endedAt === undefined) await this.#read();
    }
  }

  /** What policies want of the call, beside the rest (L5, L6). */
  #attend(scope: CancellationScope): void {
    if (this.#isAttended) return;
    this.#isAttended = true;
    const work = async (): Promise<void> => {
      if (this.#now.onJoin === undefined) await this.#join();
      while (this.#now.quiet !== undefined) await this.#look(this.#now.quiet);
    };
    scope
      .run(async () => await this.#orWarn(work))
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
  }

  /** L5. What policies want of a call as it is established. */
  async #join(): Promise<void> {
    const now = this.#now;
    const call = this.#call();
    const { join, entry, until, quiet } = await rules.policyOnJoin(call, iso(now.notBefore));
    now.onJoin = {};
    // Known from now on, whatever becomes of the mute.
    if (quiet !== undefined) now.quiet = quietOf(quiet.policy, Date.parse(quiet.until));
    await Promise.all([
      this.#orWarn(async () => {
        const rule = entryRuleOf(entry?.rules);
        if (entry === undefined || rule === undefined) return;
        const order = entryOrder(entry, rule, call);
        const start = async () => await beginMuteOnEntry(this.#operations, order);
        const { outcome } = await this.#ordering(start);
        now.onEntry = { policyId: entry.id, outcome };
      }),
      this.#orWarn(async () => {
        if (join === undefined) return;
        const end = until === undefined ? undefined : Date.parse(until);
        const order = policyOrder(join, 'mute', this.#call(), end);
        const came = await this.#ordering(async () => await this.#operations.run(order));
        now.onJoin = { policyId: join.id, outcome: came.outcome };
        if (now.quiet === undefined || end === undefined) return;
        if (came.outcome === 'Confirmed') now.quiet.runId = came.runId;
        if (Date.now() + LAG_MS > now.quiet.until) now.quiet.lookAt = now.quiet.until + SOON_MS;
      }),
    ]);
  }

  /** L6. */
  async #look(quiet: Quiet): Promise<void> {
    const wait = quiet.lookAt - Date.now();
    if (wait > 0) {
      await sleep(wait, { summary: `Until the quiet hours of policy ${quiet.policy.id} are over` });
    }
    const { callId } = this.#input;
    const later = await rules.quietUntil(this.#call(), new Date().toISOString());
    if (later !== undefined) {
      Object.assign(quiet, { until: Date.parse(later), lookAt: Date.parse(later) + GRACE_MS });
      return;
    }
    const look = { callId, until: new Date(quiet.until).toISOString() };
    const left = await rules.isLeftMuted({ ...look, ...(quiet.runId !== undefined && { runId: quiet.runId }) });
    if (left === 'no' || quiet.tries >= MOST_TRIES) {
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

  #call(): JoiningCall {
    const { labels, tenantId } = this.#now;
    return { callId: this.#input.callId, labels, ...(tenantId !== undefined && { tenantId }) };
  }

  async #ordering<T>(work: () => Promise<T>): Promise<T> {
    this.#ordered += 1;
    try {
      return await work();
    } finally {
      this.#ordered -= 1;
    }
  }

  /** L5. What an activity could not do is no failure of this. */
  async #orWarn(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      log.warn('What policies want of the call could not be done', { callId: this.#input.callId });
    }
  }

  #pause(): number {
    return delayOf(READ_PAUSES_MS, this.#now.round);
  }

  /** What was ordered is waited for as long as that may be: what comes of it belongs to the call. */
  #isLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    if (this.#ordered > 0) return this.#signals >= MOST_SIGNALS_WAITING || historyLength >= MOST_EVENTS_WAITING;
    return this.#signals >= MOST_SIGNALS || continueAsNewSuggested;
  }

  #listen(): void {
    const on = onSignals<keyof typeof LIVE_CALL_SIGNAL>({
      callEstablished: 'The call is established (sent by the webhook)',
      callEnded: 'The call has ended (sent by the webhook)',
      label: 'Labels the call: { add: [], remove: [] }',
    });
    const heard = <T>(take: (payload: T) => void) => {
      return (payload: T): void => {
        this.#signals += 1;
        take(payload);
      };
    };
    setHandler(defineQuery<LiveCallStatus>(QUERY.liveCall), () => this.#status(), {
      description: 'What is known of the call',
    });
    on(
      LIVE_CALL_SIGNAL.callEstablished,
      toCallEstablished,
      heard(({ tenantId }) => this.#established(tenantId)),
    );
    on(
      LIVE_CALL_SIGNAL.callEnded,
      toCallEnd,
      heard(() => this.#end('notification')),
    );
    on(
      LIVE_CALL_SIGNAL.label,
      toLabelling,
      heard((labelling) => this.#label(labelling)),
    );
  }

  #established(tenantId?: string): void {
    const now = this.#now;
    if (now.state === 'terminated') return; // L1
    now.state = 'established';
    now.seenAt = Date.now();
    if (tenantId !== undefined) now.tenantId = tenantId;
    this.#show();
  }

  #end(endedBy: LiveCallStatus['endedBy']): void {
    if (this.#now.state === 'terminated') return; // L1
    Object.assign(this.#now, { state: 'terminated', endedAt: Date.now(), endedBy });
    this.#show();
  }

  #label({ add, remove }: Labelling): void {
    const kept = this.#now.labels.filter((label) => !remove.includes(label));
    this.#now.labels = [...new Set([...kept, ...add])].slice(0, MOST_LABELS);
    this.#show();
  }

  /** L2. What Graph does not answer tells nothing, but for too long (L3). */
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
      else if (Date.now() - now.seenAt >= MOST_SILENCE_MS) this.#end('silence'); // L3
    }
  }

  /** Where lists see it; what stands there already costs nothing. */
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
    const { state, labels, since, reads: read, onJoin, onEntry, tenantId, endedAt, endedBy } = this.#now;
    return {
      callId: this.#input.callId,
      state,
      ...(tenantId !== undefined && { tenantId }),
      labels,
      since: new Date(since).toISOString(),
      reads: read,
      ...(onJoin?.policyId !== undefined && { onJoin }),
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

/** If they are over, the run at their end has not found the call, or comes late itself. */
function quietOf(policy: Policy, until: number): Quiet {
  const lookAt = until + (Date.now() < until ? GRACE_MS : SOON_MS);
  return { policy, until, lookAt, looks: 0, tries: 0 };
}

function refused(fault: string, callId?: string): ApplicationFailure {
  const { type, message, details } = invalidRequest([fault], callId);
  return ApplicationFailure.create({ type, message, details: [details], nonRetryable: true });
}

/** Set by a run that continues as this one, and by nothing else. */
function carriedOf([first]: readonly unknown[]): Carried | undefined {
  const isOurs = workflowInfo().continuedFromExecutionRunId !== undefined;
  return isOurs && typeof first === 'object' && first !== null ? (first as Carried) : undefined;
}

function isCallNotFound(error: unknown): boolean {
  return (
    error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.type === 'CallNotFound'
  );
}
