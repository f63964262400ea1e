/** Notifications as Graph writes them. */

export const CALL = '57dab8b1-894c-409a-b240-bd8beae78896';

export function participant(id: string, isMuted: boolean, more: object = {}): object {
  const info = { identity: { user: { displayName: 'Bob', id: '5810cede-f3cc-42eb-b2c1-e9bd5d53ec96' } } };
  return { '@odata.type': '#microsoft.graph.participant', id, info, isMuted, isInLobby: false, ...more };
}

export function entry(resourceUrl: string, resourceData: unknown, changeType = 'updated'): object {
  return { '@odata.type': '#microsoft.graph.commsNotification', changeType, resourceUrl, resourceData };
}

export function rosterEntry(callId: string, ...participants: object[]): object {
  return entry(`/communications/calls/${callId}/participants`, participants);
}

export function deltaEntry(callId: string, sequenceNumber: number, ...participants: object[]): object {
  const delta = { '@odata.type': '#microsoft.graph.deltaParticipants', participants, sequenceNumber };
  return entry(`/communications/calls/${callId}/participants`, [delta]);
}

export function notifications(...value: object[]): object {
  return { '@odata.type': '#microsoft.graph.commsNotifications', value };
}
