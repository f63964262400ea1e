import {
  checkHold,
  checkTerms,
  HOLD_QUERY,
  holdIdOf,
  type HoldRequest,
  type HoldResult,
  type HoldStatus,
  type HoldTerms,
} from '../contract/hold.ts';
import { code, lastsUntil } from '../contract/summary.ts';
import { Holding, type HoldState } from './holding.ts';
import { countHold } from './metrics.ts';
import { runLasting, type LastingKind } from './run-lasting.ts';

/**
 * What Temporal sees of a hold. How it holds is told in `holding.ts`. `state` is set by a run that continues as new, and by
 * nothing else.
 */
export async function hold(input: HoldRequest, ...state: unknown[]): Promise<HoldResult> {
  return await runLasting(KIND, input, state);
}

const KIND: LastingKind<HoldRequest, HoldTerms, HoldState, HoldStatus, HoldResult> = {
  name: 'hold',
  workflowIdOf: holdIdOf,
  check: checkHold,
  checkTerms,
  query: HOLD_QUERY,
  descriptions: {
    query: 'Where the hold stands, and what it has seen',
    release: 'Unmute now, and end',
    extend: 'Other terms from now on: { until?, forSeconds?, enforce?, atMost? }',
  },
  begin: (request, state) => new Holding(request, state),
  detailsOf,
  countEnd: countHold,
};

function detailsOf({ until, enforce, request }: HoldStatus): string {
  const end = lastsUntil(until);
  const how = enforce ? 'Muted again whenever it is unmuted' : 'Muted once';
  const why = request.reason === undefined ? [] : [`Reason: ${code(request.reason)}`];
  return [`${how}, ${end}.`, ...why].join('\n\n');
}
