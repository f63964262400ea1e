import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MuteLockHandle } from '../../src/client/standing/mute-locks.ts';
import { Deployment } from '../support/deployment.ts';

/** A mute lock whose worker and webhook die, as processes do. */

async function untilHolding(hold: MuteLockHandle): Promise<void> {
  while ((await hold.status()).phase !== 'keepingMuted') {
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

let deployment: Deployment;
beforeAll(async () => {
  deployment = await Deployment.start();
}, 60_000);
afterAll(async () => await deployment.stop());

test(
  'mutes again and unmutes at its end without starter and webhook, and with another worker',
  { timeout: 120_000 },
  async () => {
    const [worker, webhook] = await Promise.all([deployment.worker(), deployment.webhook()]);
    const call = deployment.call();
    const hold = await deployment.moderation().keepMuted({ callId: call.id, forSeconds: 30 });
    await untilHolding(hold);
    await Promise.all([worker.kill(), webhook.kill()]);
    await deployment.graph.setParticipant(call.id, call.participantId, { serverMuted: false });
    const next = await deployment.worker();
    await call.until(() => call.posts.length >= 2, 25_000);
    expect(await hold.result()).toMatchObject({ endedBy: 'expired' });
    expect(call.self.isMuted).toBe(false);
    expect(call.posts.at(-1)).toBe('unmute');
    await next.kill();
  },
);

test('unmutes late, where nobody worked when its time came', { timeout: 120_000 }, async () => {
  const [worker, webhook] = await Promise.all([deployment.worker(), deployment.webhook()]);
  const call = deployment.call();
  const hold = await deployment.moderation().muteFor({ callId: call.id, forSeconds: 3 });
  await call.until(() => call.self.serverMuted);
  await Promise.all([worker.kill(), webhook.kill()]);
  await new Promise((resolve) => {
    setTimeout(resolve, 3_500);
  });
  expect(call.self.serverMuted).toBe(true);
  const next = await deployment.worker();
  expect(await hold.result()).toMatchObject({ endedBy: 'expired' });
  expect(call.self.isMuted).toBe(false);
  await next.kill();
});
