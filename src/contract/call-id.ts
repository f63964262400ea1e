/**
 * Graph spells one ID in several ways: a GUID in dashed lower case in URLs, in dashed upper case or as 32 hex digits in
 * notifications. Every ID is brought to one form before it is compared or becomes part of a workflow ID.
 */

const DASHED_GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEX_GUID = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i;
const CALL_ID = /^[A-Za-z0-9_-]{1,128}$/;

const WORKFLOW_ID_PREFIX = 'call-moderation/';

/**
 * A GUID, dashed or as 32 hex digits, in dashed lower case; any other ID as it is.
 *
 * @example
 * canonicalId('57DAB8B1894C409AB240BD8BEAE78896'); // '57dab8b1-894c-409a-b240-bd8beae78896'
 */
export function canonicalId(id: string): string {
  if (DASHED_GUID.test(id)) return id.toLowerCase();
  if (HEX_GUID.test(id)) return id.replace(HEX_GUID, '$1-$2-$3-$4-$5').toLowerCase();
  return id;
}

/**
 * Whether two spellings mean the same call, participant or operation.
 *
 * @example
 * sameId('57DAB8B1894C409AB240BD8BEAE78896', '57dab8b1-894c-409a-b240-bd8beae78896'); // true
 */
export function sameId(a: string, b: string): boolean {
  return a === b || canonicalId(a) === canonicalId(b);
}

export function isCallId(value: unknown): value is string {
  return typeof value === 'string' && CALL_ID.test(value);
}

/**
 * The workflow ID of every operation on a call. Because it is one ID for each call, the server refuses a second operation
 * while one runs, and the webhook finds the operation without knowing whether there is one.
 *
 * @example
 * workflowIdOf(callId); // 'call-moderation/57dab8b1-894c-409a-b240-bd8beae78896'
 */
export function workflowIdOf(callId: string): string {
  return WORKFLOW_ID_PREFIX + canonicalId(callId);
}

const LIVE_SUFFIX = '/live';

/**
 * The workflow ID of an active call.
 *
 * @example
 * liveWorkflowIdOf(callId); // 'call-moderation/57dab8b1-894c-409a-b240-bd8beae78896/live'
 */
export function liveWorkflowIdOf(callId: string): string {
  return workflowIdOf(callId) + LIVE_SUFFIX;
}

/** The call ID in the workflow ID of an active call; `undefined` for any other workflow ID. */
export function callIdOfLive(workflowId: string): string | undefined {
  return workflowId.endsWith(LIVE_SUFFIX) ? callIdOf(workflowId.slice(0, -LIVE_SUFFIX.length)) : undefined;
}

/** The call ID in the workflow ID of an operation; `undefined` for any other workflow ID. */
export function callIdOf(workflowId: string): string | undefined {
  const callId = workflowId.slice(WORKFLOW_ID_PREFIX.length);
  return isCallId(callId) && workflowIdOf(callId) === workflowId ? callId : undefined;
}
