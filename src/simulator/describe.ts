import type { z } from 'zod';
import type { Call, CallState } from './call.ts';
import type { faults } from './faults.ts';
import type { Form } from './form.ts';
import type { Operation } from './operation.ts';
import { isMuted, type Participant } from './participant.ts';

/** A call as it is, whatever faults and forms make Graph return. */
export interface CallTruth {
  id: string;
  state: CallState;
  /** Ended: Graph does not find it any more. */
  gone: boolean;
  kind: 'group' | 'p2p';
  tenantId: string;
  callbackUri: string;
  myParticipantId: string;
  self: ParticipantTruth;
  participants: ParticipantTruth[];
  /** Number of the newest change of the roster. */
  sequence: number;
  operations: Operation[];
  form: Form;
  /** What is left of the faults. */
  faults: z.output<typeof faults>;
}

/** A participant as they are. */
export interface ParticipantTruth {
  id: string;
  name: string;
  isMuted: boolean;
  clientMuted: boolean;
  serverMuted: boolean;
  isInLobby: boolean;
}

export function truthOf(participant: Participant): ParticipantTruth {
  const { id, name, clientMuted, serverMuted, isInLobby } = participant;
  return { id, name, isMuted: isMuted(participant), clientMuted, serverMuted, isInLobby };
}

export function describe(call: Call): CallTruth {
  return {
    id: call.id,
    state: call.state,
    gone: call.gone,
    kind: call.isGroup ? 'group' : 'p2p',
    tenantId: call.tenantId,
    callbackUri: call.callbackUri,
    myParticipantId: call.self.id,
    self: truthOf(call.self),
    participants: call.all().map(truthOf),
    sequence: call.roster.sequence,
    operations: [...call.operations.values()].map((operation) => ({ ...operation })),
    form: call.form,
    faults: structuredClone(call.faults.rules),
  };
}
