import { log } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { grpcStatusOf } from '../client/any-error.ts';
import { inParallel } from '../lib/in-parallel.ts';
import { argumentOf, readSchedule, scheduleIds, type ScheduleRecord } from '../client/policies/schedules.ts';
import { isByRules } from '../contract/mute-on-entry-check.ts';
import { checkPolicy } from '../contract/policy-check.ts';
import { WORKFLOW } from '../contract/names.ts';
import { policyIdOf, scheduleIdOf, type Policy } from '../contract/policy.ts';
import { UnreadablePayload } from '../contract/unreadable.ts';

/**
 * The policies of this deployment with rules that apply at any moment: `onEstablished`, mute on entry, quiet hours.
 * All activities of a worker share this memory.
 *
 * - **One read at a time.** The policies are read at most every REMEMBER_MS. A list names them; each is then read by
 *   itself, several at a time, because only that shows whether it is ours, paused and valid.
 * - **A failed read continues.** Policies that were read survive a read that fails: the next read continues with the
 *   rest.
 * - **A slow read is not waited for.** If a read takes longer than PATIENCE_MS, the caller gets what was known
 *   before, unless that is older than STALE_MS.
 * - **An unreadable policy blocks nobody.** A policy that cannot be decrypted, of any deployment, is left out, and is
 *   logged once.
 */

const REMEMBER_MS = 5_000;
const MAX_CONCURRENT_READS = 50;
const PATIENCE_MS = 5_000;
const STALE_MS = 60_000;
const REQUEST_MS = 10_000;

interface One {
  policy: Policy;
  isPaused: boolean;
}

interface Known {
  /** When the read of them began. */
  at: number;
  all: readonly One[];
}

interface Found {
  at: number;
  one: One | undefined;
}

class KnownPolicies {
  readonly #client: Client;
  readonly #taskQueue: string;
  #known: Known | undefined;
  #reading: Promise<Known> | undefined;
  /** Since when a read has been tried, and what it has found. */
  #since: number | undefined;
  #found = new Map<string, Found>();
  /** **An unreadable policy blocks nobody.** Policies that were logged. */
  readonly #told = new Set<string>();

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /** Those that are not paused, as they are now or were a few seconds ago. */
  async soon(): Promise<readonly Policy[]> {
    return policiesOf(await this.#soon());
  }

  async #soon(): Promise<Known> {
    const known = this.#known;
    const age = known === undefined ? Number.POSITIVE_INFINITY : Date.now() - known.at;
    if (known !== undefined && age < REMEMBER_MS) return known;
    const reading = this.#read();
    if (known === undefined || age > STALE_MS) return await reading;
    return await patiently(reading, known); // **A slow read is not waited for.**
  }

  /** Those that are not paused, and the one that is named, as they are at this moment or later. */
  async now(pausedToo?: string): Promise<readonly Policy[]> {
    const asked = Date.now();
    const found = await this.#read();
    return policiesOf(found.at >= asked ? found : await this.#read(), pausedToo);
  }

  /** One read at a time. */
  async #read(): Promise<Known> {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    return await this.#reading;
  }

  async #readAll(): Promise<Known> {
    // No activity's end may abort what others wait for, too.
    return await this.#client.withAbortSignal(new AbortController().signal, async () => {
      const begun = Date.now();
      if (this.#since === undefined || begun - this.#since > STALE_MS) this.#since = begun;
      const since = this.#since;
      const listed = await this.#list();
      const missing = listed.filter((id) => (this.#found.get(id)?.at ?? 0) < since); // **A failed read continues.**
      const failures: unknown[] = [];
      for await (const failure of inParallel(missing, MAX_CONCURRENT_READS, async (id) => await this.#find(id))) {
        if (failure !== undefined) failures.push(failure);
      }
      if (failures.length > 0) throw failures[0];
      this.#known = { at: since, all: listed.toSorted().flatMap((id) => this.#found.get(id)?.one ?? []) };
      this.#since = undefined;
      this.#found = new Map();
      return this.#known;
    });
  }

  /** The IDs of all policies. A server that has no schedules, such as Temporal's test server, has no policies. */
  async #list(): Promise<string[]> {
    const listed: string[] = [];
    try {
      for await (const scheduleId of scheduleIds(this.#client)) {
        const id = policyIdOf(scheduleId);
        if (id !== undefined) listed.push(id);
      }
    } catch (error) {
      if (grpcStatusOf(error) !== 'UNIMPLEMENTED') throw error;
    }
    return listed;
  }

  /** Returns the error if it could not be read. */
  async #find(id: string): Promise<unknown> {
    const at = Date.now();
    try {
      const read = async () => await readSchedule(this.#client, scheduleIdOf(id));
      const schedule = await this.#client.withDeadline(at + REQUEST_MS, read);
      const isOurs = schedule?.taskQueue === this.#taskQueue && schedule.workflowType === WORKFLOW.applyPolicy;
      const policy = isOurs ? await this.#policyIn(id, schedule) : undefined;
      this.#found.set(id, { at, one: policy && { policy, isPaused: schedule?.paused === true } });
      return undefined;
    } catch (error) {
      return error;
    }
  }

  async #policyIn(id: string, schedule: ScheduleRecord): Promise<Policy | undefined> {
    try {
      const policy = policyOf(id, await argumentOf(this.#client, schedule));
      this.#told.delete(id);
      return policy;
    } catch (error) {
      if (!(error instanceof UnreadablePayload)) throw error;
      // **An unreadable policy blocks nobody.**
      if (!this.#told.has(id)) log.warn('a policy cannot be decrypted', { policyId: id, why: error.message });
      this.#told.add(id);
      return undefined;
    }
  }
}

function policiesOf({ all: known }: Known, pausedToo?: string): readonly Policy[] {
  return known.flatMap(({ policy, isPaused }) => (isPaused && policy.id !== pausedToo ? [] : [policy]));
}

/** A foreign schedule without a policy must not block the schedules that have one. */
function policyOf(id: string, given: unknown): Policy | undefined {
  const checked = checkPolicy(given);
  if (!checked.ok) {
    log.warn('a schedule with the ID of a policy contains no valid policy', {
      policyId: id,
      issues: checked.issues.length,
    });
    return undefined;
  }
  const { policy } = checked;
  return isByRules(policy.rules) || policy.when.quietHours !== undefined ? policy : undefined;
}

/** Whichever comes first: the result, or the time limit. */
async function patiently(work: Promise<Known>, known: Known): Promise<Known> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Known>((resolve) => {
    timer = setTimeout(() => resolve(known), PATIENCE_MS);
  });
  try {
    return await Promise.race([work.catch(() => known), late]);
  } finally {
    clearTimeout(timer);
  }
}

const all = new WeakMap<Client, KnownPolicies>();

/** The memory of the worker with this client. */
export function knownPolicies(client: Client, taskQueue: string): KnownPolicies {
  const known = all.get(client) ?? new KnownPolicies(client, taskQueue);
  all.set(client, known);
  return known;
}
