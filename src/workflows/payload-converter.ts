import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';

/**
 * Temporal's default converter, but for what it cannot read. There it throws, and a workflow task that throws is tried
 * again for ever: anyone who may send a signal could stop an operation for good with a few wrong bytes. A payload that
 * cannot be read becomes this text instead, which fits nothing that is expected, and is refused like any misfit.
 */
export const UNREADABLE = 'a payload that cannot be read';

export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the interface is Temporal's
  fromPayload<T>(payload: Payload): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch {
      return UNREADABLE as T;
    }
  },
};
