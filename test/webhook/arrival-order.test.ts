import { expect, it } from 'vitest';
import { ArrivalOrder } from '../../src/webhook/delivery/arrival-order.ts';

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

it('proceeds in the order of arrival, whichever check ends first', async () => {
  const order = new ArrivalOrder();
  const checks = [deferred(), deferred(), deferred()];
  const steps: number[] = [];
  const all = checks.map(({ promise }, i) => order.proceed(promise, async () => steps.push(i)));
  checks[2]!.resolve();
  checks[1]!.resolve();
  await new Promise(setImmediate);
  expect(steps).toEqual([]);
  checks[0]!.resolve();
  await Promise.all(all);
  expect(steps).toEqual([0, 1, 2]);
});

it('does not wait for a step, nor for one whose check failed', async () => {
  const order = new ArrivalOrder();
  const check = deferred();
  const refused = order.proceed(check.promise, async () => 'never');
  const slow = order.proceed(Promise.resolve(), () => new Promise(() => undefined));
  const next = order.proceed(Promise.resolve(), async () => 'next');
  check.reject(new Error('refused'));
  await expect(refused).rejects.toThrow('refused');
  await expect(next).resolves.toBe('next');
  expect(slow).toBeInstanceOf(Promise);
});

it('does not wait long for a check that takes long', async () => {
  const order = new ArrivalOrder();
  const stuck = order.proceed(new Promise(() => undefined), async () => 'never');
  const began = performance.now();
  await expect(order.proceed(Promise.resolve(), async () => 'next')).resolves.toBe('next');
  expect(performance.now() - began).toBeLessThan(500);
  expect(stuck).toBeInstanceOf(Promise);
});
