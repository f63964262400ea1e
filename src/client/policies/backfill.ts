import type { Policy } from '../../contract/policy.ts';
import { DATE_RULE, toDate } from '../../schedule/dates.ts';
import { invalidPolicy as invalid } from '../errors.ts';
import { faultsOfOverlap, OVERLAP } from './policy-schedule.ts';
import type { BackfillRange } from './policy-types.ts';

/** The past period in which a policy is run again, or all issues at once. */
export function backfillPeriod({ when }: Policy, { start, end, overlap }: Required<BackfillRange>) {
  const [from, to] = [toDate(start, when.timeZone), toDate(end, when.timeZone)];
  const issues = [...faultsOfOverlap(overlap)];
  if (when.quietHours !== undefined) {
    issues.push(
      'a run of quiet hours does what is right when it runs, so there is nothing to make up for: use trigger',
    );
  }
  if (Object.keys(when).length === 0) {
    issues.push('the policy has no times, so nothing was due: use trigger to run it now');
  }
  if (from === undefined) issues.push(`start ${DATE_RULE}`);
  if (to === undefined) issues.push(`end ${DATE_RULE}`);
  if (from !== undefined && to !== undefined && to <= from) issues.push('end must come after start');
  if (to !== undefined && to.getTime() > Date.now()) {
    issues.push('end must have passed; what is to come runs by itself');
  }
  if (issues.length > 0 || from === undefined || to === undefined) throw invalid(issues);
  return { start: from, end: to, overlap: OVERLAP[overlap] };
}
