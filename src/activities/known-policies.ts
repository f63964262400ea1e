import { log } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { grpcStatusOf } from '../client/any-error.ts';
import { inParallel } from '../lib/in-parallel.ts';
import { argumentOf, readSchedule, scheduleIds, type ScheduleRecord } from '../client/policies/schedules.ts';
import { isByRules } from '../contract/mute-on-entry-check.ts';
import { checkPolicy } from '../contract/policy-check.ts';
import { APPLY_POLICY, policyIdOf, scheduleIdOf, type Policy } from '../contract/policy.ts';
import { UnreadablePayload } from '../contract/unreadable.ts';

/**
 * The policies of this deployment that say something of a call at any moment: mute on join, mute on entry, quiet hours. All
 * activities of a worker share what is known of them.
 *
 * K1. They are read every REMEMBER_MS at most, and by one read at a time. A list names them; each is then read by itself,
 *     AT_ONCE at a time, because only that tells whether it is ours, paused and valid.
 * K2. What was read survives a read that fails: the next one goes on with the rest.
 * K3. Whoever is in a hurry gets what was known before if a read takes longer than PATIENCE_MS, unless that is older than
 *     STALE_MS.
 * K4. What cannot be decrypted, of whichever deployment, holds nobody up: such a policy counts as none, and is logged once.
 */

const REMEMBER_MS = 5_000;
const AT_ONCE = 50;
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
  /** K4. Policies that were logged. */
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
    return await patiently(reading, known); // K3
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
      const missing = listed.filter((id) => (this.#found.get(id)?.at ?? 0) < since); // K2
      const failures: unknown[] = [];
      for await (const failure of inParallel(missing, AT_ONCE, async (id) => await this.#find(id))) {
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

  /** Gives why it could not be read. */
  async #find(id: string): Promise<unknown> {
    const at = Date.now();
    try {
      const read = async () => await readSchedule(this.#client, scheduleIdOf(id));
      const schedule = await this.#client.withDeadline(at + REQUEST_MS, read);
      const isOurs = schedule?.taskQueue === this.#taskQueue && schedule.workflowType === APPLY_POLICY;
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
      if (!this.#told.has(id)) log.warn('A policy cannot be read here', { policyId: id, why: error.message }); // K4
      this.#told.add(id);
      return undefined;
    }
  }
}

function policiesOf({ all: known }: Known, pausedToo?: string): readonly Policy[] {
  return known.flatMap(({ policy, isPaused }) => (isPaused && policy.id !== pausedToo ? [] : [policy]));
}

/** A schedule that somebody else has made, and that contains no policy, must not keep those that do from being heard. */
function policyOf(id: string, given: unknown): Policy | undefined {
  const checked = checkPolicy(given);
  if (!checked.ok) {
    log.warn('A schedule with the name of a policy contains none', { policyId: id, issues: checked.issues.length });
    return undefined;
  }
  const { policy } = checked;
  return isByRules(policy.rules) || policy.when.quietHours !== undefined ? policy : undefined;
}

/** What comes first: the work, or the end of patience. */
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

/** What is known to the worker of this client. */
export function knownPolicies(client: Client, taskQueue: string): KnownPolicies {
  const known = all.get(client) ?? new KnownPolicies(client, taskQueue);
  all.set(client, known);
  return known;
}
