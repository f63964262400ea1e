import type { ModerationResult, OthersResult } from '../contract/operation.ts';
import type { ModerationRequest } from '../contract/request.ts';
import { moderate } from './moderate.ts';

export { hold } from './hold.ts';

/**
 * Mutes the application in a group call and completes once the roster shows it; otherwise puts the call back as it was
 * and fails with one of the contract's types. With a `target` it mutes others instead (`others.ts`). `inherited` is set by a run that was superseded, and by nothing else.
 *
 * https://learn.microsoft.com/graph/api/call-mute
 */
export async function mute(
  request: ModerationRequest,
  ...inherited: unknown[]
): Promise<ModerationResult | OthersResult> {
  return await moderate('mute', request, inherited);
}

/**
 * Unmutes the application in a group call, as {@link mute} mutes it.
 *
 * https://learn.microsoft.com/graph/api/call-unmute
 */
export async function unmute(
  request: ModerationRequest,
  ...inherited: unknown[]
): Promise<ModerationResult | OthersResult> {
  return await moderate('unmute', request, inherited);
}
