/** Stands for `node:timers/promises` in a simulation: on the virtual clock. */
export async function setTimeout<T>(ms?: number, value?: T): Promise<T | undefined> {
  return await new Promise((resolve) => {
    globalThis.setTimeout(() => resolve(value), ms);
  });
}
