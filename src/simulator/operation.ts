/**
 * What an action answers with. The documented mute is `completed` in the answer itself, and then nothing more is told
 * of it; only one answered as `notStarted`, `running` or null gets a notification of its own when it ends.
 * https://learn.microsoft.com/graph/api/resources/commsoperation
 */
export const OPERATION_STATES = ['notStarted', 'running', 'completed', 'failed'] as const;
/** As Graph's `operationStatus`. */
export type OperationState = (typeof OPERATION_STATES)[number];

/** What Graph is asked to do. */
export type ModerationAction = 'mute' | 'unmute';

/** Graph's `resultInfo`. */
export interface ResultInfo {
  code: number;
  subcode: number;
  message: string;
}

/** `resultInfo` as Graph writes it. */
export interface ResultInfoEntity extends ResultInfo {
  '@odata.type': '#microsoft.graph.resultInfo';
}

/** A mute or unmute, as the simulator keeps it. */
export interface Operation {
  readonly id: string;
  readonly action: ModerationAction;
  readonly clientContext: string | null;
  status: OperationState | null;
  resultInfo?: ResultInfo;
}

/** https://learn.microsoft.com/graph/api/resources/commsoperation */
export interface OperationEntity {
  '@odata.type': '#microsoft.graph.muteParticipantOperation' | '#microsoft.graph.unmuteParticipantOperation';
  '@odata.context'?: string;
  id: string;
  status: OperationState | null;
  clientContext: string | null;
  resultInfo?: ResultInfoEntity;
}

export function isPending({ status }: Operation): boolean {
  return status === null || status === 'notStarted' || status === 'running';
}

export function resultInfoEntity({ code, subcode, message }: ResultInfo): ResultInfoEntity {
  return { '@odata.type': '#microsoft.graph.resultInfo', code, subcode, message };
}

/** `contextRoot` is the address of `$metadata`, which stands in answers and not in notifications. */
export function operationEntity(operation: Operation, contextRoot?: string): OperationEntity {
  const type = `${operation.action}ParticipantOperation` as const;
  return {
    '@odata.type': `#microsoft.graph.${type}`,
    ...(contextRoot !== undefined && { '@odata.context': `${contextRoot}#${type}` }),
    id: operation.id,
    status: operation.status,
    clientContext: operation.clientContext,
    ...(operation.resultInfo && { resultInfo: resultInfoEntity(operation.resultInfo) }),
  };
}
