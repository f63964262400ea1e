import { canonicalTenantId } from '../contract/tenant.ts';
import type { EventReceiver } from '../events/receiver.ts';
import type { GraphClient } from '../graph/client.ts';
import { GraphError } from '../graph/errors.ts';
import { readMuteOnEntry, startMuteOnEntry } from './mutes-on-entry.ts';
import { readAndPost } from './first-attempt.ts';
import { post, postMuteParticipant } from './graph-posts.ts';
import { getCall, readCall, readParticipantCount, readParticipant, readRoster } from './graph-reads.ts';
import { KnownCalls } from './known-calls.ts';
import { listLiveCalls } from './live-calls.ts';
import { readLatestOperation } from './latest-operation.ts';
import { readOperation, startOperation } from './operations.ts';
import { postEvent } from './post-event.ts';
import { isLeftMuted, policyLevel, policyOnEstablished, quietCalls, quietUntil } from './rules.ts';
import { toApplicationFailure } from './to-application-failure.ts';
import type { ActionTarget, Activities, CallTarget } from './types.ts';

export type * from './types.ts';
export { EventMetrics } from '../events/metrics.ts';
export { EventReceiver, type EventReceiverOptions } from '../events/receiver.ts';

/** Options of `createActivities`. */
export interface ActivityOptions {
  graph: GraphClient;
  /**
   * Tenants that a request may name, in lower case.
   *
   * @default any
   */
  tenants?: ReadonlySet<string> | undefined;
  /** Receives events, if they are to be sent. */
  events?: EventReceiver | undefined;
}

/**
 * The activities that use one Graph client, for a worker of your own. Each sends one kind of request, and returns only
 * the fields that the workflow needs. None returns the body of a response, because bodies are large and contain names.
 *
 * @example
 * const graph = new GraphClient({ url, tokens, userAgent: 'my-worker/1.0' });
 * const worker = await Worker.create({
 *   connection,
 *   taskQueue: 'call-moderation',
 *   workflowsPath: fileURLToPath(import.meta.resolve('call-moderation/workflows')),
 *   activities: createActivities({ graph }),
 * });
 */
export function createActivities({ graph, tenants, events }: ActivityOptions): Activities {
  const inTenant = async <T>(target: CallTarget & Partial<ActionTarget>, work: () => Promise<T>): Promise<T> => {
    const { tenantId, attemptsBefore } = target;
    try {
      if (tenantId !== undefined && tenants?.has(canonicalTenantId(tenantId)) === false) throw notAllowed(tenantId);
      return await work();
    } catch (error) {
      throw error instanceof GraphError ? toApplicationFailure(error, attemptsBefore) : error;
    }
  };
  const knownCalls = new KnownCalls();
  return {
    readCall: (target) => inTenant(target, () => readCall(graph, target, knownCalls)),
    readState: (target) => inTenant(target, async () => ({ state: (await getCall(graph, target)).state })),
    readParticipant: (target) => inTenant(target, () => readParticipant(graph, target)),
    readAndMute: (target) => inTenant(target, () => readAndPost(graph, 'mute', target, knownCalls)),
    readAndUnmute: (target) => inTenant(target, () => readAndPost(graph, 'unmute', target, knownCalls)),
    postMute: (target) => inTenant(target, () => post(graph, 'mute', target)),
    postUnmute: (target) => inTenant(target, () => post(graph, 'unmute', target)),
    readParticipantCount: (target) => inTenant(target, () => readParticipantCount(graph, target)),
    policyLevel,
    policyOnEstablished,
    quietCalls,
    quietUntil,
    isLeftMuted,
    listLiveCalls,
    startOperation,
    readOperation,
    startMuteOnEntry,
    readMuteOnEntry,
    readLatestOperation,
    readRoster: (target) => inTenant(target, () => readRoster(graph, target)),
    postEvent: (event) => postEvent(events, event),
    postMuteParticipant: (target) => inTenant(target, () => postMuteParticipant(graph, target)),
  };
}

function notAllowed(tenantId: string): GraphError {
  const fault = `tenantId ${tenantId} is not among MODERATION_TENANTS; name another tenant or have it added`;
  return new GraphError('InvalidRequest', `Nothing was sent to Graph, because the request is not valid: ${fault}.`, {
    details: { issues: [fault] },
  });
}
