import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ModerationClient } from '../../src/client/moderation-client.ts';
import { loadClientConfig } from '../../src/config/common.ts';
import { Runs } from '../../src/client/operations/runs.ts';
import { StandingMutes } from '../../src/client/standing/standing-mutes.ts';
import { keyword } from '../../src/contract/attributes.ts';
import { workflowIdOf } from '../../src/contract/call-id.ts';
import { MUTE_ON_ENTRY, muteOnEntryIdOf } from '../../src/contract/mute-on-entry.ts';
import { POLICY_MEMO, SEARCH_ATTRIBUTE, WISHED_AT_MEMO, WORKFLOW } from '../../src/contract/names.ts';
import { Listeners } from '../../src/webhook/delivery/listeners.ts';
import { until } from '../support/until.ts';
import type { Client } from '@temporalio/client';
import { UnreadablePayload } from '../../src/contract/unreadable.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { MadePolicies } from '../support/made-policies.ts';
import { Service } from '../support/service.ts';

/** Policies, and memos of runs, that are encrypted with a key that this deployment does not have: its own, and another deployment's. */

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

test('a list with a memo that cannot be decrypted has all its entries', async () => {
  const call = service.call();
  const start = async (workflowType: string, workflowId: string) =>
    await others.workflow.start(workflowType, {
      workflowId,
      taskQueue: service.taskQueue,
      args: [{ callId: call.id }],
      memo: { [POLICY_MEMO]: 'p', [WISHED_AT_MEMO]: 1 },
      typedSearchAttributes: [keyword(SEARCH_ATTRIBUTE.callId, call.id)],
    });
  const runs = await Promise.all([
    start('mute', workflowIdOf(call.id)),
    start(WORKFLOW.muteOnEntry, muteOnEntryIdOf(call.id)),
  ]);
  const notificationsIn = (client: Client) => new StandingMutes(new Runs(client), service.taskQueue, MUTE_ON_ENTRY);
  // With the key, the memo says whose it is.
  await until(
    async () => await all(notificationsIn(others).callsOfPolicy('p')),
    (found) => found.length > 0,
  );
  expect(await all(notificationsIn(service.client).callsOfPolicy('p'))).toEqual([]);
  expect(await all(service.moderation.list({ callId: call.id }))).toMatchObject([{ action: 'mute' }]);
  expect(await new Listeners(service.client, service.taskQueue).of(call.id)).toEqual([muteOnEntryIdOf(call.id)]);
  await Promise.all(runs.map(async (run) => await run.terminate()));
});

async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of list) found.push(one);
  return found;
}
