import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { GraphSimulator } from './simulator.ts';
import { tokenRequest } from './access-tokens.ts';
import { CALL_STATES } from './call.ts';
import { faults, serviceFaults } from './faults.ts';
import { formChange } from './form.ts';
import { newCall } from './new-call.ts';
import { participantChange } from './participant.ts';
import { check, Problem } from './problem.ts';
import { callEnd, tale } from './fake-notification.ts';

/**
 * The simulator's own API over HTTP, for demos and for tests in other languages: the same verbs as the class has. It
 * asks for no token, so it belongs on a loopback address. Every answer about a call is the truth of it, as `describe`
 * gives it.
 */
interface ById {
  Params: { id: string; pid: string };
}

export function serveControl(app: FastifyInstance, graph: GraphSimulator): void {
  app.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    const { status, code } =
      error instanceof Problem ? error : { status: error.statusCode ?? 500, code: 'InvalidRequest' };
    return reply.code(status).send({ error: { code, message: error.message } });
  });

  app.get('/', () => ({ ...graph.addresses, counts: graph.counts }));
  app.post('/token', async ({ body }) => ({
    token: await graph.issueToken(check(tokenRequest, body ?? {}, 'token')),
  }));
  app.post('/keys/rotate', async ({ body }) => ({
    kid: await graph.rotateKeys(check(z.strictObject({ keepOld: z.boolean().default(true) }), body ?? {}, 'body')),
  }));
  app.put('/faults', ({ body }) => {
    graph.setServiceFaults(check(serviceFaults, body, 'faults'));
    return {};
  });
  app.delete('/faults', () => {
    graph.setServiceFaults({});
    return {};
  });

  app.get('/calls', () => ({ value: graph.calls() }));
  app.post('/calls', async ({ body }, reply) => {
    const { id } = graph.createCall(check(newCall, body, 'call'));
    return reply.code(201).send(graph.describe(id));
  });
  app.get<ById>('/calls/:id', ({ params: { id } }) => graph.describe(id));
  app.get<ById>('/calls/:id/log', ({ params: { id }, query }) => {
    const { since } = check(z.strictObject({ since: z.coerce.number().int().default(0) }), query, 'query');
    return { value: graph.log(id).filter(({ seq }) => seq > since) };
  });
  app.put<ById>('/calls/:id/faults', ({ params: { id }, body }) => {
    graph.setFaults(id, check(faults, body, 'faults'));
    return graph.describe(id);
  });
  app.delete<ById>('/calls/:id/faults', async ({ params: { id } }) => {
    await graph.clearFaults(id);
    return graph.describe(id);
  });
  app.put<ById>('/calls/:id/form', ({ params: { id }, body }) => {
    graph.setForm(id, check(formChange, body, 'form'));
    return graph.describe(id);
  });
  // What follows is done at once, and answered without waiting for the bot to take the notification.
  app.post<ById>('/calls/:id/state', ({ params: { id }, body }) => {
    const { state } = check(z.strictObject({ state: z.enum(CALL_STATES) }), body, 'body');
    void graph.setCallState(id, state);
    return graph.describe(id);
  });
  app.post<ById>('/calls/:id/end', ({ params: { id }, body }) => {
    void graph.endCall(id, check(callEnd, body ?? {}, 'body'));
    return graph.describe(id);
  });
  app.post<ById>('/calls/:id/notify', ({ params: { id }, body }) => {
    void graph.notify(id, check(tale, body ?? {}, 'body'));
    return graph.describe(id);
  });
  app.post<ById>('/calls/:id/participants', ({ params: { id }, body }) => {
    const people = z.strictObject({ add: z.int().min(1).max(1000), isInLobby: z.boolean().default(false) });
    const { add, isInLobby } = check(people, body, 'body');
    void graph.addParticipants(id, add, { isInLobby });
    return graph.describe(id);
  });
  app.post<ById>('/calls/:id/participants/:pid', ({ params: { id, pid }, body }) => {
    const change = check(participantChange, body, 'body');
    graph.participant(id, pid);
    void graph.setParticipant(id, pid, change);
    return graph.describe(id);
  });
  app.delete<ById>('/calls/:id/participants/:pid', ({ params: { id, pid } }) => {
    graph.participant(id, pid);
    void graph.removeParticipant(id, pid);
    return graph.describe(id);
  });
}
