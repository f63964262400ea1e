import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { hasRole } from './access-tokens.ts';
import { ROSTER_CAP, type Call } from './call.ts';
import { jsonOf, type Ask, type Handler, type Outcome } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { graphCall } from './new-call.ts';
import { operationEntity, type ModerationAction } from './operation.ts';
import { participantEntity, type Participant, type ParticipantView } from './participant.ts';
import { callNotFound, check, Problem } from './problem.ts';
import type { World } from './world.ts';

/**
 * Graph's cloud-communications API, as far as it concerns the mutes of a call.
 *
 * Undocumented, and chosen here: 400 for a peer-to-peer call, where the pages say no more than "only supported for
 * group calls"; 409 for a call that is not established; 404 "ResourceNotFound" for a participant or operation that is
 * not there. `participants/{id}/unmute` and `participants/muteAll` are not served: neither exists in Graph v1.0.
 */
const actionBody = z.strictObject({ clientContext: z.string().max(256).nullish() });

export interface GraphApi {
  world: World;
  exchange: Exchange;
  /** The simulator's own root. */
  url: string;
}

export function serveGraph(app: FastifyInstance, { world, exchange, url }: GraphApi, version: 'v1.0' | 'beta'): void {
  const contextRoot = `${url}/${version}/$metadata`;
  const location = (call: Call, within = ''): string => `${url}/${version}/communications/calls/${call.id}${within}`;

  // Bodies are read by the handlers, after token and faults: Graph looks at a body last.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    done(null, body);
  });

  const createCall: Handler = (ask) => {
    mayCreate(ask);
    const { call, establish } = world.createFromGraph(check(graphCall, jsonOf(ask), 'call'));
    return {
      status: 201,
      headers: { location: location(call) },
      body: () => call.entity(contextRoot),
      effect: () => establish,
    };
  };

  const moderate =
    (action: ModerationAction, whom: (ask: Ask, call: Call) => Participant): Handler =>
    (ask): Outcome => {
      const call = callOf(ask);
      const { clientContext = null } = check(actionBody, jsonOf(ask), 'body');
      onlyGroup(call);
      onlyEstablished(call);
      const participant = whom(ask, call);
      const operation = world.startOperation(call, action, clientContext);
      return {
        status: 200,
        headers: { location: location(call, `/operations/${operation.id}`) },
        body: () => operationEntity(operation, contextRoot),
        effect: () => world.moderate(call, participant, operation),
        operation,
      };
    };

  const muteParticipant = moderate('mute', participantOf);
  app.post('/calls', exchange.route('createCall', createCall));
  app.get(
    '/calls/:id',
    exchange.route('getCall', (ask) => {
      const call = callOf(ask);
      return { status: 200, body: () => call.entity(contextRoot) };
    }),
  );
  app.delete(
    '/calls/:id',
    exchange.route('deleteCall', (ask) => {
      const call = callOf(ask);
      const reason = { code: 0, subcode: 0, message: 'The application ended the call.' };
      return { status: 204, effect: () => world.end(call, reason) };
    }),
  );
  app.post(
    '/calls/:id/keepAlive',
    exchange.route('keepAlive', (ask) => {
      callOf(ask);
      return { status: 200 };
    }),
  );
  app.post(
    '/calls/:id/mute',
    exchange.route(
      'mute',
      moderate('mute', (_ask, call) => call.self),
      'mute',
    ),
  );
  app.post(
    '/calls/:id/unmute',
    exchange.route(
      'unmute',
      moderate('unmute', (_ask, call) => call.self),
      'unmute',
    ),
  );
  app.get(
    '/calls/:id/participants',
    exchange.route('listParticipants', (ask) => {
      const call = callOf(ask);
      onlyGroup(call);
      return {
        status: 200,
        body: () => ({
          '@odata.context': `${contextRoot}#communications/calls('${call.id}')/participants`,
          value: call.roster.participants
            .slice(0, ROSTER_CAP)
            .map((participant) => participantEntity(participant, view(call))),
        }),
      };
    }),
  );
  app.get(
    '/calls/:id/participants/:pid',
    exchange.route('getParticipant', (ask) => {
      const call = callOf(ask);
      onlyGroup(call);
      const participant = participantOf(ask, call);
      const context = `${contextRoot}#communications/calls('${call.id}')/participants/$entity`;
      return {
        status: 200,
        body: () => ({ '@odata.context': context, ...participantEntity(participant, view(call)) }),
      };
    }),
  );
  app.post(
    '/calls/:id/participants/:pid/mute',
    exchange.route(
      'muteParticipant',
      (ask) => {
        if (!hasRole(ask.caller, 'Calls.JoinGroupCall.All', 'Calls.JoinGroupCallAsGuest.All')) throw notGranted();
        return muteParticipant(ask);
      },
      'mute',
    ),
  );
  app.get(
    '/calls/:id/operations',
    exchange.route('listOperations', (ask) => {
      const call = callOf(ask);
      return { status: 200, body: () => ({ value: [...call.operations.values()].map((it) => operationEntity(it)) }) };
    }),
  );
  app.get(
    '/calls/:id/operations/:oid',
    exchange.route('getOperation', (ask) => {
      const operation = callOf(ask).operations.get(ask.params['oid'] ?? '');
      if (operation === undefined) throw new Problem(404, 'ResourceNotFound', 'Operation not found.');
      return { status: 200, body: () => operationEntity(operation, contextRoot) };
    }),
  );
  app.setNotFoundHandler(
    exchange.route('unknown', ({ params }) => {
      const segment = Object.values(params)[0]?.split('/').at(-1) ?? '';
      throw new Problem(400, 'BadRequest', `Resource not found for the segment '${segment}'.`);
    }),
  );
}

/** One of the page's permissions, and for media that the app hosts one more. */
function mayCreate(ask: Ask): void {
  const { caller } = ask;
  const body = graphCall.safeParse(jsonOf(ask)).data;
  const oneOf = ['Calls.Initiate.All', 'Calls.InitiateGroupCall.All', 'Calls.JoinGroupCall.All'] as const;
  const isMeeting = Boolean(body?.chatInfo ?? body?.meetingInfo);
  const isP2p = !isMeeting && body?.targets?.length === 1;
  const granted = isP2p
    ? hasRole(caller, 'Calls.Initiate.All')
    : hasRole(caller, ...oneOf, 'Calls.JoinGroupCallAsGuest.All');
  const isAppHosted = body?.mediaConfig['@odata.type'].includes('appHosted') ?? false;
  if (!granted || (isAppHosted && !hasRole(caller, 'Calls.AccessMedia.All'))) throw notGranted();
  if (body && !isMeeting && (body.targets ?? []).length === 0) {
    throw new Problem(400, 'BadRequest', 'A call needs targets, or chatInfo and meetingInfo of the meeting to join.');
  }
}

function notGranted(): Problem {
  return new Problem(403, '7504', 'Insufficient enterprise tenant permissions, cannot access this API.');
}

function callOf({ call }: Ask): Call {
  if (call === undefined || call.gone) throw callNotFound();
  return call;
}

/** What reads tell is the form's. */
function view({ form }: Call): ParticipantView {
  return { serverMuted: form.serverMuted !== false, ids: 'dashed', sequence: form.numberedReads };
}

function participantOf({ params }: Ask, call: Call): Participant {
  const participant = call.participant(params['pid'] ?? '');
  if (participant === undefined) throw new Problem(404, 'ResourceNotFound', 'Participant not found.');
  return participant;
}

function onlyGroup(call: Call): void {
  if (!call.isGroup) throw new Problem(400, 'BadRequest', 'This is only supported for group calls.');
}

function onlyEstablished(call: Call): void {
  if (call.state === 'terminating' || call.state === 'terminated') throw callNotFound();
  if (call.state === 'incoming' || call.state === 'establishing') {
    throw new Problem(409, 'Conflict', `The call is ${call.state}.`);
  }
}
