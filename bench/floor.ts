import { randomUUID } from 'node:crypto';
import { setting } from './child.ts';
import { post, readCall } from './graph.ts';
import { serveLoad } from './load.ts';
import { listen } from './notifications.ts';

/**
 * The floor: the same HTTP in one process, and nothing durable. Who waits for what stands in a map, and is gone with the
 * process.
 */
const CONFIRM_WITHIN_MS = 30_000;

const graph = { url: setting('BENCH_GRAPH_URL'), token: setting('BENCH_GRAPH_TOKEN') };
const waiting = new Map<string, { participantId: string; confirm: () => void }>();

const rules = { openIdUrl: setting('BENCH_OPENID_URL'), audience: setting('BENCH_AUDIENCE') };
const callbackUrl = await listen(rules, (callId, roster) => {
  const operation = waiting.get(callId);
  if (roster.some(({ id, isMuted }) => id === operation?.participantId && isMuted)) operation?.confirm();
  return Promise.resolve();
});

serveLoad(
  async (callId, acknowledge) => {
    acknowledge();
    const { participantId } = await readCall(graph, callId);
    let late: NodeJS.Timeout | undefined;
    const confirmed = new Promise<void>((resolve, reject) => {
      waiting.set(callId, { participantId, confirm: resolve });
      late = setTimeout(() => reject(new Error('not confirmed')), CONFIRM_WITHIN_MS);
    });
    try {
      await Promise.all([post(graph, 'mute', callId, randomUUID()), confirmed]);
    } finally {
      clearTimeout(late);
      waiting.delete(callId);
    }
  },
  { callbackUrl },
);
