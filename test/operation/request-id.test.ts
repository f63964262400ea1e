import { randomUUID } from 'node:crypto';
import { InternalWorkflowStartOptionsSymbol } from '@temporalio/client/lib/internal.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIGNAL } from '../../src/contract/names.ts';
import type { ModerationRequest } from '../../src/contract/request.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase } from '../support/service.ts';

/** A request that is asked again, by somebody who does not know what became of it the first time. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

const slow = { requests: [{ on: 'mute' as const, latencyMs: 700 }] };

describe.concurrent('the same requestId', () => {
  test('is the same operation while it runs', async () => {
    const call = service.call({ faults: slow });
    const request = { callId: call.id, requestId: 'r-1', reason: 'on hold' };
    const first = await service.moderation.mute(request);
    const again = await service.moderation.mute(request);
    expect(await again.run()).toMatchObject({ runId: (await first.run()).runId, attached: false });
    expect(await again.result()).toEqual(await first.result());
    expect(call.posts).toEqual(['mute']);
  });

  test('has the same result after the operation has ended, whatever was asked since', async () => {
    const call = service.call();
    const request = { callId: call.id, requestId: randomUUID() };
    const result = await (await service.moderation.mute(request)).result();
    expect(await (await service.moderation.mute(request)).result()).toEqual(result);
    await (await service.moderation.unmute({ callId: call.id })).result();
    await (await service.moderation.mute({ callId: call.id, requestId: 'another' })).result();
    await (await service.moderation.unmute({ callId: call.id })).result();
    expect(await (await service.moderation.mute(request)).result()).toEqual(result);
    expect(call.posts).toEqual(['mute', 'unmute', 'mute', 'unmute']);
    expect(call.self.isMuted).toBe(false);
  });

  test('fails again as it failed', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] } });
    const request = { callId: call.id, requestId: 'refused' };
    const first = await failureOf(await service.moderation.mute(request), 'PermissionDenied');
    const again = await failureOf(await service.moderation.mute(request), 'PermissionDenied');
    expect(again.details).toEqual(first.details);
    expect(call.posts).toEqual(['mute']);
  });

  test('is one operation for many that ask at the same moment', async () => {
    const call = service.call();
    const request = { callId: call.id, requestId: 'at once' };
    const handles = await Promise.all(Array.from({ length: 8 }, async () => await service.moderation.mute(request)));
    const results = await Promise.all(handles.map(async (handle) => await handle.result()));
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(call.posts).toEqual(['mute']);
  });

  test('is one start to the server, also where the first has ended unseen', async () => {
    const call = service.call();
    const request: ModerationRequest = { callId: call.id, requestId: 'start' };
    const first = await service.moderation.mute(request);
    await first.result();
    // As one does that has looked before the first had begun: it finds nothing, and starts.
    const start = async (requestId: string): Promise<string> => {
      const { firstExecutionRunId } = await service.client.workflow.start('mute', {
        workflowId: call.workflowId,
        taskQueue: 'nobody-works-here',
        args: [request],
        ...{ [InternalWorkflowStartOptionsSymbol]: { requestId } },
      });
      return firstExecutionRunId;
    };
    expect(await start('start')).toBe((await first.run()).runId);
    const other = await start('another');
    expect(other).not.toBe((await first.run()).runId);
    await service.client.workflow.getHandle(call.workflowId).terminate();
    expect(call.posts).toEqual(['mute']);
  });

  test('on another call is another operation', async () => {
    const [one, other] = [service.call(), service.call()];
    for (const { id } of [one, other]) {
      await (await service.moderation.mute({ callId: id, requestId: 'shared' })).result();
    }
    expect([one.posts, other.posts]).toEqual([['mute'], ['mute']]);
  });

  test('that superseded another is asked for once, however often it is said', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_500 }] } });
    const first = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const heard = failureOf(first, 'Superseded');
    const request = { callId: call.id, requestId: 'over' };
    const [second, again] = [await service.moderation.unmute(request), await service.moderation.unmute(request)];
    expect(await again.result()).toEqual(await second.result());
    expect((await again.run()).attached).toBe(false);
    await heard;
    expect(await (await service.moderation.unmute(request)).result()).toEqual(await second.result());
    expect(call.posts).toEqual(['mute', 'unmute']);
  });

  test('is found of a run that was started without our client', async () => {
    const call = service.call();
    const request = { callId: call.id, requestId: 'raw' };
    const raw = await service.client.workflow.start('mute', {
      workflowId: call.workflowId,
      taskQueue: service.taskQueue,
      args: [request],
    });
    const result: unknown = await raw.result();
    expect(await (await service.moderation.mute(request)).result()).toEqual(result);
    expect(await service.moderation.getLatestOperation(call.id)).toMatchObject({ record: { requestId: 'raw' } });
    expect(call.posts).toEqual(['mute']);
  });
});

describe.concurrent('a requestId', () => {
  test.each([
    { name: 'another action', action: 'unmute' as const, change: {} },
    { name: 'another reason', action: 'mute' as const, change: { reason: 'other' } },
    { name: 'a field less', action: 'mute' as const, change: { requestedBy: undefined } },
  ])('that was given to $name is refused before anything is sent', async ({ action, change }) => {
    const call = service.call();
    const request = { callId: call.id, requestId: 'taken', requestedBy: 'me' };
    await (await service.moderation.mute(request)).result();
    const refused = service.moderation[action]({ ...request, ...change } as ModerationRequest);
    await expect(refused).rejects.toMatchObject({ type: 'InvalidRequest' });
    await expect(refused).rejects.toThrow(/requestId taken .* choose a new ID/);
    expect(call.posts).toEqual(['mute']);
  });

  test('is a run of its own: it waits for the same action of another, and does not join it', async () => {
    const call = service.call({ faults: slow });
    const first = await service.moderation.mute({ callId: call.id });
    const request = { callId: call.id, requestId: 'own' };
    const second = await service.moderation.mute(request);
    expect((await second.run()).runId).not.toBe((await first.run()).runId);
    expect(await first.result()).toMatchObject({ isMuted: true });
    expect(await (await service.moderation.mute(request)).result()).toEqual(await second.result());
    expect(call.posts).toEqual(['mute', 'mute']);
  });

  test('is not carried over to the run that supersedes its own', async () => {
    const call = service.call({ faults: { notifications: [{ on: 'roster', drop: true, times: 'forever' }] } });
    const first = await service.moderation.mute({ callId: call.id, requestId: 'first' });
    await untilPhase(first, 'confirming');
    const second = await service.moderation.unmute({ callId: call.id });
    await second.result();
    const latest = await service.moderation.getLatestOperation(call.id);
    expect(latest?.record).toMatchObject({ action: 'unmute' });
    expect(latest?.record.requestId).toBeUndefined();
    await failureOf(await service.moderation.mute({ callId: call.id, requestId: 'first' }), 'Superseded');
  });

  test('that is repeated with a raw supersede does not supersede its successor', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 1_500 }] } });
    await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute');
    const run = service.client.workflow.getHandle(call.workflowId);
    const own = { action: 'unmute', request: { callId: call.id, requestId: 'mine' } };
    await run.signal(SIGNAL.supersede, own);
    await run.signal(SIGNAL.supersede, { action: 'mute', request: { callId: call.id, reason: 'later' } });
    await run.signal(SIGNAL.supersede, own);
    expect(await run.result()).toMatchObject({ action: 'mute' });
  });

  test.each(['', 'x'.repeat(129), 7])('of the wrong kind is refused: %j', async (requestId) => {
    const request = { callId: 'c', requestId } as ModerationRequest;
    await expect(service.moderation.mute(request)).rejects.toThrow(/requestId must be a string of 1 to 128/);
  });
});
