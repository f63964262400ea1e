import { muteOnEntryRuleOf } from '../../contract/mute-on-entry-check.ts';
import { scheduleIdOf } from '../../contract/policy.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import type { Calls } from '../calls/calls.ts';
import type { OperationRecord } from '../operations/records.ts';
import type { MutesOnEntry } from '../standing/mutes-on-entry.ts';
import type { LeftBehind, PolicyDescription } from './policy-types.ts';

/** Mutes on entry that are named at most. */
const MAX_NAMED = 2_000;

/** Calls that are looked up at the same time. */
const MAX_CONCURRENT_LOOKUPS = 20;

type Latest = (callId: string) => Promise<OperationRecord | undefined>;

/** Finds what a policy that is stopped leaves muted, and muting on entry. */
export class LeftBehindFinder {
  readonly #calls: Pick<Calls, 'hasEnded'>;
  readonly #latest: Latest;
  readonly #mutesOnEntry: Pick<MutesOnEntry, 'callsOfPolicy'>;

  constructor(calls: Pick<Calls, 'hasEnded'>, latest: Latest, mutesOnEntry: Pick<MutesOnEntry, 'callsOfPolicy'>) {
    this.#calls = calls;
    this.#latest = latest;
    this.#mutesOnEntry = mutesOnEntry;
  }

  /** `description` is from before it was stopped; `undefined` if it could not be read. */
  async find(id: string, description: PolicyDescription | undefined): Promise<LeftBehind> {
    if (description === undefined) {
      const message = `Schedule ${scheduleIdOf(id)} contains no policy that can be read here, so the calls that it leaves muted are unknown.`;
      return { muted: [], message };
    }
    const { policy, lastRun } = description;
    const isOfOthers = policy.request?.target !== undefined;
    const isOnEntry = muteOnEntryRuleOf(policy.rules) !== undefined;
    const mutingOnEntry = await this.#mutingOnEntry(id);
    const candidates = policy.action === 'mute' && !isOfOthers ? (lastRun?.report?.confirmed ?? []) : [];
    const muted = await this.#leftMuted(candidates);
    const left = isOfOthers
      ? `Participants whom policy ${id} has muted stay muted, because Graph cannot unmute others. They can unmute themselves.`
      : muted.length === 0
        ? `As far as Temporal knows, the last run of policy ${id} leaves no call muted.`
        : `The last run of policy ${id} leaves ${muted.length} call(s) muted. Unmute them if that is not wanted.`;
    const message = [
      // Also report mutes on entry started before the policy was changed.
      ...(isOnEntry && muted.length === 0 ? [] : [left]),
      ...(isOnEntry || mutingOnEntry.length > 0 ? [messageOnEntry(id, mutingOnEntry.length)] : []),
      ...(lastRun?.status === 'RUNNING' ? ['A run of it is under way and continues.'] : []),
    ].join(' ');
    return { muted, ...(mutingOnEntry.length > 0 && { mutingOnEntry }), message };
  }

  async #leftMuted(callIds: readonly string[]): Promise<string[]> {
    const muted: string[] = [];
    for await (const callId of inParallel(callIds, MAX_CONCURRENT_LOOKUPS, async (id) =>
      (await this.#isLeftMuted(id)) ? id : undefined,
    )) {
      if (callId !== undefined) muted.push(callId);
    }
    return muted.toSorted();
  }

  async #isLeftMuted(callId: string): Promise<boolean> {
    const latest = await this.#latest(callId);
    const isMuted = latest?.action === 'mute' && latest.outcome === 'Confirmed';
    return isMuted && !(await this.#calls.hasEnded(callId));
  }

  async #mutingOnEntry(id: string): Promise<string[]> {
    const found: string[] = [];
    for await (const callId of this.#mutesOnEntry.callsOfPolicy(id)) {
      if (found.push(callId) >= MAX_NAMED) break;
    }
    return found.toSorted();
  }
}

function messageOnEntry(id: string, count: number): string {
  if (count === 0) return `As far as Temporal's lists show, no mute on entry continues that policy ${id} has started.`;
  const many = count < MAX_NAMED ? `${count}` : `${count} or more`;
  return `In ${many} call(s) a mute on entry continues that policy ${id} has started. Release them if that is not wanted.`;
}
