import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { isFailureType } from '../../src/contract/failure.ts';
import { ModerationError } from '../../src/client/errors.ts';
import type { GraphSimulator, NewCall } from '../../src/simulator/index.ts';
import { Service, type Apart, type TestCall } from '../support/service.ts';
import { Wire } from '../support/wire.ts';
import { evidenceOf } from './evidence.ts';
import { judge } from './judge.ts';
import { tell } from './tried.ts';

/**
 * A network that stalls, resets and loses, between every pair of parts, just while a POST is under way. Three operations
 * live through it each time: one that can be confirmed, one that has to be put back, one that is superseded. The judge
 * decides.
 */

/** How long a stall, or a network that refuses, lasts. */
const OUTAGE_MS = 2_000;

/** A connection that is deaf is missed by keep-alive: every 30 s, with 15 s to answer. */
const MISSED_WITHIN_MS = 60_000;

const portOf = (address: string): number => Number(/:(\d+)(?=\/|$)/.exec(address)?.[1]);

/** Which part looks for which through the wire; with none, it is Graph that looks for the webhook. */
type Link = [between: string, target: (graph: GraphSimulator) => string, apart?: (address: string) => Apart];

const temporal = (): string => inject('temporalAddress');
const LINKS: Link[] = [
  ['worker and Temporal', temporal, (address) => ({ worker: { TEMPORAL_ADDRESS: address } })],
  ['webhook and Temporal', temporal, (address) => ({ webhook: { TEMPORAL_ADDRESS: address } })],
  ['client and Temporal', temporal, (address) => ({ client: { TEMPORAL_ADDRESS: address } })],
  ['worker and Graph', ({ url }) => url, (address) => ({ worker: { MODERATION_GRAPH_URL: address } })],
  [
    'webhook and keys',
    ({ openIdUrl }) => openIdUrl,
    (address) => ({ webhook: { MODERATION_WEBHOOK_OPENID_URL: address } }),
  ],
  ['Graph and webhook', () => ''],
];

const HARMS = [
  ['stalls', (wire: Wire) => wire.stall()],
  ['resets', (wire: Wire) => wire.reset()],
  ['loses', (wire: Wire) => wire.lose()],
] as const;

describe.concurrent.each(LINKS)('between %s', (between, targetOf, apart) => {
  let wire: Wire;
  let service: Service;
  beforeAll(async () => {
    service = await Service.start(
      {},
      { redelivery: { retries: 30, firstPauseMs: 100, longestPauseMs: 500 } },
      async (graph) => {
        if (apart === undefined) return {};
        const target = targetOf(graph);
        wire = await Wire.to(portOf(target));
        return apart(wire.instead(target));
      },
    );
    if (apart === undefined) wire = await Wire.to(portOf(service.callbackUrl));
  });
  afterAll(async () => {
    wire.close();
    await service.stop();
  });

  const callOf = (given: Partial<NewCall>): TestCall =>
    service.call({ ...given, ...(apart === undefined && { callbackUri: wire.instead(service.callbackUrl) }) });

  // One after the other: they share the wire.
  test.sequential.for(HARMS)('a network that %s', { timeout: 150_000 }, async ([harm, harmIt], context) => {
    const latencyMs = 700;
    const confirmable = callOf({ faults: { requests: [{ on: 'mute', latencyMs }] } });
    const unconfirmable = callOf({
      faults: { requests: [{ on: 'mute', latencyMs, effect: false, times: 'forever' }] },
    });
    const superseded = callOf({ faults: { requests: [{ on: 'mute', latencyMs }] } });
    const calls = [confirmable, unconfirmable, superseded];
    const handles = await Promise.all(
      calls.map(async (call) => {
        const confirmWithinSeconds = call === unconfirmable ? 5 : 30;
        return await service.moderation.mute({ callId: call.id, confirmWithinSeconds });
      }),
    );
    await Promise.all(calls.map(async (call) => await call.until(() => call.posts.length > 0, 45_000)));
    // Tokens of the next notifications name a key that has to be fetched.
    await service.graph.rotateKeys();
    const began = Date.now();
    harmIt(wire);
    const mended = new Promise<void>((resolve) => {
      setTimeout(() => {
        wire.mend();
        resolve();
      }, OUTAGE_MS);
    });
    handles.push(await service.moderation.unmute({ callId: superseded.id, confirmWithinSeconds: 30 }));
    const outcomes = await Promise.all(handles.map(outcomeOf));
    await mended;
    const outageMs = harm === 'loses' ? MISSED_WITHIN_MS : OUTAGE_MS;
    const evidence = await Promise.all(calls.map(async (call) => await evidenceOf(service.client, call)));
    const violations = evidence.flatMap((one) => judge({ ...one, outageMs }).violations);
    tell(context, {
      what: `a network that ${harm}`,
      faults: 1,
      operations: evidence.flatMap(({ runs }) => runs).length,
      violations: violations.length,
      note: `between ${between} ${((Date.now() - began) / 1_000).toFixed(0)} s`,
    });
    expect(violations).toEqual([]);
    // A worker whose connection is deaf is handed tasks for up to a minute, and none of them is heard of. That may be all the
    // time that an operation has to ask Graph: then it fails, and the call is as it was.
    const isDeaf = harm === 'loses' && between === 'worker and Temporal';
    const ends = isDeaf ? ['confirmed', 'GraphUnavailable and restored'] : ['confirmed'];
    expect(ends).toContain(outcomes[0]);
    expect(ends).toContain(outcomes[3]);
    expect(confirmable.self.isMuted).toBe(outcomes[0] === 'confirmed');
    expect(superseded.self.isMuted).toBe(false);
    expect(unconfirmable.self.isMuted).toBe(false);
  });
});

async function outcomeOf(handle: OperationHandle): Promise<string> {
  try {
    await handle.result();
    return 'confirmed';
  } catch (error) {
    // Whatever goes wrong has a type; anything else is a fault of ours.
    if (!(error instanceof ModerationError) || !isFailureType(error.type)) throw error;
    return 'restored' in error.details && error.details.restored ? `${error.type} and restored` : error.type;
  }
}
