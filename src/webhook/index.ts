export { createWebhookHandler, type WebhookHandler } from './handler.ts';
export { webhookPlugin } from './plugin.ts';
export { WebhookMetrics } from './metrics.ts';
export type { Answer, BotRequest, OnNotifications } from './bot.ts';
export type { WebhookOptions } from './webhook.ts';
