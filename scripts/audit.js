import { execFile } from 'node:child_process';

/**
 * Whether a dependency has a vulnerability that is known: `npm audit`, where the registry answers it. One that does not (a
 * mirror, no network) is said in so many words, and is no success: nothing has been checked then. With `--strict` it fails, for
 * the place where a release is made.
 */

const strict = process.argv.includes('--strict');

execFile('npm', ['audit', '--json', '--audit-level=high'], { maxBuffer: 64 * 1024 * 1024 }, (_error, stdout) => {
  const report = parse(stdout);
  const found = report?.metadata?.vulnerabilities;
  if (found === undefined) {
    // Not npm's own message: it holds the registry's address.
    const why = report?.statusCode === undefined ? 'no answer' : `status ${report.statusCode}`;
    console.log(`Known vulnerabilities: NOT CHECKED, for the registry does not answer npm audit (${why}).`);
    if (strict) process.exitCode = 1;
    return;
  }
  const { low, moderate, high, critical } = found;
  console.log(`Known vulnerabilities: ${critical} critical, ${high} high, ${moderate} moderate, ${low} low.`);
  for (const { name, severity, fixAvailable } of Object.values(report.vulnerabilities ?? {})) {
    console.log(`  ${severity}: ${name}${fixAvailable ? ' (npm audit fix)' : ''}`);
  }
  if (high + critical > 0) process.exitCode = 1;
});

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
