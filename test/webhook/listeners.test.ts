import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { muteLockIdOf } from '../../src/contract/mute-lock.ts';
import { muteOnEntryIdOf } from '../../src/contract/mute-on-entry.ts';
import { Listeners } from '../../src/webhook/delivery/listeners.ts';
import { eventsByType } from '../../bench/counts.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

/** What the webhook knows of mute locks and of mutes on entry, and what a notification costs because of them. */

const [held, joined, free] = [
  '57dab8b1-894c-409a-b240-bd8beae78896',
  '1b6c9f2e-5a0d-4f0b-9d0e-0c8a3e5f7a11',
  '9721c1cd-60e8-45bc-8189-1a15431f1f0f',
];

const QUEUE = 'a-queue';

/** Temporal's lists, as far as they are asked. */
function lists(answer: () => string[]): { client: Client; asked: () => number } {
  let asked = 0;
  const client = listing(async () => {
    asked += 1;
    return await Promise.resolve(answer());
  });
  return { client, asked: () => asked };
}

function listing(answer: () => Promise<string[]>): Client {
  const listWorkflowExecutions = async () => {
    const workflowIds = await answer();
    return { executions: workflowIds.map((workflowId) => ({ execution: { workflowId } })) };
  };
  const workflow = { workflowService: { listWorkflowExecutions }, options: { namespace: 'default' } };
  const withDeadline = async (_: number, work: () => Promise<void>): Promise<void> => await work();
  return { workflow, withDeadline } as unknown as Client;
}

async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}

describe('the list of those who listen', () => {
  test('is asked for where it is old, once for many notifications', async () => {
    const { client, asked } = lists(() => [muteLockIdOf(held), muteOnEntryIdOf(held), muteOnEntryIdOf(joined)]);
    const listeners = new Listeners(client, QUEUE);
    expect(asked()).toBe(0);
    const both = [muteLockIdOf(held), muteOnEntryIdOf(held)];
    for (let seen = 0; seen < 1_000; seen += 1) {
      const found = await Promise.all([held, joined, free].map(async (callId) => await listeners.of(callId)));
      expect(found).toEqual([both, [muteOnEntryIdOf(joined)], []]);
    }
    expect(await listeners.of(held.toUpperCase().replaceAll('-', ''))).toEqual(both);
    expect(asked()).toBe(1);
  });

  test('that cannot be had leaves things as they are', async () => {
    const { client, asked } = lists(() => {
      throw new Error('Temporal is not there');
    });
    const listeners = new Listeners(client, QUEUE);
    expect(await listeners.of(held)).toEqual([]);
    expect(await listeners.of(held)).toEqual([]);
    expect(asked()).toBe(1);
  });

  test('that comes late is not waited for', async () => {
    let come = (): void => {};
    const late = new Promise<void>((resolve) => {
      come = resolve;
    });
    const client = listing(async () => {
      await late;
      return [muteLockIdOf(held)];
    });
    const listeners = new Listeners(client, QUEUE);
    const began = performance.now();
    expect(await listeners.of(held)).toEqual([]);
    expect(performance.now() - began).toBeLessThan(3_000);
    come();
    await settled();
    expect(await listeners.of(held)).toEqual([muteLockIdOf(held)]);
  });

  test('that is too long is not kept: then every call counts as having both', async () => {
    const { client } = lists(() => Array.from({ length: 10_001 }, (_, index) => muteLockIdOf(`call-${index}`)));
    const listeners = new Listeners(client, QUEUE);
    expect(await listeners.of(free)).toEqual([muteLockIdOf(free), muteOnEntryIdOf(free)]);
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
    const hold = await service.moderation.keepMuted({ callId: call.id });
    const entry = await service.moderation.muteOnEntry({ callId: call.id });
    const muted = await service.moderation.mute({ callId: call.id });
    await muted.result();
    // Until the mute lock has heard of the end of its mute, which is a signal, too.
    await until(
      async () => await hold.status(),
      ({ phase }) => phase === 'keepingMuted',
    );
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
      const events = await Promise.all([muteLockIdOf(call.id), muteOnEntryIdOf(call.id)].map(eventsOf));
      return events.map(({ WorkflowExecutionSignaled = 0 }) => WorkflowExecutionSignaled);
    }
  });

  test('that is the first for long in a quiet call is told all the same', { timeout: 60_000 }, async () => {
    const call = service.call();
    const entry = await service.moderation.muteOnEntry({ callId: call.id });
    // It has looked by itself, and does not look again for half a minute; and what the webhook knows is old.
    await until(
      async () => call.requests.filter(({ name }) => name === 'listParticipants').length,
      (looks) => looks >= 2,
    );
    await pause(3_500);
    await service.graph.addParticipants(call.id, 1);
    await until(
      async () => await entry.status(),
      ({ muted }) => muted === 1,
      10_000,
    );
    await entry.release();
    await entry.result();
  });

  async function eventsOf(workflowId: string): Promise<Record<string, number>> {
    return eventsByType((await service.client.workflow.getHandle(workflowId).fetchHistory()).events ?? []);
  }
});
