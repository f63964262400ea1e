import { sleep } from '@temporalio/workflow';
import * as before from '../../src/workflows/index.ts';

/**
 * The workflows as somebody may change them without `patched`: each begins with a timer now. A run that has begun without
 * one cannot go on here, nor one that has begun here with the workflows of before.
 */
export * from '../../src/workflows/index.ts';

export async function mute(...given: Parameters<typeof before.mute>): ReturnType<typeof before.mute> {
  await sleep(1);
  return await before.mute(...given);
}

export async function unmute(...given: Parameters<typeof before.unmute>): ReturnType<typeof before.unmute> {
  await sleep(1);
  return await before.unmute(...given);
}
