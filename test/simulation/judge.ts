import { defaultPayloadConverter } from '@temporalio/common';
import { DateTime } from 'luxon';
import { callIdOf, callIdOfLive, workflowIdOf } from '../../src/contract/call-id.ts';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { muteOnEntryIdOf } from '../../src/contract/mute-on-entry.ts';
import { scheduleIdOf, type Policy } from '../../src/contract/policy.ts';
import { callIdAt, type Played, type Told } from './play.ts';
import { endOf, isFault, type Step } from './scenario.ts';
import { STATUS, type Run } from './temporal/run.ts';
import type { ISchedule } from './temporal/schedules.ts';

/**
 * The judge of standing mutes, policies and releases. It reads Graph's log, the server's account of every run, and the
 * outcomes that callers received, once all faults are over and nothing was asked for CALM_MS. `test/faults/judge.ts` judges
 * single operations.
 *
 * - **Newest wish.** Each call is as the newest wish wants it. A wish is a mute or an unmute that was confirmed, the
 *   beginning or the end of a mute lock, a timed mute or quiet hours, a policy's run, or a release. If two contradicting
 *   wishes came at the same time, or the outcome of the newest one is unknown, or somebody in the call has changed it
 *   since, this rule decides nothing.
 * - **A mute lock unmutes.** A mute lock that has ended has unmuted what it muted, unless somebody else has asked for a
 *   mute since. This counts also if *newest wish* decides nothing because an outcome is unknown.
 * - **Who was there.** A mute on entry mutes nobody who was in the call when it was asked for.
 * - **Silence after the end.** Nothing that was cancelled or released, or has ended, sends anything later. No operation of a
 *   cancelled policy run, of a mute lock or of a mute on entry begins after that has closed. A mute on entry that was
 *   released starts nothing more, but asks for the outcome of what it has started.
 * - **Deadlines and limits.** No wait outlives its deadline, apart from the time of faults. No run exceeds the server's
 *   limits, and no standing mute works without a pause. Lists that lag or fail are no excuse.
 * - **Newcomers are muted.** Whoever joins a call with a mute on entry, once all faults are over, is muted.
 * - **Muted again.** A call with a mute lock is muted again within RESIST_MS if there is no fault, whatever else runs on
 *   the call.
 * - **Own deployment.** Nothing of another deployment changes: neither its mute locks nor the operations of its calls.
 * - **Result of others.** A mute of others that reports a complete roster has muted somebody, if anybody was there.
 * - **Result of a release.** A release never throws, and its result for a call is true.
 * - **Superseded by a newer one.** Only a request that came later supersedes another one.
 * - **Workflow tasks.** No workflow task fails, and every history replays.
 */

/** An operation: reading, asking and restoring with one attempt more each, verifying, confirming. */
const OPERATION_MS = (3 * 70 + 15 + 30) * 1_000;

/** Beside the operation that it ends with; longer where it had to try again. */
const LASTING_MS = 15 * 60_000;
const UNDISTURBED_MS = 120_000;
/** A schedule may fire so early if the server's tables of zones are others. */
const MAX_EARLY_MS = 3 * 3_600_000;
const POLICY_RUN_MS = 60 * 60_000;
const TOMBSTONE_MS = 60_000;

/** A mute lock looks by itself after a minute, and an operation may be under way. */
const RESIST_MS = 180_000;

/** From the last fault on. */
const WELL_MS = 180_000;

/** A run of a policy is under way so long, as far as a wish is concerned. */
const RUN_MS = 60_000;

/** So long after a change of quiet hours their calls are as it wants them, also if the client has died. */
const CHANGE_MS = 180_000;

const DAY_MS = 86_400_000;

/** Of a signal: itself, and the workflow task that takes it in. */
const SIGNAL_EVENTS = 4;

/** Of what lasts, signals aside. A look takes some 15, and an operation that is waited for some 25. */
const MAX_EVENTS = 500;
const MAX_EVENTS_A_MINUTE = 60;

/** What was on its way when something closed. */
const SLACK_MS = 1_500;

/** A mute lock gives up to unmute where it does not show, after so many operations. */
const MAX_UNMUTES = 3;

/** Wishes of a mute lock itself. */
const HELD: ReadonlySet<string> = new Set(['a mute lock', 'a mute lock that was not taken', 'extend']);

/** What says nothing of the application's own mute, or is what a mute lock is there for. */
const OF_OTHERS: ReadonlySet<string> = new Set(['talk', 'organizer', 'others', 'join', 'leave']);

interface Wish {
  isMuted: boolean;
  /** Between these it was asked for and taken. */
  from: number;
  to: number;
  isSure: boolean;
  why: string;
}

export function judge(played: Played): string[] {
  return new Judge(played).all();
}

class Judge {
  readonly #played: Played;
  readonly #runs: readonly Run[];
  readonly #faults: { from: number; to: number; kind: string; callId: string | undefined }[];
  readonly #end: number;
  readonly #violations: string[] = [];

  constructor(played: Played) {
    const { scenario, start, world } = played;
    this.#played = played;
    this.#runs = world.server.runs;
    this.#end = start + scenario.minutes * 60_000;
    this.#faults = scenario.steps.filter(isFault).map((fault) => ({
      from: start + fault.at,
      to: start + endOf(fault),
      kind: isOfOthers(fault) ? 'graph for others' : fault.kind,
      callId: 'call' in fault ? callIdAt(fault.call) : undefined,
    }));
  }

  all(): string[] {
    this.#violations.push(...this.#played.world.server.findings);
    for (const [index] of this.#played.calls.entries()) this.#judgeState(index);
    for (const [index] of this.#played.calls.entries()) this.#judgeEndOfHold(index);
    this.#judgeSuperseded();
    this.#judgeEntries();
    this.#judgeSilence();
    this.#judgeReleased();
    this.#judgeDeadlines();
    this.#judgeDeployments();
    this.#judgeReleases();
    this.#judgeOthers();
    this.#judgeNewcomers();
    this.#judgeResistance();
    this.#judgePolicies();
    return this.#violations;
  }

  #blame(rule: string, what: string): void {
    this.#violations.push(`${rule}: ${what}`);
  }

  #time(ms: number): string {
    return new Date(ms).toISOString().slice(5, 23);
  }

  // newest wish

  #judgeState(index: number): void {
    const { world } = this.#played;
    const callId = callIdAt(index);
    const call = world.graph.calls.get(callId);
    if (call === undefined || call.state !== 'established') return;
    const wishes = this.#wishesOf(index).toSorted((a, b) => a.to - b.to);
    const last = wishes.at(-1);
    if (last === undefined || !last.isSure) return;
    const isContested = wishes.some(
      (wish) => wish !== last && wish.to >= last.from && (wish.isMuted !== last.isMuted || !wish.isSure),
    );
    if (isContested) return;
    const hold = this.#openRun(muteLockIdOf(callId));
    const isHeld = hold !== undefined && (inputOf(hold) as { enforce?: boolean }).enforce !== false;
    const touched = world.graph.log.findLast(
      (entry) => entry.type === 'change' && entry.participantId === call.own.id && entry.by === 'other',
    );
    if (touched !== undefined && touched.at >= last.from && !(isHeld && last.isMuted)) return;
    if (!this.#isClear(wishes, last)) return;
    if (call.own.serverMuted !== last.isMuted) {
      this.#blame(
        'newest wish',
        `${callId} is left ${call.own.serverMuted ? 'muted' : 'unmuted'}: the last wish was ${last.why} at ${this.#time(last.to)}`,
      );
    }
  }

  /** An unmute that was asked for ends a mute lock. Where quiet hours end under one, two rules meet, and nothing is said. */
  #isClear(wishes: readonly Wish[], last: Wish): boolean {
    return (
      !last.why.includes('quiet hours') || last.isMuted || !wishes.some(({ why }) => why === 'a mute lock that goes on')
    );
  }

  #wishesOf(index: number): Wish[] {
    const { told, scenario, start } = this.#played;
    const wishes: Wish[] = [];
    for (const one of told) {
      const { step } = one;
      if (step.kind === 'ask' && step.call === index) {
        wishes.push(...wishOfAsk(one, step.action, step.onConflict));
      }
      if (step.kind === 'keepMuted' && step.call === index) wishes.push(...this.#wishesOfHold(one));
      else if ((step.kind === 'extend' || step.kind === 'terminate') && step.call === index)
        wishes.push(this.#openWish(one));
      else if (step.kind === 'release' && step.call === index)
        wishes.push(...this.#wishOfRelease(one, callIdAt(index)));
      else if (step.kind === 'releaseEverywhere' && step.deployment === (scenario.calls[index]?.deployment ?? 0))
        wishes.push(...this.#wishOfRelease(one, callIdAt(index)));
      else if (step.kind === 'policy' && step.calls.includes(index))
        wishes.push(...this.#wishesOfPolicy(one, callIdAt(index)));
      else if (step.kind === 'quiet' && (step.calls === 'live' || step.calls.includes(index)))
        wishes.push(...this.#wishesOfQuiet(one, index));
    }
    for (const step of scenario.steps) {
      // Nobody knows what an operation that stands still will do, until it is ended.
      if (step.kind === 'strand' && step.call === index) {
        const wish = { isMuted: step.action === 'mute', from: start + step.at, to: start + endOf(step), isSure: false };
        wishes.push({ ...wish, why: 'stranded' });
      }
    }
    return wishes;
  }

  /** What comes of it shows elsewhere; until then nobody knows how the call is to be. */
  #openWish({ step, askedAt, endedAt = this.#end }: Told): Wish {
    return { isMuted: true, from: askedAt, to: endedAt, isSure: false, why: step.kind };
  }

  #wishesOfHold(told: Told): Wish[] {
    const { step, askedAt, acceptedAt, endedAt, outcome } = told;
    if (acceptedAt === undefined || step.kind !== 'keepMuted') {
      return [
        {
          isMuted: true,
          from: askedAt,
          to: endedAt ?? this.#end,
          isSure: false,
          why: 'a mute lock that was not taken',
        },
      ];
    }
    const begins = { isMuted: true, from: askedAt, to: acceptedAt, isSure: true };
    if (outcome === undefined) return [{ ...begins, why: 'a mute lock that goes on' }];
    if (!this.#hasActed(callIdAt(step.call), askedAt)) return []; // Its time was over before a worker came.
    const ends = this.#endOfHold(told, outcome === 'released');
    switch (outcome) {
      case 'expired':
      case 'released':
        return [
          { ...begins, why: 'a mute lock' },
          { ...ends, isMuted: false, isSure: true, why: `the end of a mute lock (${outcome})` },
        ];
      case 'unmuted':
        return [{ ...begins, why: 'a mute lock' }];
      default:
        return [
          { ...begins, isSure: false, why: 'a mute lock' },
          { ...ends, isMuted: false, isSure: false, why: `a mute lock that ended as ${outcome}` },
        ];
    }
  }

  /** When its end was wished for: its time, or when somebody let it go, also if it heard of that later. */
  #endOfHold({ step, askedAt, endedAt = this.#end }: Told, isReleased: boolean): { from: number; to: number } {
    const release = this.#played.told.find(
      (one) =>
        isReleased &&
        one.askedAt >= askedAt &&
        one.step.kind === 'letGo' &&
        step.kind === 'keepMuted' &&
        one.step.call === step.call &&
        one.acceptedAt !== undefined,
    );
    if (release !== undefined) return { from: release.askedAt, to: release.acceptedAt ?? endedAt };
    const until = isReleased || step.kind !== 'keepMuted' ? undefined : this.#endedUntil(callIdAt(step.call), endedAt);
    return until === undefined ? { from: endedAt, to: endedAt } : { from: until - SLACK_MS, to: until + SLACK_MS };
  }

  /** Whether any mute lock of the call has asked for anything. */
  #hasActed(callId: string, since: number): boolean {
    return this.#runs.some(
      (run) =>
        run.startedAt >= since &&
        callIdOf(run.start.workflowId) === callId &&
        isOperation(run) &&
        reasonOf(run)?.startsWith('hold at'),
    );
  }

  /** The time of the mute lock that has ended then. */
  #endedUntil(callId: string, endedAt: number): number | undefined {
    const last = this.#runs.findLast(
      ({ start, closedAt = Infinity }) => start.workflowId === muteLockIdOf(callId) && closedAt <= endedAt,
    );
    const first = this.#runs.find(({ runId }) => runId === last?.firstRunId);
    return last && first && this.#untilOf(last, first.startedAt);
  }

  #wishOfRelease({ askedAt, endedAt = this.#end, calls = [] }: Told, callId: string): Wish[] {
    const outcome = calls.find((call) => call.callId === callId)?.outcome;
    const wish = { isMuted: false, from: askedAt, to: endedAt };
    return [
      {
        ...wish,
        isSure: outcome === 'released' || outcome === 'unmuted',
        why: `a release (${outcome ?? 'not named'})`,
      },
    ];
  }

  /** A run's report says whether it was confirmed; a run that still goes on leaves all open. */
  #wishesOfPolicy({ step, askedAt, acceptedAt }: Told, callId: string): Wish[] {
    if (step.kind !== 'policy') return [];
    const runs = this.#runs.filter(({ start }) => start.workflowId.startsWith(`${scheduleIdOf(step.id)}-`));
    const from = acceptedAt ?? askedAt;
    const over = Math.max(from, ...runs.map(({ closedAt = this.#end }) => closedAt));
    const to = this.#firstFor(`Policy ${step.id}`, callId) ?? over;
    const isSure = runs.some(
      (run) => (resultOf(run) as { confirmed?: string[] } | undefined)?.confirmed?.includes(callId) === true,
    );
    return [{ isMuted: step.action === 'mute', from, to, isSure, why: `policy ${step.id} (${step.action})` }];
  }

  /** When the first operation that was asked for so has begun: from then on it is older than what is asked for. */
  #firstFor(reason: string, callId: string): number | undefined {
    const workflowId = workflowIdOf(callId);
    return this.#runs.find((run) => run.start.workflowId === workflowId && isOperation(run) && reasonOf(run) === reason)
      ?.startedAt;
  }

  #wishesOfQuiet({ step, acceptedAt }: Told, call: number): Wish[] {
    if (step.kind !== 'quiet') return [];
    if (this.#isChanged(step.id)) return this.#wishesOfChanges(step.id, call);
    if (acceptedAt === undefined) return [];
    const establishedAt = this.#establishedAt(call) ?? -Infinity;
    const wishes = momentsOf(step, acceptedAt, this.#end).map(({ at, isBegin }, index, all) => ({
      isMuted: isBegin,
      from: at,
      to: Math.min(at + RUN_MS, (all[index + 1]?.at ?? Infinity) - 1),
      isSure: at < this.#end - LASTING_MS && !(isBegin && this.#mayBeRefused()),
      why: `the ${isBegin ? 'beginning' : 'end'} of quiet hours`,
    }));
    // What begins in the midst of them is muted then.
    const before = wishes.findLast(({ from }) => from <= establishedAt);
    const later = wishes.filter(({ from }) => from > establishedAt);
    const joins =
      before === undefined || !Number.isFinite(establishedAt)
        ? []
        : [{ ...before, from: establishedAt, to: Math.min(establishedAt + RUN_MS, (later[0]?.from ?? Infinity) - 1) }];
    return establishedAt === -Infinity ? wishes : [...joins.filter(({ isMuted }) => isMuted), ...later];
  }

  /** When it was established, for all that the service knows: a notification may come late, or never. Nothing of one that always was. */
  #establishedAt(call: number): number | undefined {
    const plan = this.#played.scenario.steps.find((one) => one.kind === 'establish' && one.call === call);
    if (plan === undefined) return undefined;
    const live = this.#runs.find(({ start }) => callIdOfLive(start.workflowId) === callIdAt(call));
    return live === undefined ? Infinity : Math.max(this.#played.start + plan.at, live.startedAt);
  }

  /** Nobody is harmed if a call is not muted, so a refusal of that is final. */
  #mayBeRefused(): boolean {
    return this.#played.scenario.steps.some((one) => one.kind === 'graph' && one.status === 403);
  }

  #isChanged(id: string): boolean {
    return this.#played.told.some(({ step }) => step.kind === 'change' && step.id === id);
  }

  /**
   * Quiet hours that were changed, as the server's account of their schedule says. What ends while they are paused or
   * deleted undoes nothing; what was changed or resumed is made up for at once.
   */
  #wishesOfChanges(id: string, call: number): Wish[] {
    const wishes: Wish[] = [];
    const log = this.#played.world.server.schedules.log.filter((change) => change.id === scheduleIdOf(id));
    const wish = (isMuted: boolean, from: number, to: number, why: string): void => {
      const isSure = from < this.#end - LASTING_MS && !(isMuted && this.#mayBeRefused());
      wishes.push({ isMuted, from, to, isSure, why });
    };
    const changes = this.#played.told.filter(
      ({ step, unexpected }) =>
        (step.kind === 'change' || step.kind === 'quiet') && step.id === id && unexpected === undefined,
    );
    const establishedAt = this.#establishedAt(call);
    if (establishedAt === Infinity) return [];
    if (establishedAt !== undefined) {
      // It is unmuted at the end of its hours, also if they are paused or deleted by then. What else changes them leaves it open.
      const terms = log.findLast(({ at }) => at < establishedAt - CHANGE_MS);
      const isKept = log.every(
        ({ at, how }) => at < establishedAt - CHANGE_MS || (at > establishedAt && how === 'delete'),
      );
      const end = terms && momentsOf(hoursOf(policyIn(terms.spec)), establishedAt, this.#end)[0];
      if (end === undefined || end.isBegin) return [];
      wish(false, end.at, end.at + CHANGE_MS, 'the end of quiet hours');
      return isKept ? wishes : [];
    }
    for (const [index, { at, how, spec }] of log.entries()) {
      const until = log[index + 1]?.at ?? this.#end;
      const terms = policyIn(spec);
      const isMeant = 'live' in terms.target || terms.target.calls.includes(callIdAt(call));
      const hours = hoursOf(terms);
      const isQuiet = isMeant && momentsOf(hours, at - 2 * DAY_MS, at).at(-1)?.isBegin === true;
      const isPaused = spec.state?.paused === true;
      const last = wishes.at(-1);
      const to = Math.min(at + CHANGE_MS, until - 1);
      // A run that was muting stops if the policy is deleted, and no run may have been started if it was due just then.
      const mayStop = how === 'delete' && last?.isMuted === true ? CHANGE_MS : SLACK_MS;
      if (last !== undefined && (how === 'delete' || how === 'pause') && at < last.from + mayStop) last.isSure = false;
      if (how === 'delete') return wishes;
      // Whoever runs a policy that is paused wants what is right then, which may have been something else before.
      for (const { step, askedAt } of isPaused ? changes : []) {
        const isRun = step.kind === 'change' && step.how === 'trigger' && askedAt > at && askedAt < until;
        if (isRun) wishes.push({ isMuted: false, from: askedAt, to: askedAt + CHANGE_MS, isSure: false, why: 'a run' });
      }
      if (how === 'pause') continue;
      if (isQuiet && !isPaused) {
        wish(true, at, to, `quiet hours (${how})`);
        // The run that mutes is asked for by the client, after the change.
        const isDone = changes.some(({ askedAt, endedAt }) => askedAt <= at && endedAt !== undefined && endedAt >= at);
        if (!isDone) Object.assign(wishes.at(-1) ?? {}, { isSure: false });
      }
      // Neither changed nor resumed: what was muted before it was paused stays so.
      const before = log[index - 1];
      const isLeft =
        isPaused && before !== undefined && JSON.stringify(policyIn(before.spec)) === JSON.stringify(terms);
      if (!isQuiet && !isLeft && last?.isMuted === true) wish(false, at, to, `other quiet hours (${how})`);
      if (isPaused || !isMeant) continue;
      const moments = momentsOf(hours, at, until);
      for (const [place, moment] of moments.entries()) {
        const next = moments[place + 1]?.at ?? until;
        const why = `the ${moment.isBegin ? 'beginning' : 'end'} of quiet hours`;
        wish(moment.isBegin, moment.at, Math.min(moment.at + RUN_MS, next - 1), why);
      }
    }
    return wishes;
  }

  #openRun(workflowId: string): Run | undefined {
    return this.#runs.findLast((run) => run.start.workflowId === workflowId && run.isOpen);
  }

  // a mute lock unmutes

  #judgeEndOfHold(index: number): void {
    const { world, calls } = this.#played;
    const callId = callIdAt(index);
    const call = calls[index];
    if (call === undefined || call.state !== 'established' || !call.own.serverMuted) return;
    const own = world.graph.log.filter((entry) => entry.callId === callId && entry.participantId === call.own.id);
    const last = own.findLast((entry) => entry.type === 'change' && entry.serverMuted);
    const asked = own.findLast(
      (entry) => entry.type === 'post' && entry.verb === 'mute' && entry.at <= (last?.at ?? 0),
    );
    if (last?.type !== 'change' || last.by === 'other' || asked?.type !== 'post') return;
    const mute = this.#runs.find(({ runId }) => runId === asked.clientContext);
    const isOfHold = mute !== undefined && reasonOf(mute)?.startsWith('hold at') === true;
    const hold = this.#runs.findLast(({ start }) => start.workflowId === muteLockIdOf(callId));
    if (!isOfHold || hold === undefined || hold.isOpen) return;
    const isWanted = this.#wishesOf(index).some(
      ({ isMuted, isSure, to, why }) => isMuted && isSure && !HELD.has(why) && to >= mute.startedAt,
    );
    const unmutes = this.#runs.filter(
      ({ start, startedAt }) =>
        start.type === 'unmute' && callIdOf(start.workflowId) === callId && startedAt >= last.at,
    );
    if (isWanted || unmutes.length >= MAX_UNMUTES) return;
    this.#blame(
      'a mute lock unmutes',
      `${callId} is left muted by its mute lock, which has ended at ${this.#time(hold.closedAt ?? 0)}`,
    );
  }

  // superseded by a newer one

  #judgeSuperseded(): void {
    for (const { step, askedAt, outcome } of this.#played.told) {
      if (step.kind !== 'ask' || outcome !== 'Superseded') continue;
      const isTrue = this.#wishesOf(step.call).some(
        ({ isMuted, to }) => isMuted === (step.action === 'unmute') && to >= askedAt,
      );
      const isRepeated = this.#played.told.some(
        (one) => one.step !== step && one.step.kind === 'ask' && one.step.call === step.call && one.askedAt >= askedAt,
      );
      if (isTrue || isRepeated) continue;
      this.#blame(
        'superseded by a newer one',
        `the ${step.action} of ${callIdAt(step.call)} at ${this.#time(askedAt)} was superseded by nothing newer`,
      );
    }
  }

  // who was there

  #judgeEntries(): void {
    const { told, world } = this.#played;
    for (const { step, askedAt } of told) {
      if (step.kind !== 'entry') continue;
      const callId = callIdAt(step.call);
      const reason = `entry at ${step.at}`;
      const runIds = new Set(
        this.#runs.filter((run) => isOperation(run) && reasonOf(run) === reason).map(({ runId }) => runId),
      );
      const call = world.graph.calls.get(callId);
      for (const post of world.graph.log) {
        if (post.type !== 'post' || post.verb !== 'muteParticipant' || !runIds.has(post.clientContext)) continue;
        const person = call?.people.find(({ id }) => id === post.participantId);
        if (person !== undefined && !person.isInLobby && person.joinedAt < askedAt) {
          this.#blame(
            'who was there',
            `${post.participantId} was in ${callId} since ${this.#time(person.joinedAt)} and was muted on entry at ${this.#time(post.at)}`,
          );
        }
      }
    }
  }

  // silence after the end

  #judgeSilence(): void {
    for (const run of this.#runs) {
      if (!isOperation(run)) continue;
      const reason = reasonOf(run) ?? '';
      const of = this.#originsOf(reason, run);
      if (of.length === 0) continue;
      const isWithin = of.some(
        ({ startedAt, closedAt = Infinity }) => run.startedAt >= startedAt && run.startedAt <= closedAt + SLACK_MS,
      );
      // A successor is a run of the one that it superseded, and was asked for before.
      if (!isWithin && run.start.continuedFrom === undefined) {
        this.#blame(
          'silence after the end',
          `${run.start.workflowId} was ${run.start.type}d at ${this.#time(run.startedAt)} for "${reason}", which had ended`,
        );
      }
    }
  }

  /** What was ordered before may have been started, or may not: it is asked for with a `notAfter`. */
  #judgeReleased(): void {
    for (const { start, releasedAt = Infinity, ordered } of this.#runs) {
      if (start.type !== 'muteOnEntry') continue;
      for (const { at, order } of ordered) {
        const { notAfter } = defaultPayloadConverter.fromPayload<{ notAfter?: string }>(order);
        if (at < releasedAt + SLACK_MS || (notAfter !== undefined && Date.parse(notAfter) < at)) continue;
        const when = `${this.#time(at)}, and was released at ${this.#time(releasedAt)}`;
        this.#blame('silence after the end', `${start.workflowId} has ordered an operation at ${when}`);
      }
    }
  }

  /** The runs for which an operation may have been started. */
  #originsOf(reason: string, { start }: Run): readonly Run[] {
    const callId = callIdOf(start.workflowId) ?? '';
    if (reason.startsWith('hold at')) return this.#runs.filter((run) => run.start.workflowId === muteLockIdOf(callId));
    if (reason.startsWith('entry at'))
      return this.#runs.filter((run) => run.start.workflowId === muteOnEntryIdOf(callId));
    if (!reason.startsWith('Policy ')) return [];
    const prefix = `${scheduleIdOf(reason.slice('Policy '.length))}-`;
    const live = this.#runs.filter((run) => callIdOfLive(run.start.workflowId) === callId);
    return [...this.#runs.filter((run) => run.start.workflowId.startsWith(prefix)), ...live];
  }

  // deadlines and limits

  #judgeDeadlines(): void {
    this.#judgePace();
    for (const run of this.#runs) {
      const { start, closedAt = this.#end, startedAt } = run;
      // No worker takes it, so that nobody can keep its limits.
      if (start.taskQueue === 'nobody') continue;
      if (run.overLimit !== undefined)
        this.#blame(
          'deadlines and limits',
          `${start.workflowId}: ${run.overLimit} (${run.events} events, ${run.signals} signals)`,
        );
      const limit = this.#deadlineOf(run);
      if (limit !== undefined && closedAt > limit) {
        const how = run.isOpen ? 'still runs' : 'has run until';
        this.#blame(
          'deadlines and limits',
          `${start.workflowId} (${start.type}) of ${this.#time(startedAt)} ${how} ${this.#time(closedAt)}, and was to end by ${this.#time(limit)}`,
        );
      }
    }
  }

  /** Nothing that lasts works without a pause. */
  #judgePace(): void {
    const chains = new Map<string, Run[]>();
    for (const run of this.#runs.filter(({ start }) => start.type === 'keepMuted' || start.type === 'muteOnEntry')) {
      chains.set(run.firstRunId, [...(chains.get(run.firstRunId) ?? []), run]);
    }
    for (const runs of chains.values()) {
      const [first] = runs;
      if (first === undefined) continue;
      const events = runs.reduce((sum, run) => sum + run.events - run.signals * SIGNAL_EVENTS, 0);
      const minutes = ((runs.at(-1)?.closedAt ?? this.#end) - first.startedAt) / 60_000;
      if (events > MAX_EVENTS + MAX_EVENTS_A_MINUTE * minutes)
        this.#blame(
          'deadlines and limits',
          `${first.start.workflowId} has worked without a pause: ${events} events in ${minutes} min`,
        );
    }
  }

  #deadlineOf(run: Run): number | undefined {
    const { start, startedAt } = run;
    if (isOperation(run)) return this.#excused(startedAt, OPERATION_MS, callIdOf(start.workflowId));
    if (start.type === 'applyPolicy') {
      const early = this.#played.scenario.serverZones === undefined ? 0 : MAX_EARLY_MS;
      return this.#excused(startedAt, POLICY_RUN_MS + early);
    }
    if (start.type === 'liveCall') {
      const ended = this.#endOfCall(callIdOfLive(start.workflowId) ?? '');
      return ended === undefined ? undefined : this.#excused(Math.max(ended, startedAt), LASTING_MS + TOMBSTONE_MS);
    }
    const input = inputOf(run) as { callId?: string };
    const until = this.#untilOf(run);
    if (until === undefined) return undefined;
    const isDisturbed = this.#isFaulty(until - LASTING_MS, until + UNDISTURBED_MS);
    return isDisturbed ? this.#excused(until, LASTING_MS + OPERATION_MS, input.callId) : until + UNDISTURBED_MS;
  }

  /** When a mute lock or a mute on entry was to end, as its last terms say. */
  #untilOf(run: Run, startedAt = run.startedAt): number | undefined {
    const isHold = run.start.type === 'keepMuted';
    const { told, start } = this.#played;
    let until: number | undefined;
    const workflowIdAt = isHold ? muteLockIdOf : muteOnEntryIdOf;
    for (const { step, acceptedAt, askedAt } of told) {
      if (step.kind !== 'keepMuted' && step.kind !== 'extend' && step.kind !== 'entry') continue;
      if (isHold === (step.kind === 'entry')) continue;
      if (acceptedAt === undefined || askedAt > (run.closedAt ?? Infinity)) continue;
      if (run.start.workflowId !== workflowIdAt(callIdAt(step.call))) continue;
      if (step.kind === 'extend') until = Math.max(acceptedAt, start + step.untilSeconds * 1_000);
      else until = step.seconds === undefined ? undefined : acceptedAt + step.seconds * 1_000;
    }
    return until === undefined ? undefined : Math.max(until, startedAt);
  }

  #endOfCall(callId: string): number | undefined {
    const { scenario, start } = this.#played;
    const step = scenario.steps.find((one) => one.kind === 'end' && callIdAt(one.call) === callId);
    return step && start + step.at;
  }

  /** Time in which something was broken does not count, but for lists (*deadlines and limits*), and for an operation on another call. */
  #excused(from: number, ms: number, callId?: string): number {
    let limit = from + ms;
    for (const fault of this.#faults.toSorted((a, b) => a.from - b.from)) {
      if (fault.kind === 'lists' || (fault.kind === 'strand' && fault.callId !== callId)) continue;
      const [begin, end] = [Math.max(from, fault.from), fault.to + 30_000];
      if (begin < limit && end > from) limit += Math.max(0, end - begin);
    }
    return limit;
  }

  #isFaulty(from: number, to: number, but: readonly string[] = []): boolean {
    return this.#faults.some((fault) => fault.from <= to && fault.to >= from && !but.includes(fault.kind));
  }

  // own deployment

  #judgeDeployments(): void {
    const { scenario, told, world } = this.#played;
    for (const run of this.#runs) {
      const callId = callIdOf(run.start.workflowId);
      if (callId === undefined || !isOperation(run) || run.start.taskQueue === 'nobody') continue;
      const own = world.deploymentOf(callId).taskQueue;
      if (run.start.taskQueue !== own)
        this.#blame(
          'own deployment',
          `${run.start.taskQueue} has run a ${run.start.type} on ${callId}, which is ${own}'s`,
        );
    }
    for (const { step, outcome, endedAt = 0 } of told) {
      if (step.kind !== 'keepMuted' || outcome !== 'released') continue;
      const deployment = scenario.calls[step.call]?.deployment ?? 0;
      const isMeant = told.some(
        (one) =>
          ((one.step.kind === 'release' || one.step.kind === 'letGo') && one.step.call === step.call) ||
          (one.step.kind === 'releaseEverywhere' && one.step.deployment === deployment),
      );
      if (!isMeant)
        this.#blame(
          'own deployment',
          `the mute lock of ${callIdAt(step.call)} was released at ${this.#time(endedAt)} by another deployment`,
        );
    }
  }

  // newcomers are muted

  #judgeNewcomers(): void {
    const { told, calls, world } = this.#played;
    for (const { step, acceptedAt, endedAt = this.#end, outcome } of told) {
      if (
        step.kind !== 'entry' ||
        acceptedAt === undefined ||
        (outcome !== undefined && outcome !== 'expired' && outcome !== 'released')
      )
        continue;
      const call = calls.find(({ id }) => id === callIdAt(step.call));
      for (const person of call?.people ?? []) {
        const { joinedAt, isInLobby, id } = person;
        const isMeant = joinedAt > acceptedAt + WELL_MS && joinedAt < endedAt - WELL_MS && !isInLobby;
        if (!isMeant || this.#isFaulty(acceptedAt - WELL_MS, joinedAt + WELL_MS)) continue;
        const isAsked = world.graph.log.some((entry) => entry.type === 'post' && entry.participantId === id);
        if (!isAsked) this.#blame('newcomers are muted', `${id} came at ${this.#time(joinedAt)} and was not muted`);
      }
    }
  }

  // muted again

  #judgeResistance(): void {
    for (const { start, closeEvent } of this.#runs) {
      const message = closeEvent?.workflowExecutionFailedEventAttributes?.failure?.message ?? '';
      if (start.type !== 'keepMuted' || !message.includes('another operation, so this one was not started')) continue;
      this.#blame('muted again', `${start.workflowId} has ended because another operation was under way`);
    }
    const { told, calls, world, scenario, start } = this.#played;
    for (const { step, acceptedAt, endedAt = this.#end } of told) {
      if (step.kind !== 'keepMuted' || !step.enforce || acceptedAt === undefined) continue;
      const call = calls.find(({ id }) => id === callIdAt(step.call));
      const own = world.graph.log
        .filter((entry) => entry.type === 'change')
        .filter(({ participantId }) => participantId === call?.own.id);
      const asked = scenario.steps.filter(
        (one) => !isFault(one) && 'call' in one && one.call === step.call && !OF_OTHERS.has(one.kind),
      );
      for (const [index, { at, by, serverMuted }] of own.entries()) {
        if (by !== 'other' || serverMuted || at < acceptedAt + RESIST_MS || at + RESIST_MS > endedAt) continue;
        const until = own[index + 1]?.at ?? this.#end;
        const isMeant = asked.some(
          (one) => start + one.at > at - RESIST_MS * 2 && start + one.at < at + RESIST_MS && one !== step,
        );
        const isFaulty = this.#isFaulty(at - WELL_MS, at + RESIST_MS, ['graph for others']);
        const isLeft = until - at > RESIST_MS && !isMeant && !isFaulty;
        const isOtherHold = told.some(
          (other) => other.step !== step && other.step.kind === 'keepMuted' && other.step.call === step.call,
        );
        if (isLeft && !isOtherHold)
          this.#blame(
            'muted again',
            `${call?.id} is held, was unmuted at ${this.#time(at)} and not muted again by ${this.#time(until)}`,
          );
      }
    }
  }

  // own deployment

  #judgePolicies(): void {
    const { told, world } = this.#played;
    for (const { step, acceptedAt } of told) {
      if (step.kind !== 'quiet' || acceptedAt === undefined || this.#isChanged(step.id)) continue;
      const schedule = world.server.schedules.all.get(scheduleIdOf(step.id));
      const own = `deployment-${step.deployment ?? 0}`;
      const queue = schedule?.spec.action?.startWorkflow?.taskQueue?.name;
      if (schedule === undefined)
        this.#blame('own deployment', `policy ${step.id} of ${own} was deleted by another deployment`);
      else if (queue !== own) this.#blame('own deployment', `policy ${step.id} of ${own} was moved to ${queue}`);
      else if (schedule.isPaused)
        this.#blame('own deployment', `policy ${step.id} of ${own} was paused by another deployment`);
      else if (schedule.spec.state?.notes)
        this.#blame('own deployment', `policy ${step.id} of ${own} was changed by another deployment`);
      const isMeddled = told.some((one) => one.step.kind === 'meddle' && one.step.id === step.id);
      for (const { scheduledAt, run } of isMeddled ? (schedule?.actions ?? []) : []) {
        const isDue = momentsOf(step, acceptedAt, this.#end).some(({ at }) => Math.abs(at - scheduledAt) < 1_000);
        if (!isDue)
          this.#blame(
            'own deployment',
            `policy ${step.id} of ${own} has run at ${this.#time(run.startedAt)}, when it was not due`,
          );
      }
    }
  }

  // result of others

  #judgeOthers(): void {
    const { told, calls, world } = this.#played;
    for (const { step, askedAt, endedAt = this.#end, outcome } of told) {
      if (step.kind !== 'others' || outcome !== 'Confirmed') continue;
      const call = calls.find(({ id }) => id === callIdAt(step.call));
      const there =
        call?.people.filter((person) => person !== call.own && !person.isInLobby && person.joinedAt < askedAt) ?? [];
      const isAnyMuted = world.graph.log.some(
        (entry) =>
          entry.type === 'change' &&
          entry.isMuted &&
          entry.at <= endedAt &&
          there.some(({ id }) => id === entry.participantId),
      );
      if (there.length > 0 && !isAnyMuted)
        this.#blame('result of others', `others in ${callIdAt(step.call)} are told to be muted, and nobody is`);
    }
  }

  // result of a release

  #judgeReleases(): void {
    const { told, calls } = this.#played;
    for (const { step, unexpected, outcome, askedAt, endedAt, calls: released = [] } of told) {
      if (step.kind !== 'release' && step.kind !== 'releaseEverywhere') continue;
      const end = endedAt ?? this.#end;
      const isDuring = (kind: string): boolean =>
        this.#faults.some((fault) => fault.kind === kind && fault.from <= end && fault.to >= askedAt - 60_000);
      // Calls are found by lists.
      const isExcused = isDuring('down') || (isDuring('lists') && step.kind === 'releaseEverywhere');
      if (unexpected !== undefined && !isExcused) this.#blame('result of a release', `a release threw ${unexpected}`);
      if (outcome === undefined && this.#excused(askedAt, LASTING_MS) < this.#end)
        this.#blame('result of a release', 'a release never ended');
      const isCalm = !this.#isFaulty(askedAt - 60_000, end, step.kind === 'release' ? ['lists'] : []);
      if (isCalm && end - askedAt > UNDISTURBED_MS)
        this.#blame('result of a release', `a release took ${end - askedAt} ms, and nothing was wrong`);
      for (const { callId, outcome: of } of released) {
        if (of === 'failed' && isCalm)
          this.#blame('result of a release', `${callId} could not be released, and nothing was wrong`);
        const call = calls.find(({ id }) => id === callId);
        if (of === 'callEnded' && call?.state === 'established')
          this.#blame('result of a release', `a release says that ${callId} has ended, and it has not`);
      }
    }
  }
}

/** What goes wrong with mutes of others alone. */
function isOfOthers(step: Step): boolean {
  return step.kind === 'graph' && step.on.every((verb) => verb === 'muteParticipant');
}

function wishOfAsk(told: Told, action: 'mute' | 'unmute', onConflict: string): Wish[] {
  const { askedAt, acceptedAt, endedAt, outcome, restored } = told;
  const isMuted = action === 'mute';
  const why = `${action} (${outcome ?? 'pending'})`;
  const to = acceptedAt ?? endedAt ?? askedAt;
  switch (outcome) {
    case 'Confirmed':
      return [{ isMuted, from: askedAt, to: onConflict === 'queue' ? (endedAt ?? to) : to, isSure: true, why }];
    case 'Superseded':
    case 'OperationInProgress':
    case 'InvalidRequest':
    case 'CallEnded':
      return [];
    default:
      return restored === true ? [] : [{ isMuted, from: askedAt, to: endedAt ?? to, isSure: false, why }];
  }
}

function policyIn({ action }: ISchedule): Policy {
  const [payload] = action?.startWorkflow?.input?.payloads ?? [];
  if (!payload) throw new Error('a schedule without a policy');
  return defaultPayloadConverter.fromPayload(payload);
}

function hoursOf({ when: { quietHours, timeZone = 'UTC' } }: Policy): Hours {
  if (quietHours === undefined) throw new Error('a policy without quiet hours');
  return { ...quietHours, zone: timeZone };
}

type Hours = Pick<Extract<Step, { kind: 'quiet' }>, 'from' | 'to' | 'zone'>;

/** Of a time that the clock skips, which luxon moves behind the gap by as much: the moment at which the clock jumps. */
function endOfGap(moved: DateTime): DateTime {
  let end = moved;
  while (end.minus({ minutes: 1 }).offset === moved.offset) end = end.minus({ minutes: 1 });
  return end.startOf('minute');
}

/** When quiet hours begin and end. Where the day has no such time, it is the first moment after it. */
export function momentsOf(step: Hours, after: number, before: number): { at: number; isBegin: boolean }[] {
  const { zone } = step;
  const moments: { at: number; isBegin: boolean }[] = [];
  const first = DateTime.fromMillis(after, { zone }).startOf('day').minus({ days: 1 });
  for (let index = 0; ; index += 1) {
    const day = first.plus({ days: index });
    if (day.toMillis() > before) break;
    for (const [time, isBegin] of [
      [step.from, true],
      [step.to, false],
    ] as const) {
      const [hour = 0, minute = 0, second = 0] = time.split(':').map(Number);
      const local = DateTime.fromObject(
        { year: day.year, month: day.month, day: day.day, hour, minute, second },
        { zone },
      );
      const at = (local.hour === hour && local.minute === minute ? local : endOfGap(local)).toMillis();
      if (at > after && at < before) moments.push({ at, isBegin });
    }
  }
  return moments.toSorted((a, b) => a.at - b.at);
}

function isOperation({ start }: Run): boolean {
  return start.type === 'mute' || start.type === 'unmute';
}

function inputOf({ start }: Run): unknown {
  const [payload] = start.input;
  return payload === undefined ? {} : defaultPayloadConverter.fromPayload(payload);
}

function reasonOf(run: Run): string | undefined {
  return (inputOf(run) as { reason?: string } | null)?.reason;
}

function resultOf({ closeEvent, status }: Run): unknown {
  const payload = closeEvent?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0];
  return status === STATUS.completed && payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
}
