import { FaultScript } from './faults.ts';
import { DEFAULT_FORM, type Form } from './form.ts';
import { newId, plainId } from './ids.ts';
import type { CallLog } from './log.ts';
import { resultInfoEntity, type Operation, type ResultInfo, type ResultInfoEntity } from './operation.ts';
import {
  isMuted,
  participantInfo,
  type Participant,
  type ParticipantChange,
  type ParticipantInfoEntity,
} from './participant.ts';

/**
 * A call is establishing, then established, perhaps on hold or being transferred, then terminating, then terminated.
 * Nothing leads back from terminated, and a call that has ended is *gone*: every request about it answers 404. (A test
 * may set any state by hand, `terminated` too, without the call being gone.)
 *
 * Whether it is a group call stands in no field. It is one when it was created with meeting coordinates or with several
 * targets, or once three or more are in it. https://learn.microsoft.com/graph/cloud-communications-calls
 *
 * Its roster counts its changes: `sequence` is the number of the newest, and every participant keeps that of its own.
 */
export const CALL_STATES = [
  'incoming',
  'establishing',
  'established',
  'hold',
  'transferring',
  'transferAccepted',
  'redirecting',
  'terminating',
  'terminated',
] as const;
/** As Graph's `callState`. */
export type CallState = (typeof CALL_STATES)[number];

/** Rosters and lists end here, without a word about the rest. */
export const ROSTER_CAP = 100;

/** What a call was created with, as it stands in every answer about it. */
export interface CallTerms {
  targets: object[];
  chatInfo: object | null;
  meetingInfo: object | null;
  requestedModalities: string[];
  mediaConfig: object;
  callOptions: object | null;
  subject: string | null;
}

/** https://learn.microsoft.com/graph/api/resources/call */
export interface CallEntity extends CallTerms {
  '@odata.type': '#microsoft.graph.call';
  '@odata.context': string;
  id: string;
  state: CallState;
  direction: 'outgoing';
  callbackUri: string;
  callChainId: string;
  source: ParticipantInfoEntity;
  tenantId: string;
  myParticipantId: string;
  resultInfo: ResultInfoEntity | null;
  mediaState: null;
  ringingTimeoutInSeconds: null;
  answeredBy: null;
  toneInfo: null;
  transcription: null;
}

/** The roster at one moment, so that what is sent later still tells what was true then. */
export interface Roster {
  readonly participants: readonly Readonly<Participant>[];
  readonly sequence: number;
}

export interface CallSeed {
  /** Canonical already. */
  id: string;
  callbackUri: string;
  tenantId: string;
  terms: CallTerms;
  state: CallState;
  self: Participant;
  /** All of them in their order, the app's own among them. */
  participants: readonly Participant[];
}

export class Call {
  readonly id: string;
  readonly callbackUri: string;
  readonly tenantId: string;
  readonly callChainId = newId();
  readonly scenarioId = newId();
  readonly terms: CallTerms;
  readonly self: Participant;
  readonly operations = new Map<string, Operation>();
  readonly log: CallLog;
  form: Form = DEFAULT_FORM;
  faults = new FaultScript();
  state: CallState;
  gone = false;
  resultInfo: ResultInfo | null = null;
  readonly #participants: Map<string, Participant>;
  #sequence = 1;

  constructor(seed: CallSeed, log: CallLog) {
    this.id = seed.id;
    this.callbackUri = seed.callbackUri;
    this.tenantId = seed.tenantId;
    this.terms = seed.terms;
    this.state = seed.state;
    this.self = seed.self;
    this.log = log;
    this.#participants = new Map(seed.participants.map((participant) => [participant.id, participant]));
    for (const participant of seed.participants) participant.sequence = this.#sequence;
  }

  get isGroup(): boolean {
    const { chatInfo, meetingInfo, targets } = this.terms;
    return chatInfo !== null || meetingInfo !== null || targets.length > 1 || this.#participants.size >= 3;
  }

  /** As the roster shows it: without the app's own participant while that is hidden. */
  get roster(): Roster {
    const shown = [...this.#participants.values()].filter(({ id }) => id !== this.self.id || !this.faults.hideSelf);
    return { participants: shown.map((participant) => ({ ...participant })), sequence: this.#sequence };
  }

  get size(): number {
    return this.#participants.size;
  }

  participant(id: string): Participant | undefined {
    const plain = plainId(id);
    return plain === this.self.id && this.faults.hideSelf ? undefined : this.#participants.get(plain);
  }

  /** Everyone in it, hidden or not: the truth. */
  all(): readonly Participant[] {
    return [...this.#participants.values()];
  }

  admit(participants: readonly Participant[]): void {
    this.#sequence += 1;
    for (const participant of participants) {
      participant.sequence = this.#sequence;
      this.#participants.set(participant.id, participant);
    }
  }

  dismiss(participant: Participant): void {
    this.#sequence += 1;
    participant.sequence = this.#sequence;
    this.#participants.delete(participant.id);
  }

  /** Tells whether anything is different now. A change to the same counts as none, but it takes a number too. */
  change(participant: Participant, change: ParticipantChange, operationId?: string): boolean {
    const before = { ...participant };
    this.#sequence += 1;
    participant.clientMuted = change.clientMuted ?? participant.clientMuted;
    participant.serverMuted = change.serverMuted ?? participant.serverMuted;
    participant.isInLobby = change.isInLobby ?? participant.isInLobby;
    participant.sequence = this.#sequence;
    this.log.add({
      type: 'change',
      participantId: participant.id,
      isMuted: isMuted(participant),
      serverMuted: participant.serverMuted,
      ...(operationId !== undefined && { operationId }),
    });
    return (
      before.clientMuted !== participant.clientMuted ||
      before.serverMuted !== participant.serverMuted ||
      before.isInLobby !== participant.isInLobby
    );
  }

  become(state: CallState): void {
    this.state = state;
    this.log.add({ type: 'change', state });
  }

  entity(contextRoot: string): CallEntity {
    return {
      '@odata.type': '#microsoft.graph.call',
      '@odata.context': `${contextRoot}#communications/calls/$entity`,
      id: this.id,
      state: this.state,
      direction: 'outgoing',
      callbackUri: this.callbackUri,
      callChainId: this.callChainId,
      source: participantInfo(this.self),
      ...this.terms,
      tenantId: this.tenantId,
      myParticipantId: this.self.id,
      resultInfo: this.resultInfo && resultInfoEntity(this.resultInfo),
      mediaState: null,
      ringingTimeoutInSeconds: null,
      answeredBy: null,
      toneInfo: null,
      transcription: null,
    };
  }
}
