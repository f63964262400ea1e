import type { RosterParticipant, RosterUpdate } from '../../contract/signals.ts';
import { isFields, type Fields } from '../../contract/check.ts';
import { read, readArray, readBoolean, readInteger, readText, readWord } from '../../lib/fields.ts';
import { canonicalKey, parsePath, typeNameOf, type Resource } from './resource-path.ts';
import { mergeRosters } from '../delivery/merge-rosters.ts';

/**
 * Rosters, in Graph's three forms:
 *
 * - **full** (the default): an array of everyone in the call, up to Graph's limit of 100;
 * - **delta** (`callOptions.isDeltaRosterEnabled`): `deltaParticipants`, each with those who changed and a number that
 *   orders the notification among its like;
 * - **single**: one participant, as an object or under its own path.
 *
 * Of a participant only ID, mute states, place in the order and removal are taken. A participant without an ID or
 * without `isMuted` is left out. A full roster is then marked as incomplete.
 */

function isDelta(item: Fields): boolean {
  const type = typeNameOf(item);
  return type === 'deltaparticipants' || (type === undefined && readArray(item, 'participants') !== undefined);
}

export interface RosterData {
  data: unknown;
  items: readonly Fields[];
  resource: Resource;
  /** `changeType` was `deleted`: whoever is listed has left. */
  deleted: boolean;
}

export function toRoster({ data, items, resource, deleted }: RosterData): RosterUpdate {
  if (items.some(isDelta)) return mergeRosters(items.map((item) => deltaOf(item, deleted)));
  const single = keyOfParticipant(resource);
  const participants = items.flatMap((item) => entryOf(item, { deleted, fallbackId: single }) ?? []);
  // A list of those who left is not the list of those who are there.
  const full = Array.isArray(data) && single === undefined && !deleted;
  const isIncomplete = full && participants.length < data.length;
  // Merging leaves each participant once, should a roster list one twice.
  return mergeRosters([{ participants, full, ...(isIncomplete && { isIncomplete }) }]);
}

function deltaOf(delta: Fields, deleted: boolean): RosterUpdate {
  const sequenceNumber = readInteger(delta, 'sequenceNumber');
  const listed = isDelta(delta) ? (readArray(delta, 'participants') ?? []).filter(isFields) : [delta];
  // The state in a delta is as new as the delta, however long ago the participant itself last changed.
  const participants = listed.flatMap((item) => entryOf(item, { deleted, sequence: sequenceNumber }) ?? []);
  return { participants, full: false, ...(sequenceNumber !== undefined && { sequenceNumber }) };
}

interface Surroundings {
  deleted: boolean;
  sequence?: number | undefined;
  fallbackId?: string | undefined;
}

function entryOf(item: Fields, around: Surroundings): RosterParticipant | undefined {
  const id = canonicalKey(read(item, 'id')) ?? idInPathOf(item) ?? around.fallbackId;
  const isMuted = readBoolean(item, 'isMuted');
  if (id === undefined || isMuted === undefined) return undefined;
  const serverMuted = serverMutedOf(item);
  const sequence = around.sequence ?? readInteger(item, 'rosterSequenceNumber');
  return {
    id,
    isMuted,
    ...(serverMuted !== undefined && { serverMuted }),
    ...(sequence !== undefined && { sequence }),
    ...((around.deleted || isFields(read(item, 'removedState'))) && { removed: true }),
  };
}

/** Whether the server mutes an audio stream of the participant; `undefined` if no audio stream has the field. */
function serverMutedOf(item: Fields): boolean | undefined {
  const told = (readArray(item, 'mediaStreams') ?? [])
    .filter(isFields)
    .filter((stream) => readWord(stream, 'mediaType') === 'audio')
    .flatMap((stream) => readBoolean(stream, 'serverMuted') ?? []);
  return told.length > 0 ? told.includes(true) : undefined;
}

function idInPathOf(item: Fields): string | undefined {
  const resource = parsePath(readText(item, '@odata.id') ?? '');
  return resource && keyOfParticipant(resource);
}

function keyOfParticipant({ rest: [collection, key] }: Resource): string | undefined {
  return collection === 'participants' ? canonicalKey(key) : undefined;
}
