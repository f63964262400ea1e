import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccessTokens } from './access-tokens.ts';
import {
  bend,
  contextIn,
  planOf,
  refusal,
  scriptedAnswer,
  type Answer,
  type Ask,
  type Handler,
  type Outcome,
} from './answer.ts';
import type { Call } from './call.ts';
import type { FaultScript, RequestFault, RequestName } from './faults.ts';
import { spell } from './form.ts';
import { newId } from './ids.ts';
import type { Lifetime } from './lifetime.ts';
import type { CallLog, RequestEntry } from './log.ts';
import { NOTHING, type Posting } from './notifier.ts';
import { isPending, type ModerationAction } from './operation.ts';
import { errorBody, Problem } from './problem.ts';
import type { World } from './world.ts';

/**
 * One request to Graph and its answer. The steps, in this order, each of which a fault may bend:
 *
 *   token  → 401 where it is not good; no fault is used up by that
 *   fault  → the call's first rule that matches, else the service's
 *   latency, unless the fault gives the effect a time of its own: then it comes just before the answer
 *   handler → what the answer would be, and what the request would do (its effect), which is not yet done
 *   effect → done now, put off, or left out; whether the client is still there makes no difference
 *   answer → the true one or the fault's; the notification of the effect follows it, or precedes it where it is `early`
 */
export interface ExchangeParts {
  world: World;
  tokens: AccessTokens;
  lifetime: Lifetime;
  serviceLog: CallLog;
  serviceFaults: () => FaultScript;
}

export class Exchange {
  readonly #parts: ExchangeParts;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  /** A route handler for Fastify. */
  route(name: RequestName | 'unknown', handler: Handler, action?: ModerationAction) {
    return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const params = (request.params ?? {}) as Record<string, string>;
      const call = this.#parts.world.find(params['id'] ?? '');
      const log = call?.log ?? this.#parts.serviceLog;
      const requestId = newId();
      const given = request.headers['client-request-id'];
      const clientRequestId = typeof given === 'string' && given !== '' ? given : requestId;
      const text = typeof request.body === 'string' ? request.body : '';
      const clientContext = contextIn(text);
      const entry = log.add({
        type: 'request',
        name,
        method: request.method,
        path: request.url.split('?')[0] ?? '',
        requestId,
        clientRequestId,
        ...(action && { action }),
        ...(clientContext !== undefined && { clientContext }),
      });
      void reply.headers({ 'request-id': requestId, 'client-request-id': clientRequestId });
      let follow = NOTHING;
      let answer: Answer | 'hang' | 'reset';
      try {
        const caller = await this.#parts.tokens.verify(request.headers.authorization);
        if (caller.tenantId !== undefined) entry.tenantId = caller.tenantId;
        const fault = name === 'unknown' ? undefined : this.#faultFor(call, name);
        const latency = async (): Promise<void> => {
          if (fault && fault.latencyMs > 0) await this.#parts.lifetime.pause(fault.latencyMs);
        };
        // An effect with a time of its own counts from the arrival, however long the answer takes.
        const isTimed = typeof fault?.effect === 'object';
        if (!isTimed) await latency();
        const ask: Ask = { call, caller, params, text, contentType: request.headers['content-type'] ?? '' };
        ({ answer, follow } = this.#resolve(ask, handler, fault, entry));
        if (isTimed) await latency();
      } catch (error) {
        answer = refusal(error);
      }
      if (follow.early) {
        await follow.send();
        follow = NOTHING;
      }
      if (answer === 'hang' || answer === 'reset') return this.#leave(request, reply, log, entry, answer, follow);
      return this.#answer(reply, log, entry, answer, follow, call);
    };
  }

  #faultFor(call: Call | undefined, name: RequestName): RequestFault | undefined {
    return call?.faults.forRequest(name) ?? this.#parts.serviceFaults().forRequest(name);
  }

  /** Does what is to be done now, and settles what will be answered. */
  #resolve(ask: Ask, handler: Handler, fault: RequestFault | undefined, entry: RequestEntry) {
    const scripted = fault?.answer;
    let follow = NOTHING;
    let outcome: Outcome | undefined;
    try {
      outcome = scripted !== undefined && (fault?.effect ?? false) === false ? undefined : handler(ask);
    } catch (error) {
      if (scripted === undefined) throw error;
    }
    if (outcome?.operation) bend(outcome.operation, fault);
    if (outcome?.effect) {
      const plan = planOf(fault, outcome.operation);
      entry.effect = plan === true ? 'done' : plan === false ? 'none' : 'later';
      if (plan === true) follow = outcome.effect();
      else if (typeof plan === 'object') void this.#later(plan.afterMs, outcome.effect);
    }
    if (outcome?.operation && ask.call) this.#endLater(ask.call, outcome, fault);
    if (scripted === 'hang' || scripted === 'reset') return { answer: scripted, follow };
    if (scripted !== undefined) return { answer: scriptedAnswer(scripted), follow };
    const { status, headers = {}, body } = outcome as Outcome;
    return { answer: { status, headers, payload: body?.() }, follow };
  }

  #later(afterMs: number, effect: () => Posting): Promise<void> {
    return this.#parts.lifetime.run(async () => {
      if (await this.#parts.lifetime.pause(afterMs)) await effect().send();
    });
  }

  #endLater(call: Call, { operation, effect }: Outcome, fault: RequestFault | undefined): void {
    const ends = fault?.operation?.ends;
    if (!operation || !isPending(operation) || !ends || ends === 'never') return;
    const takesEffect = planOf(fault, operation) === 'atEnd' && ends.status === 'completed';
    void this.#later(ends.afterMs, () => {
      const { result } = fault?.operation ?? {};
      const done = takesEffect && effect ? effect() : NOTHING;
      const ended = this.#parts.world.endOperation(call, operation, {
        status: ends.status,
        ...(ends.status === 'failed' && result && { resultInfo: result }),
      });
      return {
        early: false,
        send: async () => {
          await Promise.all([ended.send(), done.send()]);
        },
      };
    });
  }

  #answer(
    reply: FastifyReply,
    log: CallLog,
    entry: RequestEntry,
    answer: Answer,
    follow: Posting,
    call: Call | undefined,
  ): FastifyReply {
    const { lifetime } = this.#parts;
    const { raw } = reply;
    const hasLeft = raw.socket === null || raw.socket.destroyed;
    void lifetime.run(async () => {
      const closed = new Promise<void>((resolve) => {
        // Also when the client has left: an answer that nobody reads changes nothing.
        if (raw.destroyed || raw.closed) resolve();
        else raw.once('close', resolve);
        lifetime.onEnd(resolve);
      });
      await closed;
      log.finish(
        entry,
        raw.writableFinished && !hasLeft ? { outcome: 'answered', status: answer.status } : { outcome: 'gone' },
      );
      await follow.send();
    });
    const { requestId, clientRequestId } = entry;
    const payload =
      answer.payload instanceof Problem
        ? errorBody(answer.payload.code, answer.payload.message, requestId, clientRequestId)
        : typeof answer.payload === 'object' && call
          ? spell(answer.payload, { odataType: 'hash', enumCase: call.form.enumCase })
          : answer.payload;
    return reply
      .code(answer.status)
      .headers(answer.headers ?? {})
      .send(payload);
  }

  /** No answer: silence until the client goes away, or a connection that breaks. */
  async #leave(
    request: FastifyRequest,
    reply: FastifyReply,
    log: CallLog,
    entry: RequestEntry,
    how: 'hang' | 'reset',
    follow: Posting,
  ): Promise<FastifyReply> {
    reply.hijack();
    const { socket } = request.raw;
    if (how === 'reset') socket.destroy();
    log.finish(entry, { outcome: how === 'reset' ? 'reset' : 'hung' });
    void follow.send();
    await new Promise<void>((resolve) => {
      if (socket.destroyed) resolve();
      else
        socket.once('close', () => {
          resolve();
        });
      this.#parts.lifetime.onEnd(() => socket.destroy());
    });
    return reply;
  }
}
