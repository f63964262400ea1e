import { z } from 'zod';
import { Call, CALL_STATES, type CallTerms } from './call.ts';
import { FaultScript, faults } from './faults.ts';
import { changedForm, DEFAULT_FORM, formChange, type Form } from './form.ts';
import { newId } from './ids.ts';
import type { CallLog } from './log.ts';
import { newParticipant, participantInfo, type Participant } from './participant.ts';

/**
 * Two ways to a call: the short one of the simulator (a size and a kind), and Graph's own, a `call` in the body of
 * `POST /communications/calls`. https://learn.microsoft.com/graph/api/application-post-calls
 */
export const newCall = z.strictObject({
  /** An ID of your own; a new GUID where absent. */
  id: z
    .string()
    .regex(/^[\w-]{1,128}$/)
    .optional(),
  callbackUri: z.url({ protocol: /^https?$/ }),
  kind: z.enum(['group', 'p2p']).default('group'),
  /** False: a group call by its several targets, without meeting coordinates. */
  meeting: z.boolean().default(true),
  /** How many are in it, the app included; 3 where absent, in a peer-to-peer call always 2. */
  participants: z.int().min(1).max(10_000).optional(),
  /** How many of the people wait in the lobby: the last ones. */
  lobby: z.int().min(0).default(0),
  /** Where the app stands in the roster: after the first 100 it is in no list. */
  appJoins: z.enum(['first', 'last']).default('first'),
  self: z
    .strictObject({ clientMuted: z.boolean().default(false), serverMuted: z.boolean().default(false) })
    .prefault({}),
  state: z.enum(CALL_STATES).default('established'),
  tenantId: z.string().min(1).optional(),
  form: formChange.default({}),
  faults: faults.optional(),
});
/** A call to create: only `callbackUri` is required. */
export type NewCall = z.input<typeof newCall>;

export interface App {
  appId: string;
  tenantId: string;
}

function appParticipant({ appId }: App, seed: Partial<Participant> = {}): Participant {
  return newParticipant({ name: 'Calling Bot', isApplication: true, identityId: appId, ...seed });
}

export function people(count: number, from = 1, isInLobby = false): Participant[] {
  return Array.from({ length: count }, (_, index) => newParticipant({ name: `Person ${from + index}`, isInLobby }));
}

function terms(given: Partial<CallTerms>): CallTerms {
  return {
    targets: [],
    chatInfo: null,
    meetingInfo: null,
    requestedModalities: ['audio'],
    mediaConfig: { '@odata.type': '#microsoft.graph.serviceHostedMediaConfig' },
    callOptions: null,
    subject: null,
    ...given,
  };
}

function target(participant: Participant): object {
  const { identity } = participantInfo(participant);
  return {
    '@odata.type': '#microsoft.graph.invitationParticipantInfo',
    identity,
    endpointType: null,
    replacesCallId: null,
  };
}

function meetingOf(organizer: Participant | undefined): Pick<CallTerms, 'chatInfo' | 'meetingInfo'> {
  return {
    chatInfo: {
      '@odata.type': '#microsoft.graph.chatInfo',
      threadId: `19:meeting_${newId().replaceAll('-', '')}@thread.v2`,
      messageId: '0',
      replyChainMessageId: null,
    },
    meetingInfo: {
      '@odata.type': '#microsoft.graph.organizerMeetingInfo',
      organizer: organizer ? participantInfo(organizer).identity : { '@odata.type': '#microsoft.graph.identitySet' },
      allowConversationWithoutHost: true,
    },
  };
}

/** A call from the simulator's own API. */
export function callOf(id: string, given: z.output<typeof newCall>, app: App, log: CallLog): Call {
  const self = appParticipant(app, given.self);
  const isMeeting = given.kind === 'group' && given.meeting;
  const others = people(given.kind === 'p2p' ? 1 : (given.participants ?? 3) - 1);
  for (const person of others.slice(Math.max(0, others.length - given.lobby))) person.isInLobby = true;
  const call = new Call(
    {
      id,
      callbackUri: given.callbackUri,
      tenantId: given.tenantId ?? app.tenantId,
      terms: terms(isMeeting ? meetingOf(others[0]) : { targets: others.map(target) }),
      state: given.state,
      self,
      participants: given.appJoins === 'first' ? [self, ...others] : [...others, self],
    },
    log,
  );
  call.form = changedForm(DEFAULT_FORM, given.form);
  if (given.faults) call.faults = new FaultScript(given.faults);
  return call;
}

const typed = z.looseObject({});

/** The part of Graph's `call` that is read; a `call` is an open type, so the rest is taken and left alone. */
export const graphCall = z.looseObject({
  callbackUri: z.url({ protocol: /^https?$/ }),
  targets: z.array(z.looseObject({ identity: typed })).nullish(),
  chatInfo: typed.nullish(),
  meetingInfo: typed.nullish(),
  requestedModalities: z.array(z.enum(['audio', 'video', 'videoBasedScreenSharing', 'data'])).nullish(),
  mediaConfig: z.looseObject({
    '@odata.type': z.string().regex(/^#?microsoft\.graph\.(serviceHosted|appHosted)MediaConfig$/),
  }),
  callOptions: z.looseObject({ isDeltaRosterEnabled: z.boolean().nullish() }).nullish(),
  subject: z.string().nullish(),
  tenantId: z.string().nullish(),
});
export type GraphCall = z.output<typeof graphCall>;

const named = z.looseObject({ id: z.string(), displayName: z.string().catch('') });
const identity = z.looseObject({ user: named.optional(), phone: named.optional() });

/** A call from a request to Graph: establishing, and with nobody else in it who was not asked for, unless a meeting. */
export function callFromGraph(id: string, given: GraphCall, app: App, log: CallLog): Call {
  const targets = given.targets ?? [];
  const isMeeting = Boolean(given.chatInfo ?? given.meetingInfo);
  const self = appParticipant(app);
  const invited = targets.map((asked, index) => {
    const who = identity.safeParse(asked.identity).data;
    const invitee = who?.user ?? who?.phone ?? { displayName: '', id: newId() };
    return newParticipant({ name: invitee.displayName || `Person ${index + 1}`, identityId: invitee.id });
  });
  const call = new Call(
    {
      id,
      callbackUri: given.callbackUri,
      tenantId: given.tenantId ?? app.tenantId,
      terms: terms({
        targets: targets.map((asked) => ({ endpointType: null, replacesCallId: null, ...asked })),
        chatInfo: given.chatInfo ?? null,
        meetingInfo: given.meetingInfo ?? null,
        ...(given.requestedModalities && { requestedModalities: given.requestedModalities }),
        mediaConfig: given.mediaConfig,
        callOptions: given.callOptions ?? null,
        subject: given.subject ?? null,
      }),
      state: 'establishing',
      self,
      participants: [self, ...(isMeeting ? people(2) : invited)],
    },
    log,
  );
  const roster: Form['roster'] = given.callOptions?.isDeltaRosterEnabled ? 'delta' : 'full';
  call.form = { ...DEFAULT_FORM, roster };
  return call;
}
