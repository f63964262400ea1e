/** The result of `work`, or the error `late` if there is none within the time limit in milliseconds. */
export async function withTimeout<T>(ms: number, work: () => T | Promise<T>, late: () => Error): Promise<T> {
  let timer;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([Promise.resolve().then(work), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
