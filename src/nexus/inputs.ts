import { CALL_ID, flag, isFields, object, oneOf } from '../contract/check.ts';
import { OF_CALL } from '../contract/standing-mute.ts';
import { invalid, valid } from '../client/errors.ts';
import type { OnStandingConflict } from '../client/standing/standing-mutes.ts';
import type { ReleaseInput, StatusInput } from './contract.ts';

/** Inputs of Nexus operations, from anybody who may call the endpoint. What the client checks as well is left to it. */

const RELEASE = object<ReleaseInput>({
  rules: {
    callId: CALL_ID,
    requestedBy: OF_CALL.requestedBy,
    reason: OF_CALL.reason,
    dryRun: flag('must be true or false; leave it out for false'),
  },
  required: ['callId'],
  otherwise: 'the input must be one object with at least the field callId',
  of: 'of a release over Nexus',
});

const STATUS = object<StatusInput>({
  rules: { callId: CALL_ID },
  required: ['callId'],
  otherwise: 'the input must be one object with the field callId',
  of: 'of a status',
});

const ON_RUNNING = oneOf(['extend', 'reject'], "must be 'extend' or 'reject'; leave it out for 'extend'");

/** @throws {ModerationError} `InvalidRequest` */
export function releaseOf(input: unknown): ReleaseInput {
  return valid(RELEASE, input);
}

/** @throws {ModerationError} `InvalidRequest` */
export function statusOf(input: unknown): StatusInput {
  return valid(STATUS, input);
}

/**
 * The request of a standing mute, and what to do if one runs already. `refused` are fields that the operation itself decides.
 *
 * @throws {ModerationError} `InvalidRequest`
 */
export function standingMuteOf(
  input: unknown,
  operation: string,
  refused: readonly string[],
): { request: unknown; onConflict: OnStandingConflict } {
  if (!isFields(input)) return { request: input, onConflict: 'extend' };
  const { onConflict = 'extend', ...request } = input;
  const issues = refused
    .filter((field) => field in request)
    .map((field) => `${field} does not go with ${operation}; leave it out`);
  if (issues.length > 0) throw invalid(issues);
  return { request, onConflict: valid((given, _at, found) => ON_RUNNING(given, 'onConflict', found), onConflict) };
}
