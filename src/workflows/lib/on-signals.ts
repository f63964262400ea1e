import { defineSignal, log, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';

type On<Name extends string> = <T>(
  name: Name,
  parse: (payload: unknown) => T | undefined,
  take: (value: T) => void,
) => void;

/**
 * Sets the handlers of all signals at once. Signals that came before the first workflow task are taken in the order
 * in which they came: if each handler were set by itself, the SDK would hand them over name by name, and an extension
 * would undo a release that came after it.
 *
 * Anyone may send a signal: an invalid one is ignored, and the log does not contain its content.
 */
export function onSignals<Name extends string>(
  descriptions: Readonly<Record<Name, string>>,
  declare: (on: On<Name>) => void,
): void {
  const handlers = new Map<Name, (payload?: unknown) => void>();
  declare((name, parse, take) => {
    handlers.set(name, (payload) => {
      const value = parse(payload);
      if (value === undefined) log.warn('Ignored a signal with an invalid payload', { signal: name });
      else take(value);
    });
  });
  // What has come by now goes here, in its order.
  setDefaultSignalHandler((name, payload) => handlers.get(name as Name)?.(payload));
  for (const [name, handle] of handlers) {
    setHandler(defineSignal<[unknown?]>(name), handle, { description: descriptions[name] });
  }
  setDefaultSignalHandler(undefined);
}
