import { canonicalId, isCallId } from '../../contract/call-id.ts';
import { isTenantId } from '../../contract/tenant.ts';
import { Pool } from '../../lib/pool.ts';
import { invalid } from '../errors.ts';
import { releaseCall } from './release-call.ts';
import { ReleaseCandidates } from './release-candidates.ts';
import { ReleaseRun } from './release-run.ts';
import type { ReleasedCall, ReleaseOptions, ReleaseScope } from './release-types.ts';
import type { ReleaseTerms, ReleaseTools } from './release-work.ts';

/**
 * Releases calls: ends their mutes on entry and their mute locks, and unmutes the application if an operation of ours
 * has left it muted. It is the emergency exit, so it works when other things are broken.
 *
 * - **Operations decide whose mute it is.** The call's operations decide it (`left-muted.ts`); Temporal's lists only
 *   name candidates (`release-candidates.ts`). In doubt the call is unmuted: that is harmless unless somebody else,
 *   such as an organizer, has muted it, who can mute it again, whereas a mute that we left would stay. If the
 *   operations show that we did not mute, nobody else's mute is touched.
 * - **A mute lock unmutes by itself.** If it does not end in time, or its worker does not answer, it is not waited
 *   for: it has received the signal to end, and the call is unmuted beside it. If it refuses the signal, it is
 *   cancelled, and if it refuses that, it is terminated, so that it cannot mute again.
 * - **Each call succeeds or fails on its own.** Each gets a result within its time, whatever goes wrong. A call that
 *   has ended is not a failure.
 * - **An operation without progress is terminated.** If no worker can run it, it is waited for like any other; then
 *   it is terminated, and the call is unmuted again. It is not terminated if a request to Graph is under way, because
 *   that could arrive after the unmute.
 * - **Other deployments are left alone.** Only workflows of our own task queue receive signals. A call that another
 *   deployment keeps muted, or has changed last, is refused.
 */

/** Calls that are released at the same time; most of that is waiting. */
const MAX_CONCURRENT_CALLS = 20;

const DEFAULT_WITHIN_SECONDS = 120;
const MAX_WITHIN_SECONDS = 3_600;

export class Releaser {
  readonly #tools: ReleaseTools;

  constructor(tools: ReleaseTools) {
    this.#tools = tools;
  }

  /** @throws {ModerationError} `InvalidRequest` */
  release(scope: ReleaseScope, options: ReleaseOptions): ReleaseRun {
    requireScope(scope);
    const { withinSeconds: seconds = DEFAULT_WITHIN_SECONDS } = options;
    if (!(seconds >= 1 && seconds <= MAX_WITHIN_SECONDS)) {
      throw invalid([`withinSeconds must be a number from 1 to ${MAX_WITHIN_SECONDS}`]);
    }
    if ('callId' in scope) {
      const callId = canonicalId(scope.callId);
      return new ReleaseRun(async (emit) => {
        emit(await releaseCall(this.#tools, callId, { ...options, seconds, onStarted: () => undefined }));
      });
    }
    const tenantId = 'tenantId' in scope ? scope.tenantId : undefined;
    return new ReleaseRun(async (emit) => await this.#releaseMany(tenantId, { ...options, seconds }, emit));
  }

  async #releaseMany(
    tenantId: string | undefined,
    options: ReleaseOptions & { seconds: number },
    emit: (result: ReleasedCall) => void,
  ): Promise<void> {
    const candidates = new ReleaseCandidates(this.#tools, tenantId);
    const terms: ReleaseTerms = { ...options, onStarted: (runId) => candidates.started(runId) };
    const pool = new Pool(MAX_CONCURRENT_CALLS);
    const seen = new Set<string>();
    const named = new Set<string>();
    // An active call without any operation of ours is not reported, unless a list names it after all.
    const withheld = new Map<string, ReleasedCall>();
    const release = async (callId: string): Promise<void> => {
      const released = await releaseCall(this.#tools, callId, terms);
      const isNothing = released.outcome === 'notMuted' && released.muteOnEntry === undefined;
      if (isNothing && !named.has(callId)) withheld.set(callId, released);
      else emit(released);
    };
    const gaps = await candidates.find(({ callId, isNamed }) => {
      if (isNamed) named.add(callId);
      const late = isNamed ? withheld.get(callId) : undefined;
      if (late !== undefined) {
        withheld.delete(callId);
        emit(late);
      }
      if (seen.has(callId)) return;
      seen.add(callId);
      pool.add(async () => await release(callId));
    });
    await pool.emptied();
    if (gaps.length > 0) emit(incomplete(gaps));
  }
}

function requireScope(scope: ReleaseScope): void {
  if ('callId' in scope) {
    if (isCallId(scope.callId)) return;
    throw invalid(['callId must be 1 to 128 of A-Z a-z 0-9 _ -; pass the id that Graph returned for the call']);
  }
  if ('tenantId' in scope) {
    if (isTenantId(scope.tenantId)) return;
    throw invalid(['tenantId must be the ID or a domain of a tenant']);
  }
  // Also from callers without types: a release of nothing must not look like one of everything, nor like a success.
  if ((scope as { everywhere?: unknown }).everywhere === true) return;
  throw invalid(['the scope must be { callId }, { tenantId } or { everywhere: true }']);
}

function incomplete(gaps: readonly string[]): ReleasedCall {
  const message = `Calls may be missing, because Temporal could not list everything (${gaps.join('; ')}). The calls that were listed are released. Release again.`;
  return { callId: '*', outcome: 'incomplete', type: 'TemporalUnavailable', message };
}
