import { log, setDefaultSignalHandler, setHandler, type SignalDefinition } from '@temporalio/workflow';

/** A signal, with whatever payload its sender has chosen. */
type AnySignal = SignalDefinition<[unknown?]>;

type On = <T>(
  signal: AnySignal,
  description: string,
  parse: (payload: unknown) => T | undefined,
  take: (value: T) => void,
) => void;

interface Handler {
  signal: AnySignal;
  description: string;
  handle: (payload?: unknown) => void;
}

/**
 * Sets the handlers of all signals at once. Signals that came before the first workflow task are taken in the order
 * in which they came: if each handler were set by itself, the SDK would hand them over name by name, and an extension
 * would undo a release that came after it.
 *
 * Anyone may send a signal: an invalid one is ignored, and the log does not contain its content.
 */
export function onSignals(declare: (on: On) => void): void {
  const handlers = new Map<string, Handler>();
  declare((signal, description, parse, take) => {
    const handle = (payload?: unknown): void => {
      const value = parse(payload);
      if (value === undefined) log.warn('Ignored a signal with an invalid payload', { signal: signal.name });
      else take(value);
    };
    handlers.set(signal.name, { signal, description, handle });
  });
  // What has come by now goes here, in its order.
  setDefaultSignalHandler((name, payload) => handlers.get(name)?.handle(payload));
  for (const { signal, description, handle } of handlers.values()) setHandler(signal, handle, { description });
  setDefaultSignalHandler(undefined);
}
