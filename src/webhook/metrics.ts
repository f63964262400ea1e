import { Counter, Histogram, Registry } from 'prom-client';
import { SIGNAL } from '../contract/names.ts';

/** The metrics of the webhook. Labels contain only words of ours: nothing of a notification and no ID. */
export class WebhookMetrics {
  readonly registry: Registry;
  readonly notifications: Counter<'kind' | 'outcome'>;
  readonly answers: Counter<'status'>;
  readonly tokensRefused: Counter<'fault'>;
  readonly handOverSeconds: Histogram<'signal' | 'outcome'>;
  readonly keyFetches: Counter<'outcome'>;
  readonly forwards: Counter<'outcome'>;

  constructor(registry = new Registry()) {
    const registers = [registry];
    this.registry = registry;
    this.notifications = new Counter({
      name: 'call_moderation_notifications_total',
      help: 'Notifications by kind and outcome.',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.answers = new Counter({
      name: 'call_moderation_webhook_answers_total',
      help: 'Requests to the webhook by response status.',
      labelNames: ['status'],
      registers,
    });
    this.tokensRefused = new Counter({
      name: 'call_moderation_tokens_refused_total',
      help: 'Invalid bearer tokens, by fault.',
      labelNames: ['fault'],
      registers,
    });
    this.handOverSeconds = new Histogram({
      name: 'call_moderation_hand_over_seconds',
      help: 'Duration of sending a signal to Temporal. Merged rosters are one signal.',
      labelNames: ['signal', 'outcome'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    });
    this.keyFetches = new Counter({
      name: 'call_moderation_signing_key_fetches_total',
      help: "Fetches of Graph's signing keys by outcome.",
      labelNames: ['outcome'],
      registers,
    });
    this.forwards = new Counter({
      name: 'call_moderation_forwards_total',
      help: 'Requests forwarded to the bot by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    // There from the start, so that the first one is seen as an increase.
    for (const kind of Object.values(SIGNAL).filter((name) => name !== SIGNAL.supersede)) {
      this.notifications.inc({ kind, outcome: 'failed' }, 0);
    }
    for (const outcome of ['fetched', 'failed']) this.keyFetches.inc({ outcome }, 0);
  }
}
