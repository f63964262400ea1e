import type { PolicyCall } from '../../activities/types.ts';
import type { PolicyTarget } from '../../contract/policy.ts';
import { lists } from '../activity-proxies.ts';

/**
 * The calls of a policy's target, batch by batch.
 *
 * A list of active calls is in the order of their runs' starts, the newest first. A call whose workflow continues as
 * new while the list is read moves to its front, before the place that has been reached. So after the last page the
 * list is swept again for runs that have started since (LAG_MS before that, because lists lag), until a sweep finds
 * no other call. A call that is active during the whole run is addressed at least once; one that is established
 * meanwhile may be.
 */

export const BATCH = 200;
const LAG_MS = 10_000;

/** Calls that are established all the time must not keep a run going. */
const MAX_SWEEPS = 5;

/** Runs that have started since a sweep began, and are known. More are addressed twice, which does no harm. */
const MAX_KNOWN = 1_000;

/** Where a run is in the calls of its target. */
export interface Place {
  /** In the list of calls, or Temporal's token of the next page. */
  from?: string;
  /** Sweeps of the live calls so far, and when the present one began. */
  sweeps: number;
  beganAt: number;
  /** The sweep before. */
  beforeAt?: number;
  /** Calls of runs that have started lately. */
  known: string[];
  /** The present sweep has found a call that was not known. */
  isNews: boolean;
}

export function firstPlace(): Place {
  return { sweeps: 0, beganAt: Date.now(), known: [], isNews: false };
}

/** The next calls, and the place after them if there may be more. */
export async function nextCalls(target: PolicyTarget, place: Place): Promise<{ calls: PolicyCall[]; next?: Place }> {
  if ('live' in target) return await nextLive(target.live, place);
  const from = Number(place.from ?? 0);
  const calls = target.calls.slice(from, from + BATCH).map((callId) => ({ callId }));
  return { calls, ...(from + BATCH < target.calls.length && { next: { ...place, from: String(from + BATCH) } }) };
}

async function nextLive(
  filter: { tenantId?: string; label?: string },
  place: Place,
): Promise<{ calls: PolicyCall[]; next?: Place }> {
  const { from: pageToken, beforeAt, beganAt } = place;
  const page = {
    ...filter,
    pageSize: BATCH,
    ...(pageToken !== undefined && { pageToken }),
    ...(beforeAt !== undefined && { startedAfter: new Date(beforeAt - LAG_MS).toISOString() }),
  };
  const summary = beforeAt === undefined ? 'List the active calls' : 'List the calls that became active since';
  const { calls: listed, next: token } = await lists.listLiveCalls.executeWithOptions({ summary }, [page]);
  const seen = new Set(place.known);
  const calls = listed.filter(({ callId }) => !seen.has(callId));
  const lately = calls.filter(({ startedAt }) => startedAt >= beganAt - LAG_MS).map(({ callId }) => callId);
  const known = [...place.known, ...lately].slice(-MAX_KNOWN);
  const isNews = place.isNews || calls.length > 0;
  const addressed = calls.map(({ startedAt: _startedAt, ...call }) => call);
  if (token !== undefined) return { calls: addressed, next: { ...place, from: token, known, isNews } };
  const isOver = place.sweeps + 1 >= MAX_SWEEPS || (place.sweeps > 0 && !isNews);
  if (isOver) return { calls: addressed };
  const next = { sweeps: place.sweeps + 1, beganAt: Date.now(), beforeAt: beganAt, known, isNews: false };
  return { calls: addressed, next };
}
