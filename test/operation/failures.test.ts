import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModerationErrorType } from '../../src/client/errors.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import type { ModerationRequest } from '../../src/contract/request.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { failureOf } from '../support/expect.ts';
import { Service, undecided, untilPhase } from '../support/service.ts';

/** Every way in which an operation fails, and what it says. */

let service: Service;
beforeAll(async () => {
  // The second is the simulator's own, which stands in the tokens of its notifications.
  service = await Service.start({ MODERATION_TENANTS: 'allowed.example, aa67bd4c-8475-432d-bd41-39f255720e0a' });
});
afterAll(async () => await service.stop());

describe.concurrent('what Graph refuses', () => {
  const refusals: { name: string; faults: Faults; type: ModerationErrorType; details: object; says: string }[] = [
    {
      name: 'an invalid token',
      faults: { requests: [{ on: 'mute', answer: { status: 401, code: 'InvalidAuthenticationToken' } }] },
      type: 'Unauthorized',
      details: { status: 401, code: 'InvalidAuthenticationToken' },
      says: 'credentials',
    },
    {
      name: 'an application that is not registered for calling',
      faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7503' } }] },
      type: 'PermissionDenied',
      details: { status: 403, code: '7503' },
      says: 'Enable calling',
    },
    {
      name: 'a tenant without consent, said in a JSON string',
      faults: {
        requests: [
          {
            on: 'mute',
            answer: {
              status: 403,
              code: 'UnknownError',
              message: JSON.stringify({ errorCode: '7504', message: 'Insufficient', instanceAnnotations: [] }),
            },
          },
        ],
      },
      type: 'PermissionDenied',
      details: { status: 403, code: '7504' },
      says: 'consent',
    },
    {
      name: 'a request that it calls bad',
      faults: { requests: [{ on: 'mute', answer: { status: 400, code: 'BadRequest' } }] },
      type: 'OperationFailed',
      details: { status: 400, code: 'BadRequest' },
      says: 'refuses',
    },
    {
      name: 'with a redirect, which is not followed',
      faults: { requests: [{ on: 'mute', answer: { status: 302, rawBody: '' } }] },
      type: 'OperationFailed',
      details: { status: 302 },
      says: 'redirects are not followed',
    },
    {
      name: 'an operation that failed at once',
      faults: { requests: [{ on: 'mute', operation: { status: 'failed', result: { code: 500, subcode: 7000 } } }] },
      type: 'OperationFailed',
      details: { code: '500', subcode: '7000' },
      says: 'failed',
    },
    {
      name: 'a call that it does not find any more',
      faults: { requests: [{ on: 'mute', answer: { status: 404, code: '8522' } }] },
      type: 'CallEnded',
      details: { status: 404, code: '8522' },
      says: 'has ended',
    },
  ];

  test.each(refusals)('$name', async ({ faults, type, details, says }) => {
    const call = service.call({ faults });
    const error = await failureOf(await service.moderation.mute({ callId: call.id }), type);
    expect(error.message).toContain(call.id);
    expect(error.message).toContain(says);
    expect(error.details).toMatchObject(details);
    // Nothing has taken effect, so nothing is undone.
    expect(call.posts).toEqual(['mute']);
    expect(call.self.isMuted).toBe(false);
  });

  test('with its request ID and ours in the details', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7503' } }] } });
    const { details } = await failureOf(await service.moderation.mute({ callId: call.id }), 'PermissionDenied');
    const post = call.requests.find(({ action }) => action === 'mute');
    expect(details).toMatchObject({ requestId: post?.requestId, clientRequestId: post?.clientRequestId, attempt: 1 });
  });

  test('an operation that failed after Graph had accepted it', async () => {
    const ends = { status: 'failed', afterMs: 300 } as const;
    const call = service.call({
      faults: {
        requests: [{ on: 'mute', operation: { status: 'running', ends, result: { code: 400, subcode: 8508 } } }],
      },
    });
    const error = await failureOf(await service.moderation.mute({ callId: call.id }), 'OperationFailed');
    expect(error.details).toMatchObject({ code: '400', subcode: '8508' });
  });
});

describe.concurrent('a call that cannot be moderated', () => {
  test.each([
    { state: 'establishing', type: 'CallNotEstablished' },
    { state: 'incoming', type: 'CallNotEstablished' },
    { state: 'transferring', type: 'CallNotEstablished' },
    { state: 'terminating', type: 'CallEnded' },
  ] as const)('$state', async ({ state, type }) => {
    const call = service.call({ state });
    const error = await failureOf(await service.moderation.mute({ callId: call.id }), type);
    expect(error.message).toContain(call.id);
    expect(call.posts).toEqual([]);
  });

  test('peer-to-peer', async () => {
    const call = service.call({ kind: 'p2p' });
    const error = await failureOf(await service.moderation.mute({ callId: call.id }), 'NotAGroupCall');
    expect(error.message).toContain('group call');
    expect(call.posts).toEqual([]);
  });

  test('never seen', async () => {
    const error = await failureOf(
      await service.moderation.mute({ callId: 'no-such-call-of-failures' }),
      'CallNotFound',
    );
    expect(error.details).toMatchObject({ status: 404, code: '8522' });
  });

  test('ended while it was read', async () => {
    const call = service.call({ faults: { requests: [{ on: 'getCall', latencyMs: 2_000 }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'reading');
    await service.graph.endCall(call.id, { code: 200, subcode: 5003 });
    const error = await failureOf(handle, 'CallEnded');
    expect(error.details).toMatchObject({ code: '200', subcode: '5003' });
    expect(call.posts).toEqual([]);
  });

  test('ended while the roster was waited for', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', effect: false }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    await service.graph.endCall(call.id);
    const error = await failureOf(handle, 'CallEnded');
    expect(error.details.restored).toBeUndefined();
    expect(call.posts).toEqual(['mute']);
  });

  test('ended, and the notification of it lost', async () => {
    const call = service.call({
      faults: {
        requests: [{ on: 'mute', effect: false }],
        notifications: [{ on: 'any', drop: true, times: 'forever' }],
      },
    });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    await service.graph.endCall(call.id);
    await failureOf(handle, 'CallEnded');
  });
});

describe.concurrent('a request that is not valid', () => {
  const bad: { name: string; request: object; says: string }[] = [
    { name: 'no call', request: {}, says: 'callId is required' },
    { name: 'a call ID with a slash', request: { callId: 'a/b' }, says: 'callId must be' },
    { name: 'a call ID of 129 characters', request: { callId: 'a'.repeat(129) }, says: 'callId must be' },
    { name: 'a misspelt field', request: { callId: 'a', confirmWithin: 3 }, says: '"confirmWithin" is not a field' },
    { name: 'no time at all', request: { callId: 'a', confirmWithinSeconds: 0 }, says: 'confirmWithinSeconds must be' },
    { name: 'a time as text', request: { callId: 'a', confirmWithinSeconds: '30' }, says: 'confirmWithinSeconds' },
    { name: 'an unknown choice', request: { callId: 'a', onUnconfirmed: 'undo' }, says: 'onUnconfirmed must be' },
    { name: 'a long clientContext', request: { callId: 'a', clientContext: 'x'.repeat(257) }, says: 'clientContext' },
    { name: 'a null', request: { callId: 'a', reason: null }, says: 'reason must be' },
    { name: 'a tenant that is a path', request: { callId: 'a', tenantId: '../x' }, says: 'tenantId must be' },
  ];

  test.each(bad)('from our client, before anything is sent: $name', async ({ request, says }) => {
    const start = service.moderation.mute(request as ModerationRequest);
    await expect(start).rejects.toMatchObject({ type: 'InvalidRequest', message: expect.stringContaining(says) });
  });

  test.each(bad)('from any client: $name', async ({ name, request, says }) => {
    const run = await service.client.workflow.start('mute', {
      workflowId: `call-moderation/bad-${name.replaceAll(' ', '-')}`,
      taskQueue: service.taskQueue,
      args: [request],
    });
    await expect(run.result()).rejects.toMatchObject({
      cause: { type: 'InvalidRequest', message: expect.stringContaining(says) },
    });
  });

  test.each([
    { name: 'text', args: ['a-call'] },
    { name: 'nothing', args: [] },
    { name: 'null', args: [null] },
    { name: 'a list', args: [[{ callId: 'x' }]] },
    { name: 'two objects', args: [{ callId: 'two' }, { isPosted: true }] },
  ])('as input: $name', async ({ name, args }) => {
    const run = await service.client.workflow.start('unmute', {
      workflowId: `call-moderation/${name === 'two objects' ? 'two' : `input-${name}`}`,
      taskQueue: service.taskQueue,
      args,
    });
    await expect(run.result()).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
  });

  test('under another workflow ID', async () => {
    const call = service.call();
    const run = await service.client.workflow.start('mute', {
      workflowId: `mute-${call.id}`,
      taskQueue: service.taskQueue,
      args: [{ callId: call.id }],
    });
    await expect(run.result()).rejects.toMatchObject({
      cause: { type: 'InvalidRequest', message: expect.stringContaining(call.workflowId) },
    });
    expect(call.requests).toEqual([]);
  });

  test('of a tenant that is not allowed', async () => {
    const call = service.call();
    const handle = await service.moderation.mute({ callId: call.id, tenantId: 'other.example' });
    const error = await failureOf(handle, 'InvalidRequest');
    expect(error.message).toContain('MODERATION_TENANTS');
    expect(call.requests).toEqual([]);
    const allowed = await service.moderation.mute({ callId: call.id, tenantId: 'Allowed.Example' });
    expect(await allowed.result()).toMatchObject({ isMuted: true });
  });
});

describe.concurrent('what does not fit is ignored', () => {
  test('signals of every kind and with any payload', async () => {
    const call = service.call({ faults: undecided });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    const raw = service.client.workflow.getHandle(call.workflowId);
    const payloads = [
      undefined,
      null,
      1,
      'x',
      [],
      {},
      { participants: 'all', full: true },
      { full: true, participants: [{}] },
    ];
    for (const name of [SIGNAL.rosterUpdated, SIGNAL.operationUpdated, SIGNAL.supersede]) {
      for (const payload of payloads) await raw.signal(name, payload);
    }
    await raw.signal(SIGNAL.callEnded, 'x');
    await raw.signal('noSuchSignal', {});
    await raw.signal(SIGNAL.supersede, { action: 'unmute', request: { callId: 'another-call' } });
    await raw.signal(SIGNAL.supersede, { action: 'unmute', request: { callId: call.id, misspelt: true } });
    await service.graph.clearFaults(call.id);
    await service.graph.notify(call.id);
    expect(await handle.result()).toMatchObject({ action: 'mute', isMuted: true });
  });

  test('payloads that cannot even be read, as a signal and as the input', async () => {
    const { workflowService } = service.client;
    const unreadable = [
      { metadata: { encoding: Buffer.from('binary/unheard-of') }, data: Buffer.from('x') },
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{"full":') },
    ];
    const call = service.call({ faults: undecided });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    for (const payload of unreadable) {
      for (const signalName of Object.values(SIGNAL)) {
        await workflowService.signalWorkflowExecution({
          namespace: 'default',
          workflowExecution: { workflowId: call.workflowId },
          signalName,
          input: { payloads: [payload] },
        });
      }
    }
    await service.graph.clearFaults(call.id);
    await service.graph.notify(call.id);
    expect(await handle.result()).toMatchObject({ isMuted: true });

    for (const [index, payload] of unreadable.entries()) {
      const workflowId = `call-moderation/unreadable-${index}`;
      await workflowService.startWorkflowExecution({
        namespace: 'default',
        workflowId,
        workflowType: { name: 'mute' },
        taskQueue: { name: service.taskQueue },
        requestId: workflowId,
        input: { payloads: [payload] },
      });
      const run = service.client.workflow.getHandle(workflowId);
      await expect(run.result()).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
    }
  });
});
