import { buildCommand } from '@stricli/core';
import type { Context } from '../context.ts';

/** The processes of a deployment. The environment configures them, so they have no flags. */

const processCommand = (name: 'worker' | 'webhook' | 'gateway', brief: string) =>
  buildCommand<object, [], Context>({
    loader: async () => (await import('./processes.ts'))[name],
    parameters: {},
    docs: { brief },
  });

export const workerCommand = processCommand('worker', 'Run the worker: it carries the operations out');

export const webhookCommand = processCommand('webhook', "Run the webhook: it takes Graph's notifications");

export const gatewayCommand = processCommand(
  'gateway',
  "Run the gateway: it takes mutes and unmutes over HTTP, in Graph's shapes",
);
