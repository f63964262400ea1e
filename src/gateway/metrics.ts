import { Counter, Histogram, Registry } from 'prom-client';

/** What the gateway counts. Labels are words of ours only: nothing of a request and no ID. */
export class GatewayMetrics {
  readonly registry = new Registry();
  readonly answers = new Counter({
    name: 'call_moderation_gateway_answers_total',
    help: 'Requests to the gateway by what was asked and the status they were answered with.',
    labelNames: ['asked', 'status'],
    registers: [this.registry],
  });
  readonly seconds = new Histogram({
    name: 'call_moderation_gateway_seconds',
    help: 'Time until the answer, the wait for the outcome included.',
    labelNames: ['asked'],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [this.registry],
  });
  readonly tokensRefused = new Counter({
    name: 'call_moderation_gateway_tokens_refused_total',
    help: 'Access tokens that were refused, by fault.',
    labelNames: ['fault'],
    registers: [this.registry],
  });
  readonly keyFetches = new Counter({
    name: 'call_moderation_gateway_signing_key_fetches_total',
    help: "Fetches of Entra ID's signing keys by outcome.",
    labelNames: ['outcome'],
    registers: [this.registry],
  });

  constructor() {
    // There from the start, so that the first one is seen as an increase.
    for (const asked of ['mute', 'unmute', 'participantMute', 'operation']) this.answers.inc({ asked, status: 503 }, 0);
    for (const outcome of ['fetched', 'failed']) this.keyFetches.inc({ outcome }, 0);
  }
}
