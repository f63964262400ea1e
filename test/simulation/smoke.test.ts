import { expect, test } from 'vitest';
import { simulate } from './clock.ts';
import { World } from './world.ts';

test('smoke', async () => {
  const start = Date.parse('2027-03-01T12:00:00Z');
  const world = new World(1, start);
  const began = performance.now();
  const log: unknown[] = [];
  await simulate(world.clock, () => {
    const a = world.deploy('call-moderation');
    const call = world.graph.create({ id: 'c1', people: 3, isDelta: false });
    world.serve(call, a);
    const note = (what: string) => (value: unknown) => log.push([what, new Date().toISOString(), value]);
    a.ask(async (m) => { const op = await m.mute({ callId: 'c1' }); return await op.result(); }).then(note('mute'), note('mute!'));
    world.clock.after(60_000, () => {
      a.ask(async (m) => { const h = await m.hold({ callId: 'c1', forSeconds: 6 * 3600 }); return await h.result(); }).then(note('hold'), note('hold!'));
    });
    world.clock.after(600_000, () => world.graph.set(call, call.own, { serverMuted: false }));
    world.clock.runUntil(start + 8 * 3600_000);
  });
  console.log(performance.now() - began, 'ms', world.clock.events, 'events', log, world.graph.log.slice(0, 20), world.server.findings, world.server.runs.map((r) => [r.start.type, r.status, r.events, r.done.length]));
  expect(world.server.findings).toEqual([]);
});
