/** Does `work` for each item, a limited number at a time, and yields the results as they arrive. */
export async function* inParallel<T, R>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): AsyncIterable<R> {
  const underWay = new Map<number, Promise<{ key: number; result: R }>>();
  let key = 0;
  for (const item of items) {
    if (underWay.size >= atOnce) yield await next(underWay);
    const own = (key += 1);
    underWay.set(
      own,
      work(item).then((result) => ({ key: own, result })),
    );
  }
  while (underWay.size > 0) yield await next(underWay);
}

async function next<R>(underWay: Map<number, Promise<{ key: number; result: R }>>): Promise<R> {
  const { key, result } = await Promise.race(underWay.values());
  underWay.delete(key);
  return result;
}
