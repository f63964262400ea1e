import type { z } from 'zod';
import type { Call, CallState, Roster } from './call.ts';
import { FaultScript, faults, type Faults } from './faults.ts';
import { changedForm, formChange, type FormChange } from './form.ts';
import { newId, plainId } from './ids.ts';
import type { Lifetime } from './lifetime.ts';
import { CallLog, type LogEntry } from './log.ts';
import { callFromGraph, callOf, people, type App, type GraphCall, type newCall } from './new-call.ts';
import { callNotification, operationNotification, rosterNotification, type Notification } from './notification.ts';
import { NOTHING, type Notifier, type Posting } from './notifier.ts';
import type { TokenOverrides } from './notification-keys.ts';
import type { ModerationAction, Operation, ResultInfo } from './operation.ts';
import { isMuted, type Participant, type ParticipantChange } from './participant.ts';
import { callNotFound, check, Problem } from './problem.ts';

/**
 * All calls, and everything that can happen to them, whether an app asks Graph for it or other people do it. Each
 * happening changes the truth at once and gives back the notification that tells of it, written but not yet sent: who
 * asked decides whether that goes before or after an answer.
 */

/** From `establishing` to `established` for a call that an app creates. */
const ESTABLISHED_AFTER_MS = 20;

export class World {
  readonly #calls = new Map<string, Call>();
  readonly #notifier: Notifier;
  readonly #lifetime: Lifetime;
  readonly #app: App;
  readonly #onEvent: (callId: string, entry: LogEntry) => void;

  constructor(app: App, notifier: Notifier, lifetime: Lifetime, onEvent: (callId: string, entry: LogEntry) => void) {
    this.#app = app;
    this.#notifier = notifier;
    this.#lifetime = lifetime;
    this.#onEvent = onEvent;
  }

  get calls(): readonly Call[] {
    return [...this.#calls.values()];
  }

  find(callId: string): Call | undefined {
    return this.#calls.get(plainId(callId));
  }

  /** Any call that ever was: what has ended stays to be looked at, but not for Graph. */
  get(callId: string): Call {
    const call = this.find(callId);
    if (call === undefined) throw callNotFound();
    return call;
  }

  create(given: z.output<typeof newCall>): Call {
    const id = plainId(given.id ?? newId());
    if (this.#calls.has(id)) throw new Problem(409, 'Conflict', `There is a call ${id} already; choose another id.`);
    return this.#keep(id, (log) => callOf(id, given, this.#app, log));
  }

  /** Creates what Graph was asked for; what is given back establishes it. */
  createFromGraph(given: GraphCall): { call: Call; establish: Posting } {
    const id = newId();
    const call = this.#keep(id, (log) => callFromGraph(id, given, this.#app, log));
    return { call, establish: { early: false, send: () => this.#lifetime.run(() => this.#establish(call)) } };
  }

  setFaults(call: Call, given: Faults): void {
    call.faults = new FaultScript(check(faults, given, 'faults'));
  }

  async clearFaults(call: Call): Promise<void> {
    call.faults = new FaultScript();
    await this.#lifetime.run(() => this.#notifier.release(call));
  }

  setForm(call: Call, given: FormChange): void {
    call.form = changedForm(call.form, check(formChange, given, 'form'));
  }

  setState(call: Call, state: CallState): Posting {
    call.become(state);
    return this.#notifier.post(call, callNotification(call));
  }

  end(call: Call, reason: ResultInfo): Posting {
    if (call.gone) return NOTHING;
    call.resultInfo = reason;
    call.gone = true;
    return this.setState(call, 'terminated');
  }

  add(call: Call, count: number, isInLobby: boolean): Posting {
    const before = call.roster;
    const added = people(count, call.size, isInLobby);
    call.admit(added);
    return this.tellRoster(call, before, { changed: new Set(added.map(({ id }) => id)) });
  }

  remove(call: Call, participant: Participant, reason?: string): Posting {
    const before = call.roster;
    call.dismiss(participant);
    return this.tellRoster(call, before, {
      changed: new Set(),
      removed: participant,
      ...(reason !== undefined && { reason }),
    });
  }

  change(call: Call, participant: Participant, change: ParticipantChange, operationId?: string): Posting {
    const before = call.roster;
    const isDifferent = call.change(participant, change, operationId);
    if (!isDifferent && call.form.unchanged === 'silent') return NOTHING;
    return this.tellRoster(call, before, { changed: new Set([participant.id]) });
  }

  /**
   * What a mute or unmute does, once it does it. One that comes too late, for the call or the participant, does
   * nothing.
   */
  moderate(call: Call, participant: Participant, operation: Operation): Posting {
    if (call.gone || !call.all().includes(participant)) return NOTHING;
    const posting = this.change(call, participant, { serverMuted: operation.action === 'mute' }, operation.id);
    const fault = operation.action === 'mute' ? call.faults.forUnmute(participant === call.self) : undefined;
    return fault === undefined ? posting : this.#takenBack(call, participant, posting, fault.afterMs);
  }

  /** The mute is told first, and what takes it back happens after a while. */
  #takenBack(call: Call, participant: Participant, posting: Posting, afterMs: number): Posting {
    const send = async (): Promise<void> => {
      void this.#lifetime.run(async () => {
        if (!(await this.#lifetime.pause(afterMs)) || !call.all().includes(participant)) return;
        await this.change(call, participant, { serverMuted: false, clientMuted: false }).send();
      });
      await posting.send();
    };
    return { early: posting.early, send };
  }

  startOperation(call: Call, action: ModerationAction, clientContext: string | null): Operation {
    const operation: Operation = { id: newId(), action, clientContext, status: 'completed' };
    call.operations.set(operation.id, operation);
    return operation;
  }

  endOperation(call: Call, operation: Operation, end: Pick<Operation, 'status' | 'resultInfo'>): Posting {
    Object.assign(operation, end);
    return call.gone ? NOTHING : this.#notifier.post(call, operationNotification(call, operation));
  }

  /** The roster as it is; nothing where a delta roster would name nobody. */
  wholeRoster(call: Call): Notification | undefined {
    return rosterNotification(call, { roster: call.roster, changed: new Set(call.all().map(({ id }) => id)) });
  }

  /** A notification although nothing happened, in good or bad form. */
  tell(call: Call, notification: Notification, token?: TokenOverrides): Posting {
    return this.#notifier.post(call, notification, token && { token });
  }

  /** Peer-to-peer calls have no roster notifications: what is expected of them is changes of the call's state only. */
  tellRoster(
    call: Call,
    before: Roster,
    { changed, removed, reason }: { changed: ReadonlySet<string>; removed?: Participant; reason?: string },
  ): Posting {
    if (!call.isGroup || call.gone) return NOTHING;
    const departure = { ...(removed && { removed }), ...(reason !== undefined && { reason }) };
    const now = rosterNotification(call, { roster: call.roster, changed, ...departure });
    if (now === undefined) return NOTHING;
    return this.#notifier.post(call, now, {
      others: {
        stale: () => rosterNotification(call, { roster: before, changed }),
        wrong: () => rosterNotification(call, { roster: upsideDown(call, before), changed: new Set([call.self.id]) }),
      },
    });
  }

  #keep(id: string, create: (log: CallLog) => Call): Call {
    const log = new CallLog(this.#lifetime, (entry) => {
      this.#onEvent(id, entry);
    });
    const call = create(log);
    this.#calls.set(call.id, call);
    return call;
  }

  async #establish(call: Call): Promise<void> {
    await this.setState(call, 'establishing').send();
    if (!(await this.#lifetime.pause(ESTABLISHED_AFTER_MS)) || call.gone) return;
    await this.setState(call, 'established').send();
    const everyone = new Set(call.all().map(({ id }) => id));
    await this.tellRoster(call, call.roster, { changed: everyone }).send();
  }
}

/** The roster before, but with the contrary of what is now true of the app's own mute. */
function upsideDown(call: Call, before: Roster): Roster {
  const serverMuted = !isMuted(call.self);
  return {
    sequence: before.sequence,
    participants: before.participants.map((participant) =>
      participant.id === call.self.id ? { ...participant, clientMuted: false, serverMuted } : participant,
    ),
  };
}
