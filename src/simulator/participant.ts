import { z } from 'zod';
import { newId, spellId, type IdSpelling } from './ids.ts';

/**
 * A participant has two mutes. The client's is the person's own switch; the server's is what `call: mute` and
 * `participant: mute` set, and `call: unmute` takes away. `isMuted` is true for either, so an unmute that was done does
 * not show while the client is muted too. Only `serverMuted` of the audio stream tells the two apart.
 */
export interface Participant {
  readonly id: string;
  readonly name: string;
  readonly isApplication: boolean;
  /** ID of the application or the user, which is not the participant's. */
  readonly identityId: string;
  clientMuted: boolean;
  serverMuted: boolean;
  isInLobby: boolean;
  /** Sequence number of the roster in which it last changed. */
  sequence: number;
}

export const participantChange = z.strictObject({
  clientMuted: z.boolean().optional(),
  serverMuted: z.boolean().optional(),
  isInLobby: z.boolean().optional(),
});
/** A change of a participant. */
export type ParticipantChange = z.input<typeof participantChange>;

/** What Graph names the type of an object by. */
export interface Typed<T extends string> {
  '@odata.type': `#microsoft.graph.${T}`;
}

/** https://learn.microsoft.com/graph/api/resources/identity */
export interface IdentityEntity extends Typed<'identity'> {
  displayName: string;
  id: string;
}

/** https://learn.microsoft.com/graph/api/resources/participantinfo */
export interface ParticipantInfoEntity extends Typed<'participantInfo'> {
  identity: Typed<'identitySet'> & { application?: IdentityEntity; user?: IdentityEntity };
  region: string | null;
  languageId: string | null;
  countryCode: string | null;
  endpointType: null;
}

/** https://learn.microsoft.com/graph/api/resources/mediastream */
export interface MediaStreamEntity extends Typed<'mediaStream'> {
  mediaType: 'audio' | 'video';
  label: string | null;
  sourceId: string;
  direction: 'sendReceive' | 'receiveOnly';
  serverMuted?: boolean;
}

/** https://learn.microsoft.com/graph/api/resources/participant */
export interface ParticipantEntity extends Typed<'participant'> {
  id: string;
  info: ParticipantInfoEntity;
  mediaStreams: MediaStreamEntity[];
  isMuted: boolean;
  isInLobby: boolean;
  metadata: null;
  recordingInfo: null;
  rosterSequenceNumber?: number;
  removedState?: Typed<'removedState'> & { reason: string };
}

export function newParticipant(seed: Partial<Participant> & Pick<Participant, 'name'>): Participant {
  return {
    id: newId(),
    isApplication: false,
    identityId: newId(),
    clientMuted: false,
    serverMuted: false,
    isInLobby: false,
    sequence: 0,
    ...seed,
  };
}

export function isMuted(participant: Participant): boolean {
  return participant.clientMuted || participant.serverMuted;
}

export function participantInfo({ name, identityId, isApplication }: Participant): ParticipantInfoEntity {
  const identity: IdentityEntity = { '@odata.type': '#microsoft.graph.identity', displayName: name, id: identityId };
  return {
    '@odata.type': '#microsoft.graph.participantInfo',
    identity: {
      '@odata.type': '#microsoft.graph.identitySet',
      ...(isApplication ? { application: identity } : { user: identity }),
    },
    region: isApplication ? null : 'westus',
    languageId: isApplication ? null : 'en-US',
    countryCode: null,
    endpointType: null,
  };
}

export interface ParticipantView {
  serverMuted: boolean;
  ids: IdSpelling;
  /** Delta rosters carry the sequence number; the default ones do not. */
  sequence: boolean;
  removed?: string;
}

export function participantEntity(participant: Participant, view: ParticipantView): ParticipantEntity {
  const stream = (
    mediaType: MediaStreamEntity['mediaType'],
    sourceId: string,
    serverMuted: boolean,
  ): MediaStreamEntity => ({
    '@odata.type': '#microsoft.graph.mediaStream',
    mediaType,
    label: mediaType === 'audio' ? 'main-audio' : null,
    sourceId,
    direction: mediaType === 'audio' ? 'sendReceive' : 'receiveOnly',
    ...(view.serverMuted && { serverMuted }),
  });
  return {
    '@odata.type': '#microsoft.graph.participant',
    info: participantInfo(participant),
    mediaStreams: [
      // People come with a video stream, whose `serverMuted` says nothing of the audio: readers must pick the right
      // one.
      ...(participant.isApplication ? [] : [stream('video', '2', false)]),
      stream('audio', '1', participant.serverMuted),
    ],
    isMuted: isMuted(participant),
    isInLobby: participant.isInLobby,
    id: spellId(participant.id, view.ids),
    metadata: null,
    recordingInfo: null,
    ...(view.sequence && { rosterSequenceNumber: participant.sequence }),
    ...(view.removed !== undefined && {
      removedState: { '@odata.type': '#microsoft.graph.removedState', reason: view.removed },
    }),
  };
}
