import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { loadClientConfig } from '../../src/config/common.ts';
import { workflowIdOf } from '../../src/contract/call-id.ts';
import { LIVE_CALL_SIGNAL, SEARCH_ATTRIBUTE } from '../../src/contract/names.ts';
import { scheduleIdOf } from '../../src/contract/policy.ts';
import { closeClient, connectClient } from '../../src/temporal/connect.ts';
import { Service } from '../support/service.ts';

/**
 * What stays plain in Temporal although `MODERATION_PAYLOAD_KEYS` is set: all of it is listed in `docs/deploy.md`, and
 * nothing else does. Every text that somebody may enter is planted and looked for in the very bytes that Temporal keeps.
 */

/** Encrypted, wherever it is kept. */
const HIDDEN = {
  reason: 'planted-reason',
  requestedBy: 'planted-requester',
  clientContext: 'planted-context',
  policyReason: 'planted-policy-reason',
};

/** Plain, and named by the list. */
const PLAIN = {
  tenantId: randomUUID(),
  requestId: 'planted-request-id',
  label: 'planted-label',
  note: 'planted-note',
  policyId: 'planted-policy',
};

let service: Service;
beforeAll(async () => {
  service = await Service.start({ MODERATION_PAYLOAD_KEYS: `a:${randomBytes(32).toString('base64')}` });
});
afterAll(async () => await service.stop());

/** With what every base64 in it decodes to: that is how bytes are written. */
function textOf(kept: object): string {
  const decoded = (_: string, value: unknown): unknown =>
    typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z0-9+/]{4,}={0,2}$/.test(value)
      ? `${value} ${Buffer.from(value, 'base64').toString('latin1')}`
      : value;
  return JSON.stringify(kept, decoded);
}

test('nothing that people enter stays plain but what the list names', { timeout: 120_000 }, async () => {
  // Without the keys, as Temporal itself looks at it.
  const { MODERATION_PAYLOAD_KEYS: _, ...withoutKeys } = service.env;
  const client = await connectClient(loadClientConfig(withoutKeys));
  const { workflowService } = client.connection;
  const { namespace } = client.options;
  const call = service.call();
  const { moderation } = service;
  const { reason, requestedBy, clientContext, policyReason } = HIDDEN;
  const request = { callId: call.id, tenantId: PLAIN.tenantId, requestId: PLAIN.requestId };
  const handle = await moderation.mute({ ...request, reason, requestedBy, clientContext });
  await handle.result();
  const hold = await moderation.keepMuted({ callId: call.id, reason, requestedBy });
  await hold.release();
  await moderation.calls.label(call.id, { add: [PLAIN.label] });
  const policy = { id: PLAIN.policyId, action: 'mute', target: { calls: [call.id] }, when: { every: '1h' } } as const;
  await moderation.policies.create(
    { ...policy, request: { reason: policyReason, requestedBy } },
    { paused: true, note: PLAIN.note },
  );

  const scheduleId = scheduleIdOf(PLAIN.policyId);
  const kept = [textOf(await workflowService.describeSchedule({ namespace, scheduleId }))];
  const query = `WorkflowId STARTS_WITH '${workflowIdOf(call.id)}'`;
  // The operation, the mute lock with its own two, and the live call.
  const runs = await vi.waitUntil(
    async () => {
      // As the server has them: memos are encrypted, and this client has no key.
      const { executions } = await workflowService.listWorkflowExecutions({ namespace, query });
      return executions.length >= 4 && executions.flatMap(({ execution }) => execution ?? []);
    },
    { timeout: 30_000, interval: 200 },
  );
  for (const execution of runs) {
    kept.push(textOf(await workflowService.describeWorkflowExecution({ namespace, execution })));
    kept.push(textOf(await workflowService.getWorkflowExecutionHistory({ namespace, execution })));
  }
  await moderation.policies.delete(PLAIN.policyId);
  await closeClient(client);
  const all = kept.join('\n');
  for (const hidden of Object.values(HIDDEN)) expect(all, hidden).not.toContain(hidden);
  expect(all).not.toContain(call.participantId);
  // That bytes are looked into at all.
  expect(all).toContain('binary/encrypted');
  for (const plain of Object.values(PLAIN)) expect(all, plain).toContain(plain);

  // The list names whatever is plain by a name of ours.
  const list = /\n\*\*What stays plain\*\*[\s\S]*?\n\n\*\*/.exec(await readFile('docs/deploy.md', 'utf8'))?.[0] ?? '';
  for (const name of Object.values(SEARCH_ATTRIBUTE)) expect(list, name).toContain(name);
  expect(all).toContain(LIVE_CALL_SIGNAL.label);
  for (const word of ['note', 'signals', 'memo', 'failures', 'identity', 'headers', 'heartbeat']) {
    expect(list.toLowerCase(), word).toContain(word);
  }
});
