import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FaultScript, SERVICE_REQUESTS } from './faults.ts';
import type { Lifetime } from './lifetime.ts';

/** The endpoints beside Graph's own: counted, and open to faults too, but without effects. */
export type GateName = Exclude<(typeof SERVICE_REQUESTS)[number], 'createCall'>;
/** How often each endpoint was asked. */
export type Counts = Record<GateName, number>;

type Route = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> | FastifyReply;
export type Gate = (
  name: GateName,
  serve: Route,
) => (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

export function newGate(counts: Counts, faults: () => FaultScript, lifetime: Lifetime): Gate {
  return (name, serve) => async (request, reply) => {
    counts[name] += 1;
    const fault = faults().forRequest(name);
    if (fault && fault.latencyMs > 0) await lifetime.pause(fault.latencyMs);
    const answer = fault?.answer;
    if (answer === undefined) return serve(request, reply);
    if (typeof answer === 'string') {
      reply.hijack();
      const { socket } = request.raw;
      if (answer === 'reset') socket.destroy();
      else lifetime.onEnd(() => socket.destroy());
      return reply;
    }
    if (answer.retryAfter !== undefined) void reply.header('retry-after', String(answer.retryAfter));
    return reply
      .code(answer.status)
      .type(answer.contentType)
      .send(answer.rawBody ?? JSON.stringify({ error: answer.code ?? 'temporarily_unavailable' }));
  };
}
