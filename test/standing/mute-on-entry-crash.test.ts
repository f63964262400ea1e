import { afterAll, beforeAll, expect, test } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

/** A mute on entry whose worker and webhook die, as processes do. */

let deployment: Deployment;
beforeAll(async () => {
  deployment = await Deployment.start();
}, 60_000);
afterAll(async () => await deployment.stop());

test(
  'continues with another worker, without the webhook, and starts no operation twice',
  { timeout: 120_000 },
  async () => {
    const [worker, webhook] = await Promise.all([deployment.worker(), deployment.webhook()]);
    const moderation = deployment.moderation();
    const call = deployment.call({ faults: { requests: [{ on: 'muteParticipant', latencyMs: 3_000 }] } });
    const entry = await moderation.muteOnEntry({ callId: call.id });
    await until(
      async () => await entry.status(),
      ({ phase }) => phase === 'watching',
    );
    await deployment.graph.addParticipants(call.id, 1);
    // In the middle of the operation, whose request is under way.
    await call.until(() => call.requests.some(({ name }) => name === 'muteParticipant'), 30_000);
    await Promise.all([worker.kill(), webhook.kill()]);
    await deployment.graph.addParticipants(call.id, 1);
    const next = await deployment.worker();
    await until(
      async () => await entry.status(),
      ({ muted }) => muted === 2,
      60_000,
    );
    await entry.release();
    expect(await entry.result()).toMatchObject({ endedBy: 'released', newcomers: 2, muted: 2 });
    const { participants } = deployment.graph.describe(call.id);
    expect(participants.map(({ serverMuted }) => serverMuted)).toEqual([false, false, false, true, true]);
    const runs: string[] = [];
    for await (const { runId, action } of moderation.list({ callId: call.id })) if (action === 'mute') runs.push(runId);
    expect(runs).toHaveLength(2);
    await next.kill();
  },
);
