import { Agent, request } from 'undici';

/**
 * The requests that a mute takes, for the two contenders that are not ours: the same reads and the same POST, and no more
 * care than a sample takes. undici's `request` is the cheapest client at hand, so that nobody loses by it.
 */
const agent = new Agent({ keepAliveTimeout: 30_000 });

export interface Graph {
  url: string;
  token: string;
}

export interface RosterParticipant {
  id: string;
  isMuted: boolean;
}

export interface CallReading {
  participantId: string;
  isMuted: boolean;
}

/** GET the call and its roster, side by side. */
export async function readCall(graph: Graph, callId: string): Promise<CallReading> {
  const path = `communications/calls/${callId}`;
  const [call, roster] = await Promise.all([send(graph, 'GET', path), send(graph, 'GET', `${path}/participants`)]);
  const { state, myParticipantId } = call as { state: string; myParticipantId: string };
  if (state !== 'established') throw new Error(`Call ${callId} is ${state}`);
  const { value } = roster as { value: RosterParticipant[] };
  const self = value.find(({ id }) => id === myParticipantId);
  return { participantId: myParticipantId, isMuted: self?.isMuted ?? false };
}

/** POST mute or unmute; gives Graph's ID of the operation. */
export async function post(
  graph: Graph,
  action: 'mute' | 'unmute',
  callId: string,
  clientContext: string,
): Promise<string> {
  const answer = await send(graph, 'POST', `communications/calls/${callId}/${action}`, { clientContext });
  return (answer as { id: string }).id;
}

async function send({ url, token }: Graph, method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
  const response = await request(`${url}/v1.0/${path}`, {
    method,
    dispatcher: agent,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.body.text();
  if (response.statusCode >= 300) throw new Error(`Graph answered ${method} ${path} with ${response.statusCode}`);
  return JSON.parse(text);
}
