import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { holdIdOf } from '../src/contract/hold.ts';
import { muteOnEntryIdOf } from '../src/contract/mute-on-entry.ts';
import { Listeners } from '../src/webhook/listeners.ts';
import { eventsByType } from '../bench/counts.ts';
import { Service } from './support/service.ts';

/** What the webhook knows of holds and of mutes on entry, and what a notification costs because of them. */

const [held, joined, free] = [
  '57dab8b1-894c-409a-b240-bd8beae78896',
  '1b6c9f2e-5a0d-4f0b-9d0e-0c8a3e5f7a11',
  '9721c1cd-60e8-45bc-8189-1a15431f1f0f',
];

/** Temporal's lists, as far as they are asked. */
function lists(answer: () => string[]): { client: Client; asked: () => number } {
  let asked = 0;
  const workflow = {
    async *list() {
      asked += 1;
      for (const workflowId of answer()) yield await Promise.resolve({ workflowId });
    },
  };
  const withDeadline = async (_: number, work: () => Promise<void>): Promise<void> => await work();
  return { client: { workflow, withDeadline } as unknown as Client, asked: () => asked };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}

describe('the list of those who listen', () => {
  test('is asked for behind a notification, once for many of them', async () => {
    const { client, asked } = lists(() => [holdIdOf(held), muteOnEntryIdOf(held), muteOnEntryIdOf(joined)]);
    const listeners = new Listeners(client);
    expect(asked()).toBe(0);
    expect(listeners.of(held)).toEqual([]);
    await settled();
    const both = [holdIdOf(held), muteOnEntryIdOf(held)];
    for (let seen = 0; seen < 1_000; seen += 1) {
      expect([held, joined, free].map((callId) => listeners.of(callId))).toEqual([both, [muteOnEntryIdOf(joined)], []]);
    }
    expect(listeners.of(held.toUpperCase().replaceAll('-', ''))).toEqual(both);
    expect(asked()).toBe(1);
  });

  test('that cannot be had leaves things as they are', async () => {
    const { client, asked } = lists(() => {
      throw new Error('Temporal is not there');
    });
    const listeners = new Listeners(client);
    expect(listeners.of(held)).toEqual([]);
    await settled();
    expect(listeners.of(held)).toEqual([]);
    expect(asked()).toBe(1);
  });

  test('that is too long is not kept: then every call counts as having both', async () => {
    const { client } = lists(() => Array.from({ length: 10_001 }, (_, index) => holdIdOf(`call-${index}`)));
    const listeners = new Listeners(client);
    listeners.of(free);
    await settled();
    expect(listeners.of(free)).toEqual([holdIdOf(free), muteOnEntryIdOf(free)]);
  });
});

describe('a roster', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(async () => await service.stop());

  test('costs one more signal for each who listens, and nothing more', { timeout: 30_000 }, async () => {
    const call = service.call();
    const hold = await service.moderation.hold({ callId: call.id });
    const entry = await service.moderation.muteOnEntry({ callId: call.id });
    const muted = await service.moderation.mute({ callId: call.id });
    await muted.result();
    // Until the webhook has seen both in the list.
    for (let told = 0; told < 40 && Math.min(...(await rosters())) === 0; told += 1) {
      await service.graph.notify(call.id);
      await new Promise((resolve) => {
        setTimeout(resolve, 250);
      });
    }
    const [before, operations] = [await rosters(), await eventsOf(call.workflowId)];
    expect(Math.min(...before)).toBeGreaterThan(0);
    const more = async (): Promise<number[]> => (await rosters()).map((count, index) => count - (before[index] ?? 0));
    for (let told = 0; told < 5; told += 1) await service.graph.notify(call.id);
    await call.settled();
    // What comes while a workflow task runs stands in the history only after it.
    for (let looked = 0; looked < 100 && Math.min(...(await more())) < 5; looked += 1) await settled();
    expect(await more()).toEqual([5, 5]);
    expect(await eventsOf(call.workflowId)).toEqual(operations);
    await Promise.all([hold.release(), entry.release()]);
    await Promise.all([hold.result(), entry.result()]);

    async function rosters(): Promise<number[]> {
      const events = await Promise.all([holdIdOf(call.id), muteOnEntryIdOf(call.id)].map(eventsOf));
      return events.map(({ WorkflowExecutionSignaled = 0 }) => WorkflowExecutionSignaled);
    }
  });

  async function eventsOf(workflowId: string): Promise<Record<string, number>> {
    return eventsByType((await service.client.workflow.getHandle(workflowId).fetchHistory()).events ?? []);
  }
});
