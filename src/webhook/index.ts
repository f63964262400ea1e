export { createWebhookHandler, type WebhookHandler } from './handler.ts';
export { webhookPlugin } from './plugin.ts';
export { WebhookMetrics } from './metrics.ts';
export type { Answer, BotRequest, OnNotifications } from './bot.ts';
export type { WebhookOptions } from './webhook.ts';
export type { HandOver } from './hand-over.ts';
export type { Log } from '../http/http-error.ts';
