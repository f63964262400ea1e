import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ModerationClient } from '../src/client/moderation-client.ts';
import { loadClientConfig } from '../src/config.ts';
import { UnreadablePayload } from '../src/contract/unreadable.ts';
import { closeClient, connectClient } from '../src/temporal/connect.ts';
import { MadePolicies } from './support/made-policies.ts';
import { Service } from './support/service.ts';

/** Policies that are encrypted with a key that this deployment does not have: its own, and another deployment's. */

let service: Service;
let others: Awaited<ReturnType<typeof connectClient>>;
const made = new MadePolicies({ action: 'mute', target: { live: {} }, when: { once: '2099-01-01' } });
const [own, theirs] = [`own-${randomUUID()}`, `theirs-${randomUUID()}`];

beforeAll(async () => {
  service = await Service.start();
  const keys = `other:${randomBytes(32).toString('base64')}`;
  others = await connectClient(loadClientConfig({ ...service.env, MODERATION_PAYLOAD_KEYS: keys }));
  for (const [id, taskQueue] of [
    [own, service.taskQueue],
    [theirs, `theirs-${randomUUID()}`],
  ] as const) {
    await new ModerationClient({ client: others, taskQueue }).policies.create(made.of({ id }));
  }
});
afterEach(async () => await made.delete(service.client));
afterAll(async () => {
  await closeClient(others);
  await service.stop();
});

test('keep nobody from the others: quiet hours end, lists are whole, and they can be paused and deleted', async () => {
  const { policies } = service.moderation;
  const call = service.call();
  const now = Math.ceil(Date.now() / 1_000) * 1_000;
  const clock = (seconds: number): string => new Date(now + seconds * 1_000).toISOString().slice(11, 19);
  const quietHours = { from: clock(-60), to: clock(15) };
  const policy = made.of({ target: { calls: [call.id] }, when: { quietHours } });
  await policies.create(policy);
  await call.until(() => call.self.serverMuted);
  await call.until(() => !call.self.serverMuted, 45_000);

  const listed: string[] = [];
  for await (const { id } of policies.list()) listed.push(id);
  expect(listed).toEqual(expect.arrayContaining([own, policy.id]));
  expect(listed).not.toContain(theirs);

  await expect(policies.describe(own)).rejects.toThrow(UnreadablePayload);
  await expect(policies.pause(theirs)).rejects.toMatchObject({ type: 'OtherDeployment' });
  const message = expect.stringContaining('no policy that can be read here') as string;
  expect(await policies.pause(own)).toEqual({ muted: [], message });
  expect(await policies.delete(own)).toEqual({ muted: [], message });
});
