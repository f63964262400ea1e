import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Team, type Language } from './team.ts';
import { Deployment } from '../support/deployment.ts';
import { undecided } from '../support/service.ts';
import { until } from '../support/until.ts';

/** Nexus operations whose worker dies, as a process does. */

const endpoint = `moderation-${randomUUID()}`;

let deployment: Deployment;
let team: Team;
let works: Language[];
beforeAll(async () => {
  deployment = await Deployment.start({ MODERATION_NEXUS_ENDPOINT: endpoint });
  team = await Team.start(endpoint, deployment.taskQueue);
  works = (await team.work('Python')) ? ['TypeScript', 'Python'] : ['TypeScript'];
  await team.work('TypeScript');
});
afterAll(async () => {
  await team.stop();
  await deployment.stop();
});

test('a worker that is killed in between is replaced, and the callers receive their results', async () => {
  const [worker] = await Promise.all([deployment.worker(), deployment.webhook()]);
  const asked = works.map((language) => ({ language, call: deployment.call({ faults: undecided }) }));
  const callers = await Promise.all(
    asked.map(async ({ language, call }) => await team.call(language, 'mute', { callId: call.id })),
  );
  await Promise.all(asked.map(async ({ call }) => await call.untilAsked('mute')));
  // A worker that dies before it has recorded Graph's answer makes another one ask again.
  const latest = async (callId: string) => await deployment.moderation().getLatestOperation(callId);
  for (const { call } of asked) {
    await until(
      async () => await latest(call.id),
      (found) => found?.status?.phase === 'confirming',
    );
  }
  await worker.kill();
  // Asked for while nobody serves Nexus.
  const late = deployment.call();
  const [lateCaller, status] = await Promise.all([
    team.call('TypeScript', 'keepMuted', { callId: late.id, forSeconds: 1 }),
    team.call('TypeScript', 'status', { callId: late.id }),
  ]);
  for (const { call } of asked) deployment.graph.setFaults(call.id, {});
  await deployment.worker();
  for (const caller of callers)
    expect(await caller.result()).toMatchObject({ result: { action: 'mute', isMuted: true } });
  expect(asked.map(({ call }) => call.posts)).toEqual(asked.map(() => ['mute']));
  expect(await lateCaller.result()).toMatchObject({ result: { endedBy: 'expired' } });
  expect(late.posts).toEqual(['mute', 'unmute']);
  expect(await status.result()).toMatchObject({ result: { callId: late.id } });
});
