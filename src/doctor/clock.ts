import { request } from 'undici';
import { CLOCK_TOLERANCE_SECONDS } from '../auth/token-verifier.ts';
import { seldom } from '../lib/outbound.ts';
import { CHECK_MS, Fault, type Check } from './check.ts';
import { reasonOf } from '../lib/error-reason.ts';

/**
 * Our clock against that of others, by the `Date` of their answers. Tokens of notifications live five minutes and are
 * taken five minutes around that, so a clock that is far off refuses them all.
 */

/** Half of what the webhook allows. `Date` has whole seconds. */
const MAX_SECONDS = CLOCK_TOLERANCE_SECONDS / 2;

/** More than that no clock has that is set by NTP. */
const USUAL_SECONDS = 15;

export function clockCheck(addresses: readonly string[]): Check {
  return {
    name: 'clock',
    run: async () => {
      const told = await Promise.allSettled(addresses.map(async (address) => await skewOf(address)));
      const skews = told.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
      if (skews.length === 0) {
        const why = told.map((one) => (one.status === 'rejected' ? reasonOf(one.reason) : '')).join(', ');
        throw new Fault(`cannot be compared (${why})`, 'Check the network, and see the checks above.', 'warning');
      }
      const seconds = Math.max(...skews.map(Math.abs));
      const said = `${seconds.toFixed(0)} s off at most, compared with ${skews.length} of ${addresses.length} servers`;
      const remedy = 'Set the clock by NTP: with a wrong clock, tokens are invalid.';
      if (seconds > USUAL_SECONDS) throw new Fault(said, remedy, seconds > MAX_SECONDS ? 'failed' : 'warning');
      return said;
    },
  };
}

/** Seconds that our clock is ahead. */
async function skewOf(address: string): Promise<number> {
  const asked = Date.now();
  const { headers, body } = await request(address, {
    dispatcher: seldom(),
    signal: AbortSignal.timeout(CHECK_MS - 1_000),
    reset: true,
  });
  const answered = Date.now();
  await body.dump();
  const theirs = Date.parse(String(headers['date']));
  if (Number.isNaN(theirs)) throw new Error('no Date');
  // The middle of the second that they name, against the middle of the request.
  return ((asked + answered) / 2 - (theirs + 500)) / 1_000;
}
