import { createHash } from 'node:crypto';
import { workflowIdOf } from '../contract/call-id.ts';

/**
 * The ID of an operation in URLs: Temporal's run ID, and a check of it together with the workflow ID. It is found again by
 * any gateway process, and an ID of another call, or one that was mistyped, is told apart without asking Temporal. It is no
 * secret: who may read the operation is decided by the caller's tenant.
 */

const RUN_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FORM = /^[A-Za-z0-9_-]{32}$/;
const RUN_BYTES = 16;
const CHECK_BYTES = 8;

export function operationIdOf(callId: string, runId: string): string {
  if (!RUN_ID.test(runId)) throw new TypeError('A run ID of Temporal is a GUID.');
  const run = Buffer.from(runId.replaceAll('-', ''), 'hex');
  return Buffer.concat([run, checkOf(callId, run)]).toString('base64url');
}

/** @returns nothing if no operation of the call has this ID */
export function runIdOf(callId: string, operationId: string): string | undefined {
  if (!FORM.test(operationId)) return undefined;
  const bytes = Buffer.from(operationId, 'base64url');
  const run = bytes.subarray(0, RUN_BYTES);
  if (!checkOf(callId, run).equals(bytes.subarray(RUN_BYTES))) return undefined;
  return run.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function checkOf(callId: string, run: Buffer): Buffer {
  return createHash('sha256').update(workflowIdOf(callId)).update('\0').update(run).digest().subarray(0, CHECK_BYTES);
}
