import { isEnded, isEstablished } from '../../contract/call-state.ts';
import { callEnded, notAGroupCall, notEstablished } from '../failures.ts';
import { Failed } from './attempt.ts';

/**
 * Graph mutes and unmutes in established group calls only (https://learn.microsoft.com/graph/api/call-mute).
 *
 * @throws {Failed} if the call is not one
 */
export function requireEstablishedGroupCall(
  callId: string,
  { state = '', isGroupCall = false }: { state?: string; isGroupCall?: boolean } = {},
): void {
  if (isEnded(state)) throw new Failed(callEnded(callId));
  if (!isEstablished(state)) throw new Failed(notEstablished(callId, state));
  if (!isGroupCall) throw new Failed(notAGroupCall(callId));
}
