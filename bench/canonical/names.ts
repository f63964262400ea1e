/** Names that the canonical build's parts share; free of imports, for the workflow's bundle takes them too. */
export const TASK_QUEUE = 'canonical-mute';

export function workflowIdOf(callId: string): string {
  return `canonical-mute-${callId}`;
}
