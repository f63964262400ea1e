import type { Client } from '@temporalio/client';
import { canonicalTenantId, isTenantId } from '../contract/tenant.ts';
import { HttpError, type Log } from '../http/http-error.ts';
import { ArrivalOrder } from './delivery/arrival-order.ts';
import { BodyError, notificationsIn, parseJson } from './parse/envelope.ts';
import { botOf, type Answer, type Bot, type BotRequest, type OnNotifications } from './bot/bot.ts';
import { canonicalPath } from './callback-path.ts';
import { forwardTo, type Forward } from './bot/forward.ts';
import { deliverTo, type Deliver } from './delivery/signal-workflows.ts';
import { WebhookMetrics } from './metrics.ts';
import { toNotification, type Notification } from './parse/notification.ts';
import { NotificationsNotDelivered, Router } from './delivery/router.ts';
import { KeysUnavailable, SigningKeys } from '../auth/signing-keys.ts';
import { TokenBucket } from '../auth/rate-limit.ts';
import { TokenRefused, TokenVerifier, type VerifiedToken } from '../auth/token-verifier.ts';

/**
 * One way through: verify → parse → project → route. The HTTP edge (`plugin.ts`) has checked content type and size.
 * No JSON is parsed before the token is valid, and nothing is answered 202 before Temporal has it.
 *
 * Microsoft does not document how long Graph waits for an answer. We promise one within 5 s (`docs/webhook.md`), so
 * our own work takes at most 4 s from the body's last byte, also if it fails.
 */

const ANSWER_WITHIN_MS = 4000;
const RETRY_AFTER = { 'retry-after': '2' };

/** Options of the webhook, and where it delivers notifications: to Temporal, or to a function. */
export type WebhookOptions = WebhookRules & (ToTemporal | { deliver: Deliver });

/** Notifications become signals of the workflows on a task queue. */
export interface ToTemporal {
  client: Client;
  /**
   * That of the workers, for calls that become active.
   *
   * @default 'call-moderation'
   */
  taskQueue?: string | undefined;
}

/** Which requests the webhook accepts, and what it does with them besides the delivery. */
export interface WebhookRules {
  /** The path of the webhook, such as `/api/calls`. It accepts paths below it, too. */
  path: string;
  /** The app ID that tokens are issued for. */
  audience: string;
  /** The issuers of valid tokens. */
  issuers: readonly string[];
  /** The OpenID document that leads to the signing keys. */
  openIdUrl: string;
  /**
   * Tenants whose calls are accepted, by their IDs.
   *
   * @default any
   */
  tenants?: readonly string[] | undefined;
  /** The bot's own webhook, if ours is in front of it: every valid request is forwarded there, and the bot answers it. */
  forwardUrl?: string | undefined;
  /** The bot's own function, when it has mounted ours. Not together with `forwardUrl`. */
  onNotifications?: OnNotifications | undefined;
  log: Log;
  /** Counts requests and notifications. By default the webhook makes its own. */
  metrics?: WebhookMetrics | undefined;
}

export class Webhook {
  readonly path: string;
  readonly log: Log;
  readonly metrics: WebhookMetrics;
  readonly keys: SigningKeys;
  readonly #verifier: TokenVerifier;
  readonly #claimLines = new TokenBucket(10, 6_000);
  readonly #arrivals = new ArrivalOrder();
  readonly #router: Router;
  readonly #forward: Forward | undefined;
  readonly #bot: Bot | undefined;

  constructor(options: WebhookOptions) {
    const { openIdUrl, forwardUrl, onNotifications, log, metrics = new WebhookMetrics() } = options;
    if (forwardUrl !== undefined && onNotifications !== undefined) {
      throw new TypeError('forwardUrl and onNotifications exclude each other: give one of them.');
    }
    this.path = canonicalPath(options.path);
    this.log = log;
    this.metrics = metrics;
    this.keys = new SigningKeys({ openIdUrl, log, onRefresh: (outcome) => metrics.keyFetches.inc({ outcome }) });
    this.#verifier = new TokenVerifier(this.keys, options);
    this.#router = new Router(
      'client' in options ? deliverTo(options.client, options.taskQueue) : options.deliver,
      metrics,
    );
    this.#forward = forwardUrl === undefined ? undefined : forwardTo(forwardUrl, metrics);
    this.#bot = onNotifications === undefined ? this.#forward?.bot : botOf(onNotifications);
  }

  start(): void {
    this.keys.start();
  }

  async close(): Promise<void> {
    this.keys.stop();
    await this.#forward?.close();
  }

  /** @throws {HttpError} with the status that Graph gets, for every request that is not answered 202 */
  async receive(request: BotRequest): Promise<Answer> {
    const deadline = Date.now() + ANSWER_WITHIN_MS;
    return this.#arrivals.proceed(this.#verify(request.headers.authorization), (token) =>
      this.#take(request, token, deadline),
    );
  }

  async #take(request: BotRequest, token: VerifiedToken, deadline: number): Promise<Answer> {
    const notifications = notificationsOf(request.body, token);
    // A body that we cannot parse is an error for us, but the bot behind us may understand it.
    const isFault = notifications instanceof HttpError;
    if (isFault && this.#bot === undefined) throw notifications;
    const answered = this.#bot?.(request);
    // If the delivery fails first, nobody waits for the bot's answer any more.
    answered?.catch(() => undefined);
    if (!isFault) await this.#deliver(notifications, deadline);
    const answer = await answered;
    if (answer === undefined && isFault) throw notifications;
    return answer ?? { statusCode: 202 };
  }

  async #verify(authorization: string | undefined): Promise<VerifiedToken> {
    try {
      return await this.#verifier.verify(authorization);
    } catch (error) {
      if (error instanceof TokenRefused) {
        this.metrics.tokensRefused.inc({ fault: error.fault });
        const message =
          'The token is missing or invalid. Send the bearer token that Graph issues for this application.';
        const { claims } = error;
        // Anyone with one of Graph's tokens can cause this, any number of times.
        const log = claims !== undefined && this.#claimLines.take() ? { refused: claims } : {};
        throw new HttpError(401, `token-${error.fault}`, message, { headers: { 'www-authenticate': 'Bearer' }, log });
      }
      if (error instanceof KeysUnavailable) {
        const message = 'The signing keys cannot be fetched, so the token cannot be checked. Send the request again.';
        throw new HttpError(503, 'keys-unavailable', message, { headers: RETRY_AFTER, cause: error.cause });
      }
      throw error;
    }
  }

  async #deliver(notifications: readonly Notification[], deadline: number): Promise<void> {
    try {
      await this.#router.take(notifications, deadline);
    } catch (error) {
      if (!(error instanceof NotificationsNotDelivered)) throw error;
      const message = 'Temporal cannot be reached. Send the notifications again: nothing was lost.';
      const log = { callIds: error.callIds.slice(0, 10) };
      throw new HttpError(503, 'temporal-unavailable', message, { headers: RETRY_AFTER, cause: error.cause, log });
    }
  }
}

function notificationsOf(body: Buffer, token: VerifiedToken): Notification[] | HttpError {
  try {
    return notificationsIn(parseJson(body)).map((entry) => withTenant(toNotification(entry), token));
  } catch (error) {
    if (error instanceof BodyError) return new HttpError(400, `body-${error.code}`, error.message);
    throw error;
  }
}

/** The tenant of a call is the one that its token was issued for: that is verified, and every token names one. */
function withTenant(notification: Notification, { tenantId }: VerifiedToken): Notification {
  if (notification.kind !== 'callEstablished' || !isTenantId(tenantId)) return notification;
  return { ...notification, payload: { tenantId: canonicalTenantId(tenantId) } };
}
