/**
 * States of a call, in lower case (https://learn.microsoft.com/graph/api/resources/call#callstate-values).
 */

/** The call is in progress: its participants can be muted and unmuted. */
export function isEstablished(state: string): boolean {
  return state === 'established' || state === 'hold';
}

/** The call has ended, or is about to. */
export function isEnded(state: string): boolean {
  return state === 'terminating' || state === 'terminated';
}
