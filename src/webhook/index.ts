export { createWebhookHandler, type WebhookHandler } from './handler.ts';
export { webhookPlugin } from './plugin.ts';
export { WebhookMetrics } from './metrics.ts';
export type { Answer, BotRequest, OnNotifications } from './bot/bot.ts';
export type { ToTemporal, WebhookOptions, WebhookRules } from './webhook.ts';
export type { Deliver, Deliverable, DeliveryOutcome } from './delivery/signal-workflows.ts';
export type { Notification } from './parse/notification.ts';
export type { Log } from '../http/http-error.ts';
