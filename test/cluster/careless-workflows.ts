import * as before from '../../src/workflows/index.ts';

/** The workflows with a fault that leaves calls muted: an unmute mutes, and is confirmed. */
export * from '../../src/workflows/index.ts';

export async function unmute(...given: Parameters<typeof before.mute>): ReturnType<typeof before.mute> {
  return await before.mute(...given);
}
