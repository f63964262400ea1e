import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';
import { UnreadablePayload, unreadableIn } from '../../contract/unreadable.ts';

/**
 * Temporal's default converter, but for what it cannot read:
 *
 * - In what an activity has come to, that fails the workflow task, which is tried again until a worker can read it.
 * - Elsewhere the value is an `Unreadable`. `unreadable.ts` decides what follows, because a converter is not given
 *   what the payload is: the input of the run, or a signal from anyone.
 */
export class Unreadable {
  readonly why: UnreadablePayload;

  constructor(why: UnreadablePayload) {
    this.why = why;
  }
}

export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the interface is Temporal's
  fromPayload<T>(...[payload, context]: Parameters<PayloadConverter['fromPayload']>): T {
    const value = valueOf(payload);
    if (value instanceof Unreadable && context?.type === 'activity') throw value.why;
    return value as T;
  },
};

function valueOf(payload: Payload): unknown {
  const why = unreadableIn(payload);
  if (why !== undefined) return new Unreadable(why);
  try {
    return defaultPayloadConverter.fromPayload(payload);
  } catch {
    // The error may quote the payload.
    return new Unreadable(UnreadablePayload.foreign());
  }
}
