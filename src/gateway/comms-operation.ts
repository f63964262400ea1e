import type { Action } from '../contract/names.ts';
import { errorOf, type Failure, type RequestIds } from './failure.ts';
import type { CommsOperation } from './schemas.ts';

/** An operation as Graph shows it. https://learn.microsoft.com/graph/api/resources/commsoperation */
export interface Shown {
  root: string;
  version: string;
  id: string;
  action: Action;
  clientContext: string | undefined;
  state: 'running' | 'completed' | Failure;
}

export function commsOperationOf(shown: Shown, ids: RequestIds): CommsOperation {
  const { root, version, id, action, clientContext, state } = shown;
  const type = `${action}ParticipantOperation` as const;
  const failure = typeof state === 'string' ? undefined : state;
  return {
    '@odata.context': `${root}/${version}/$metadata#${type}`,
    '@odata.type': `#microsoft.graph.${type}`,
    id,
    status: typeof state === 'string' ? state : 'failed',
    clientContext: clientContext ?? null,
    resultInfo:
      failure === undefined
        ? null
        : {
            '@odata.type': '#microsoft.graph.resultInfo',
            code: failure.status,
            subcode: 0,
            message: failure.message,
          },
    ...(failure !== undefined && errorOf(failure, ids)),
  };
}
