import { expect } from 'vitest';
import { ModerationError, type ModerationErrorType } from '../../src/client/errors.ts';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';

/** Waits for the operation and gives the error that it fails with, which must be of `type`. */
export async function failureOf(handle: OperationHandle<unknown>, type: ModerationErrorType): Promise<ModerationError> {
  const outcome: unknown = await handle.result().catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(ModerationError);
  const error = outcome as ModerationError;
  expect(error).toMatchObject({ type });
  return error;
}
