import { Context, log } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ModerationError } from '../client/errors.ts';
import { isQuiet, readQuietHours } from '../client/quiet-hours.ts';
import { ModerationClient } from '../client/moderation-client.ts';
import { toDate, toZone } from '../client/dates.ts';
import { bounded } from '../contract/check.ts';
import { actionFor, type Action } from '../contract/names.ts';
import { entryRuleOf } from '../contract/on-entry.ts';
import type { Policy } from '../contract/policy.ts';
import { canonicalTenantId } from '../contract/tenant.ts';
import type { EntryOnJoin, JoiningCall } from './types.ts';

/**
 * The rules of policies beside the clock, all of them in this one place. They are decided in activities, as they ask what
 * time it is in a zone, and what policies there are.
 */

/** How long what policies there are may be remembered, in ms. */
const REMEMBER_MS = 5_000;

/**
 * What a policy with quiet hours does at a moment: it mutes where they begin, and unmutes where they end. Whoever starts a
 * run without our client may have got them wrong, and then nothing is done.
 */
export async function actionAt({ action, when }: Policy, at: string): Promise<Action> {
  const { quietHours, timeZone = 'UTC' } = when;
  if (quietHours === undefined) return action;
  const ofHours: string[] = [];
  readQuietHours(quietHours, ofHours);
  const zone = toZone(timeZone);
  if (zone !== undefined && ofHours.length === 0) return actionFor(isQuiet(quietHours, zone, new Date(at)));
  const faults = bounded(zone === undefined ? [...ofHours, 'when.timeZone is not known'] : ofHours);
  const message = `Nothing was done, for the policy is not valid: ${faults.join('; ')}.`;
  throw ApplicationFailure.create({ type: 'InvalidRequest', message, details: [{ faults }], nonRetryable: true });
}

/**
 * The policy that mutes the application in a call as it is established, and the one that mutes who comes after that, if
 * there are such: of each kind the first, by ID, that says so, is not paused, and has the call among its own; with quiet
 * hours, only in those. What policies there are is asked every REMEMBER_MS at most.
 */
export async function policyOnJoin(call: JoiningCall, also?: 'entry'): Promise<Policy | EntryOnJoin | undefined> {
  const { client, info } = Context.current();
  const now = new Date();
  const concerned = (await current(client, info.taskQueue, now)).filter(
    (policy) => isInForce(policy, now) && concerns(policy, call),
  );
  const join = concerned.find((policy) => isOnJoin(policy, now));
  const entry = also && concerned.find(({ rules }) => entryRuleOf(rules) !== undefined);
  return entry === undefined ? join : { entry, ...(join !== undefined && { join }) };
}

interface Remembered {
  until: number;
  policies: Promise<Policy[]>;
}

const remembered = new WeakMap<Client, Remembered>();

async function current(client: Client, taskQueue: string, now: Date): Promise<Policy[]> {
  const known = remembered.get(client);
  if (known !== undefined && known.until > now.getTime()) return await known.policies;
  const policies = read(client, taskQueue);
  remembered.set(client, { until: now.getTime() + REMEMBER_MS, policies });
  // What failed is not worth remembering.
  policies.catch(() => remembered.delete(client));
  return await policies;
}

async function read(client: Client, taskQueue: string): Promise<Policy[]> {
  const { policies } = new ModerationClient({ client, taskQueue });
  const found: Policy[] = [];
  for await (const { id, paused } of policies.list()) {
    const policy = paused ? undefined : await policies.get(id).catch(orNone);
    if (policy !== undefined) found.push(policy);
  }
  return found.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** A schedule that somebody else has made, and that holds no policy, must not keep those that do from being heard. */
function orNone(error: unknown): undefined {
  if (!(error instanceof ModerationError)) throw error;
  log.warn('A schedule with the name of a policy holds none', { faults: error.details.faults?.length });
}

/** Its first date has come, and its last has not passed. */
function isInForce({ when: { start, end } }: Policy, now: Date): boolean {
  const [from, to] = [toDate(start), toDate(end)];
  return (from === undefined || now >= from) && (to === undefined || now < to);
}

function isOnJoin({ when, rules }: Policy, now: Date): boolean {
  const { quietHours, timeZone = 'UTC' } = when;
  return quietHours === undefined ? rules?.onJoin === true : isQuiet(quietHours, timeZone, now);
}

function concerns({ target }: Policy, { callId, tenantId, labels }: JoiningCall): boolean {
  if ('calls' in target) return target.calls.includes(callId);
  const { tenantId: tenant, label } = target.live;
  const isOfTenant =
    tenant === undefined || (tenantId !== undefined && canonicalTenantId(tenant) === canonicalTenantId(tenantId));
  return isOfTenant && (label === undefined || labels.includes(label));
}
