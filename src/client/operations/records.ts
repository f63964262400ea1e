import type { WorkflowExecutionInfo } from '@temporalio/client';
import { callIdOf } from '../../contract/call-id.ts';
import { CALL_ID, object, oneOf, TENANT_ID } from '../../contract/check.ts';
import { CANCELLED, FAILURE_TYPES } from '../../contract/failure.ts';
import { isAction, PARTIAL, PENDING, SEARCH_ATTRIBUTE, type Action } from '../../contract/names.ts';
import { REQUEST_ID } from '../../contract/request.ts';
import { valid } from '../errors.ts';
import { quote } from '../../contract/list-filter.ts';
import { canonicalTenantId } from '../../contract/tenant.ts';
import { wishedAtOf } from '../../contract/wish.ts';

/** An operation as Temporal lists it: known for every run, also without a worker. */
export interface OperationRecord {
  callId: string;
  action: Action;
  /**
   * `Pending`, `Confirmed`, `Partial`, `Cancelled`, the type of the failure, or `Terminated` or `TimedOut` by
   * Temporal itself; `Continued` if the same operation continues as a newer run.
   */
  outcome: string;
  tenantId?: string;
  requestId?: string;
  /** Of a mute of others: the kind of its target. */
  target?: 'others' | 'participants';
  workflowId: string;
  runId: string;
  /** When it was wished for, in ms since the epoch: decides if two wishes contradict. */
  wishedAt: number;
  /** ISO 8601, UTC. */
  startedAt: string;
  closedAt?: string;
}

/** Which operations are listed: those that match every field. */
export interface ListFilter {
  callId?: string;
  action?: Action;
  outcome?: string;
  tenantId?: string;
  requestId?: string;
}

const OUTCOMES = [PENDING, 'Confirmed', PARTIAL, CANCELLED, ...FAILURE_TYPES, 'Terminated', 'TimedOut'] as const;

const FILTER = object<ListFilter>({
  rules: {
    callId: CALL_ID,
    action: oneOf(['mute', 'unmute'], "must be 'mute' or 'unmute'"),
    outcome: oneOf(OUTCOMES, `must be one of ${OUTCOMES.join(', ')}`),
    tenantId: TENANT_ID,
    requestId: REQUEST_ID,
  },
  otherwise: 'the filter must be one object',
  of: 'of a filter',
});

/**
 * The list filter of Temporal's visibility (https://docs.temporal.io/list-filter) for our operations: those
 * of one deployment, if its task queue is given.
 *
 * @throws {ModerationError} `InvalidRequest` if the filter is not valid
 */
export function operationListFilter(filter: ListFilter, taskQueue?: string): string {
  return queryOf(valid(FILTER, filter), taskQueue);
}

function queryOf({ callId, action, outcome, tenantId, requestId }: ListFilter, taskQueue?: string): string {
  const terms: [string, string | undefined][] = [
    ['TaskQueue', taskQueue],
    [SEARCH_ATTRIBUTE.callId, callId],
    ...outcomeTerms(outcome),
    [SEARCH_ATTRIBUTE.tenantId, tenantId],
    [SEARCH_ATTRIBUTE.requestId, requestId],
  ];
  const given = terms.filter((term): term is [string, string] => term[1] !== undefined);
  const types = action === undefined ? "WorkflowType IN ('mute', 'unmute')" : `WorkflowType = '${action}'`;
  return [types, ...given.map(([name, value]) => `${name} = ${quote(value)}`)].join(' AND ');
}

/** If Temporal itself has ended a run, the workflow could not set its outcome, which is still the first one. */
function outcomeTerms(outcome: string | undefined): [string, string | undefined][] {
  switch (outcome) {
    case PENDING:
      return [
        [SEARCH_ATTRIBUTE.outcome, PENDING],
        ['ExecutionStatus', 'Running'],
      ];
    case 'Terminated':
    case 'TimedOut':
      return [['ExecutionStatus', outcome]];
    default:
      return [[SEARCH_ATTRIBUTE.outcome, outcome]];
  }
}

/** The part of a list filter that keeps to one tenant, or an empty one. */
export function andTenant(tenantId: string | undefined): string {
  return tenantId === undefined ? '' : ` AND ${SEARCH_ATTRIBUTE.tenantId} = ${quote(canonicalTenantId(tenantId))}`;
}

/** The record of a run; `undefined` if the run is not an operation. */
export function operationFromWorkflow(info: Omit<WorkflowExecutionInfo, 'raw'>): OperationRecord | undefined {
  const { type, workflowId, runId, status, startTime, closeTime, typedSearchAttributes } = info;
  const callId = callIdOf(workflowId);
  if (!isAction(type) || callId === undefined) return undefined;
  const attribute = (name: string): string | undefined => typedSearchAttributes.get({ name, type: 'KEYWORD' });
  const tenantId = attribute(SEARCH_ATTRIBUTE.tenantId);
  const requestId = attribute(SEARCH_ATTRIBUTE.requestId);
  const target = attribute(SEARCH_ATTRIBUTE.target);
  const recorded = attribute(SEARCH_ATTRIBUTE.outcome) ?? PENDING;
  const isEndedByTemporal = recorded === PENDING && status.name !== 'RUNNING';
  return {
    callId,
    action: type,
    outcome: isEndedByTemporal ? (ENDED[status.name] ?? status.name) : recorded,
    ...(tenantId !== undefined && { tenantId }),
    ...(requestId !== undefined && { requestId }),
    ...((target === 'others' || target === 'participants') && { target }),
    workflowId,
    runId,
    wishedAt: wishedAtOf(info),
    startedAt: startTime.toISOString(),
    ...(closeTime !== undefined && { closedAt: closeTime.toISOString() }),
  };
}

/** Outcomes of runs that Temporal itself has ended. */
const ENDED: Readonly<Record<string, string>> = {
  TERMINATED: 'Terminated',
  TIMED_OUT: 'TimedOut',
  CANCELLED: 'Cancelled',
  // The same operation continues as a newer run.
  CONTINUED_AS_NEW: 'Continued',
};
