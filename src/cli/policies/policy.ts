import { ModerationError } from '../../client/errors.ts';
import type { Policies } from '../../client/policies/policies.ts';
import type { Policy, PolicyOverlap } from '../../contract/policy.ts';
import { UnreadablePayload } from '../../contract/unreadable.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import { take } from '../../lib/take.ts';
import { withClient } from '../client.ts';
import type { Context } from '../context.ts';
import { DONE, printJson, reporting } from '../exit.ts';
import { table } from '../table.ts';
import { changeOf, type PolicyFlags } from './policy-from-flags.ts';
import { nextRunOf, printDone, printLeft, printPolicy, rulesInWords } from './policy-output.ts';

/** `policy create`, `update`, `list`, `describe`, `pause`, `resume`, `trigger`, `delete` and `backfill`. */

interface Json {
  json: boolean;
}

export async function create(this: Context, flags: PolicyFlags, id: string): Promise<void> {
  await reporting(this, flags.json, async () => {
    // The client reports missing fields, together with all other issues.
    const policy = { id, ...changeOf(flags) } as Policy;
    const { paused = false, note = '' } = flags;
    const made = await withClient(this, async ({ policies }) => await policies.create(policy, { paused, note }));
    return printPolicy(this, flags, made);
  });
}

export async function update(this: Context, flags: PolicyFlags, id: string): Promise<void> {
  await reporting(this, flags.json, async () => {
    const { note } = flags;
    const made = await withClient(this, async ({ policies }) => {
      const { policy: before } = await policies.describe(id);
      return await policies.update(id, { ...changeOf(flags, before), ...(note !== undefined && { note }) });
    });
    return printPolicy(this, flags, made);
  });
}

export async function describe(this: Context, flags: Json, id: string): Promise<void> {
  await reporting(this, flags.json, async () => {
    return printPolicy(this, flags, await withClient(this, async ({ policies }) => await policies.describe(id)));
  });
}

/** Policies that are read at the same time, beside the list. */
const MAX_CONCURRENT_READS = 20;

export async function list(this: Context, { json, limit }: Json & { limit: number }): Promise<void> {
  await reporting(this, json, async () => {
    const found = await withClient(this, async ({ policies }) => {
      const listed = await take(policies.list(), limit);
      const rules = new Map<string, Pick<Policy, 'rules'>>();
      const read = inParallel(
        listed,
        MAX_CONCURRENT_READS,
        async ({ id }) => [id, await rulesOf(policies, id)] as const,
      );
      for await (const [id, rule] of read) rules.set(id, rule);
      return listed.map((policy) => ({ ...policy, ...rules.get(policy.id) }));
    });
    if (json) printJson(this, found);
    else if (found.length === 0) this.process.stderr.write('No policies.\n');
    else {
      const rows = found.map((policy) => [
        policy.id,
        nextRunOf(policy, policy.rules),
        rulesInWords(policy.rules),
        policy.note,
      ]);
      this.process.stdout.write(table([['POLICY', 'NEXT', 'RULES', 'NOTE'], ...rows]));
    }
    return DONE;
  });
}

/** Temporal's list does not contain them. A schedule that contains no policy that can be read here has none. */
async function rulesOf(policies: Policies, id: string): Promise<Pick<Policy, 'rules'>> {
  try {
    const { rules } = (await policies.get(id)) ?? {};
    return rules === undefined ? {} : { rules };
  } catch (error) {
    if (error instanceof ModerationError || error instanceof UnreadablePayload) return {};
    throw error;
  }
}

export async function pause(this: Context, { json, note }: Json & { note?: string }, id: string): Promise<void> {
  await reporting(this, json, async () => {
    return printLeft(this, json, await withClient(this, async ({ policies }) => await policies.pause(id, note)));
  });
}

export async function resume(this: Context, flags: Json & { note?: string }, id: string): Promise<void> {
  await reporting(this, flags.json, async () => {
    return printPolicy(
      this,
      flags,
      await withClient(this, async ({ policies }) => await policies.resume(id, flags.note)),
    );
  });
}

export async function trigger(
  this: Context,
  { json, overlap }: Json & { overlap?: PolicyOverlap },
  id: string,
): Promise<void> {
  await reporting(this, json, async () => {
    const options = overlap === undefined ? {} : { overlap };
    await withClient(this, async ({ policies }) => await policies.trigger(id, options));
    return printDone(this, json, id, 'triggered');
  });
}

export async function backfill(
  this: Context,
  { json, start, end, overlap }: Json & { start: string; end: string; overlap?: PolicyOverlap },
  id: string,
): Promise<void> {
  await reporting(this, json, async () => {
    const range = { start, end, ...(overlap !== undefined && { overlap }) };
    await withClient(this, async ({ policies }) => await policies.backfill(id, range));
    return printDone(this, json, id, 'backfilled');
  });
}

export async function remove(this: Context, { json }: Json, id: string): Promise<void> {
  await reporting(this, json, async () => {
    return printLeft(this, json, await withClient(this, async ({ policies }) => await policies.delete(id)));
  });
}
