import { isEnded, isEstablished } from '../../contract/call-state.ts';
import { callEnded, notAGroupCall, notEstablished } from '../lib/failures.ts';
import { OperationFailed } from './attempt.ts';

/**
 * Graph mutes and unmutes in established group calls only (https://learn.microsoft.com/graph/api/call-mute).
 *
 * @throws {OperationFailed} if the call is not one
 */
export function requireEstablishedGroupCall(
  callId: string,
  { state = '', isGroupCall = false }: { state?: string; isGroupCall?: boolean } = {},
): void {
  if (isEnded(state)) throw new OperationFailed(callEnded(callId));
  if (!isEstablished(state)) throw new OperationFailed(notEstablished(callId, state));
  if (!isGroupCall) throw new OperationFailed(notAGroupCall(callId));
}
