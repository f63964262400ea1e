import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf } from '../support/expect.ts';
import { Service, type TestCall } from '../support/service.ts';

/** A call that this worker has read before shows with its own participant that it goes on, and is read anew where it does not. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => await service.stop());

/** Muted once, and what Graph was asked for since. */
async function knownCall(
  given: Parameters<Service['call']>[0] = {},
): Promise<{ call: TestCall; names: () => string[] }> {
  const call = service.call(given);
  await (await service.moderation.mute({ callId: call.id })).result();
  const before = call.requests.length;
  return { call, names: () => call.requests.slice(before).map(({ name }) => name) };
}

/** Once Graph was asked, the roster lists the application. */
async function shown(call: TestCall, action: 'mute' | 'unmute'): Promise<void> {
  await call.untilAsked(action);
  await service.graph.clearFaults(call.id);
  await service.graph.notify(call.id);
}

describe.concurrent('a known call', () => {
  test('is put back as its own participant was read', async () => {
    const { call, names } = await knownCall();
    service.graph.setFaults(call.id, { requests: [{ on: 'unmute', effect: false }] });
    const handle = await service.moderation.unmute({ callId: call.id, confirmWithinSeconds: 1 });
    const { details } = await failureOf(handle, 'Unconfirmed');
    expect(details.restored).toBe(true);
    expect((await handle.status()).before).toEqual({ isMuted: true, serverMuted: true });
    expect(names().slice(0, 2)).toEqual(['getParticipant', 'unmute']);
    expect(call.self).toEqual({ isMuted: true, serverMuted: true });
  });

  test('that has ended is not found', async () => {
    const { call, names } = await knownCall();
    await service.graph.endCall(call.id);
    await failureOf(await service.moderation.unmute({ callId: call.id }), 'CallNotFound');
    expect(names()).not.toContain('unmute');
  });

  test('that is about to end has ended', async () => {
    const { call } = await knownCall();
    await service.graph.setCallState(call.id, 'terminated');
    const handle = await service.moderation.unmute({ callId: call.id });
    await failureOf(handle, 'CallEnded');
  });

  test('whose roster does not list the application is read as a whole', async () => {
    const { call, names } = await knownCall();
    service.graph.setFaults(call.id, { hideSelf: true });
    const handle = await service.moderation.unmute({ callId: call.id });
    await shown(call, 'unmute');
    await handle.result();
    expect(names().toSorted()).toEqual(['getCall', 'getParticipant', 'listParticipants', 'unmute']);
  });

  test('is not cached if the roster did not show the application', async () => {
    const call = service.call({ faults: { hideSelf: true } });
    const handle = await service.moderation.mute({ callId: call.id });
    await shown(call, 'mute');
    await handle.result();
    const before = call.requests.length;
    await (await service.moderation.unmute({ callId: call.id })).result();
    const names = call.requests.slice(before).map(({ name }) => name);
    expect(names.toSorted()).toEqual(['getCall', 'listParticipants', 'unmute']);
  });
});
