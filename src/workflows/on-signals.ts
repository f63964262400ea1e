import { defineSignal, log, setHandler } from '@temporalio/workflow';

type On<Name extends string> = <T>(
  name: Name,
  parse: (payload: unknown) => T | undefined,
  take: (value: T) => void,
) => void;

/** Signals may come from anyone: one that does not fit is left out, without a word of its content in the log. */
export function onSignals<Name extends string>(descriptions: Readonly<Record<Name, string>>): On<Name> {
  return (name, parse, take) => {
    const handle = (payload?: unknown): void => {
      const value = parse(payload);
      if (value === undefined) log.warn('Ignored a signal whose payload does not fit', { signal: name });
      else take(value);
    };
    setHandler(defineSignal<[unknown?]>(name), handle, { description: descriptions[name] });
  };
}
