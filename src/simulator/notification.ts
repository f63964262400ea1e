import { ROSTER_CAP, type Call, type Roster } from './call.ts';
import { spell } from './form.ts';
import { spellId } from './ids.ts';
import type { NotificationEntry } from './log.ts';
import { operationEntity, resultInfoEntity, type Operation } from './operation.ts';
import { isMuted, participantEntity, type Participant } from './participant.ts';

/**
 * What is told to the bot, written when it happens and not when it is sent: a notification that is delayed or repeated
 * tells what was true then. https://learn.microsoft.com/graph/api/resources/commsnotification
 */
export interface Notification {
  /** One `commsNotification`, already in the call's form. */
  readonly body: unknown;
  /** What the log tells of it. */
  readonly about: Pick<NotificationEntry, 'kind' | 'state' | 'own' | 'participants' | 'sequenceNumber' | 'operation'>;
}

type ChangeType = 'created' | 'updated' | 'deleted';

function write(call: Call, changeType: ChangeType, within: string, resourceData: unknown): unknown {
  const { paths, urlIds } = call.form;
  const path = `calls/${spellId(call.id, urlIds)}${within}`;
  return spell(
    {
      ...(call.form.odataType !== 'legacy' && { '@odata.type': '#microsoft.graph.commsNotification' }),
      changeType,
      ...(paths !== 'resourceUrl' && { resource: `/app/${path}` }),
      ...(paths !== 'resource' && { resourceUrl: `/communications/${path}` }),
      ...(paths === 'both' && { callbackUri: call.callbackUri }),
      resourceData,
    },
    call.form,
  );
}

/** A state of the call. Its end is told as `deleted`; everything before, `terminating` too, as `updated`. */
export function callNotification(call: Call): Notification {
  const { chatInfo, meetingInfo } = call.terms;
  const body = write(call, call.state === 'terminated' ? 'deleted' : 'updated', '', {
    '@odata.type': '#microsoft.graph.call',
    state: call.state,
    ...(call.resultInfo && { resultInfo: resultInfoEntity(call.resultInfo) }),
    ...(chatInfo && { chatInfo }),
    ...(meetingInfo && { meetingInfo }),
    id: spellId(call.id, call.form.entityIds),
  });
  return { body, about: { kind: 'call', state: call.state } };
}

export interface RosterNews {
  roster: Roster;
  /** Who changed; a delta roster lists only them. */
  changed: ReadonlySet<string>;
  /** Who left, and why: only a delta roster can tell. */
  removed?: Participant;
  reason?: string;
}

/** `undefined` where there is nothing to tell: a delta roster of nobody. */
export function rosterNotification(call: Call, news: RosterNews): Notification | undefined {
  const delta = call.form.roster === 'delta';
  const { participants, sequence } = news.roster;
  const listed = (delta ? participants.filter(({ id }) => news.changed.has(id)) : participants).slice(0, ROSTER_CAP);
  const view = { serverMuted: call.form.serverMuted === true, ids: call.form.entityIds, sequence: delta };
  const entities = listed.map((participant) => participantEntity(participant, view));
  if (delta && news.removed !== undefined) {
    entities.push(participantEntity(news.removed, { ...view, removed: news.reason ?? 'Removed from roster' }));
  }
  if (delta && entities.length === 0) return undefined;
  const deltaParticipants = {
    '@odata.type': '#microsoft.graph.deltaParticipants',
    participants: entities,
    sequenceNumber: sequence,
  };
  const own = listed.find(({ id }) => id === call.self.id);
  return {
    body: write(call, 'updated', '/participants', delta ? [deltaParticipants] : entities),
    about: {
      kind: 'roster',
      participants: entities.length,
      ...(own && { own: { isMuted: isMuted(own), serverMuted: own.serverMuted } }),
      ...(delta && { sequenceNumber: sequence }),
    },
  };
}

/** The end of an operation that was pending. */
export function operationNotification(call: Call, operation: Operation): Notification {
  const { urlIds, entityIds } = call.form;
  const { id, ...entity } = operationEntity(operation);
  return {
    body: write(call, 'deleted', `/operations/${spellId(id, urlIds)}`, { ...entity, id: spellId(id, entityIds) }),
    about: { kind: 'operation', operation: { id, status: operation.status } },
  };
}

/** The whole body of one POST. */
export function envelope(call: Call, notifications: readonly Notification[]): unknown {
  const [first] = notifications;
  if (!call.form.collection && first !== undefined) return first.body;
  const type = call.form.odataType === 'legacy' ? {} : { '@odata.type': '#microsoft.graph.commsNotifications' };
  // What stands in `value` is in the form's letters already, and to write it twice changes nothing.
  return spell({ ...type, value: notifications.map(({ body }) => body) }, call.form);
}
