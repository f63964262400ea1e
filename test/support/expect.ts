import { expect } from 'vitest';
import { ModerationError, type ModerationErrorOf, type ModerationErrorType } from '../../src/client/errors.ts';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';

/** Waits for the operation and gives the error that it fails with, which must be of `type`. */
export async function failureOf<Type extends ModerationErrorType>(
  handle: OperationHandle<unknown>,
  type: Type,
): Promise<ModerationErrorOf<Type>> {
  const outcome: unknown = await handle.result().catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(ModerationError);
  expect(outcome).toMatchObject({ type });
  return outcome as ModerationErrorOf<Type>;
}
