import { workflowIdOf } from './call-id.ts';
import { object, type Rule, type Rules } from './check.ts';
import {
  checkStandingMute,
  STANDING_MUTE_RULES,
  OF_CALL,
  type CheckedFields,
  type StandingMuteDefinition,
  type StandingMuteTerms,
  type OfCall,
} from './standing-mute.ts';
import { QUERY, WORKFLOW } from './names.ts';
import { MAX_PARTICIPANTS, toParticipantIds } from './target.ts';

/**
 * The workflow ID of a mute on entry: one for each call, so at most one runs.
 *
 * @example
 * muteOnEntryIdOf(callId); // 'call-moderation/57dab8b1-894c-409a-b240-bd8beae78896/entry'
 */
export function muteOnEntryIdOf(callId: string): string {
  return `${workflowIdOf(callId)}/entry`;
}

/** How long it is active, and which participants it does not mute. */
export interface MuteOnEntryTerms extends StandingMuteTerms {
  /** Participants who are never muted, by the `id` that a roster shows; at most 100. */
  except?: readonly string[];
}

/** The terms that a policy gives to its mutes on entry, the same in every call. */
export type MuteOnEntryRule = Pick<MuteOnEntryTerms, 'forSeconds' | 'except'>;

/** Input of the workflow `muteOnEntry`. */
export type MuteOnEntryRequest = OfCall & MuteOnEntryTerms;

/** Maximum number of newcomers that one run mutes. When it is reached, the run ends with `gaveUp`; start a new one. */
export const MAX_NEWCOMERS = 1_000;

/**
 * Until it has read who is in the call (`reading`); while it waits for newcomers; while an operation mutes some; when it
 * has ended.
 */
export type MuteOnEntryPhase = 'reading' | 'watching' | 'muting' | 'ended';

/** Every end of a mute on entry. */
export const MUTE_ON_ENTRY_ENDS = ['expired', 'released', 'gaveUp', 'callEnded'] as const;

/**
 * Why a mute on entry has ended:
 *
 * - `expired`, `released`: as planned
 * - `gaveUp`: 1,000 newcomers have joined, the maximum of one run
 * - `callEnded`
 *
 * Nobody is unmuted, because Graph unmutes nobody but the application.
 */
export type MuteOnEntryEnd = (typeof MUTE_ON_ENTRY_ENDS)[number];

/** Newcomers by outcome, each counted once: `newcomers` is the sum of the others and of those under way. */
export interface Newcomers {
  /** All of them. */
  newcomers: number;
  /** Shown as muted by a roster, whether or not they have unmuted since. */
  muted: number;
  /** Had left before they could be muted. */
  left: number;
  /** Graph refused to mute them. */
  refused: number;
  /** Graph accepted, but no roster has shown it; or another operation superseded it. They are not muted again. */
  notConfirmed: number;
}

/** Answer of the query `muteOnEntry`. Times are ISO 8601 in UTC. */
export interface MuteOnEntryStatus extends Newcomers {
  phase: MuteOnEntryPhase;
  request: MuteOnEntryRequest;
  /**
   * Participants who join after this moment are muted: its first complete roster, or the first read while it waits
   * for one.
   */
  since?: string;
  startedAt: string;
  /** Absent if it is active until it is released. */
  until?: string;
  except: readonly string[];
  /** Number of people whom the roster listed at that moment, without lobby and application. */
  wereThere: number;
  /**
   * Whether it is known who was there. False while it waits for a complete roster, which contains the application and
   * fewer than 100 participants: until then newcomers cannot be distinguished from those who were there, and nobody
   * is muted.
   */
  isRosterComplete: boolean;
  /**
   * In the lobby, as far as is known, or named by a roster and not found. They are newcomers once they are in the
   * call.
   */
  waiting: number;
  /** Operations that it has started. */
  operations: number;
  /** Rosters that it received. */
  rosters: number;
}

/** Result of a mute on entry. Times are ISO 8601 in UTC. */
export interface MuteOnEntryResult extends Newcomers {
  callId: string;
  endedBy: MuteOnEntryEnd;
  /** Number of people whom the roster listed at its begin, without lobby and application. */
  wereThere: number;
  /** Whether it was ever known who was there; without that, nobody was muted. */
  isRosterComplete: boolean;
  startedAt: string;
  endedAt: string;
}

const except: Rule<readonly string[]> = (value, at, issues) => {
  const ids = toParticipantIds(value);
  if (ids === undefined) {
    issues.add(at, `must be a list of at most ${MAX_PARTICIPANTS} IDs of participants, as a roster shows them`);
  }
  return ids;
};

const TERMS: Rules<MuteOnEntryTerms> = { ...STANDING_MUTE_RULES, except };

const otherwise = 'the input must be one object';

const MUTE_ON_ENTRY_RULE = object<MuteOnEntryRequest>({
  rules: { ...OF_CALL, ...TERMS },
  required: ['callId'],
  otherwise,
  of: 'here',
});

const TERMS_RULE = object<MuteOnEntryTerms>({ rules: TERMS, otherwise, of: 'here' });

const { forSeconds } = STANDING_MUTE_RULES;
const MUTE_ON_ENTRY_RULE_FIELDS = object<MuteOnEntryRule>({ rules: { forSeconds, except }, otherwise, of: 'here' });

/**
 * Checks the input of a mute on entry, as `checkRequest` does that of an operation.
 *
 * @example
 * const checked = checkMuteOnEntry({ callId, except: [chairId] });
 * if (!checked.ok) console.error(checked.issues);
 */
export function checkMuteOnEntry(input: unknown): CheckedFields<MuteOnEntryRequest> {
  return checkStandingMute(input, MUTE_ON_ENTRY_RULE);
}

/** Checks the payload of `extend`: the terms that replace the earlier ones. */
export function checkMuteOnEntryTerms(input: unknown): CheckedFields<MuteOnEntryTerms> {
  return checkStandingMute(input, TERMS_RULE);
}

/** Checks the terms of a policy. */
export function checkMuteOnEntryRule(input: unknown): CheckedFields<MuteOnEntryRule> {
  return checkStandingMute(input, MUTE_ON_ENTRY_RULE_FIELDS);
}

/** Mutes on entry. */
export const MUTE_ON_ENTRY: StandingMuteDefinition<MuteOnEntryRequest, MuteOnEntryTerms> = {
  name: 'mute on entry',
  workflowType: WORKFLOW.muteOnEntry,
  query: QUERY.muteOnEntry,
  workflowIdOf: muteOnEntryIdOf,
  check: checkMuteOnEntry,
  checkTerms: checkMuteOnEntryTerms,
  terms: ['until', 'forSeconds', 'except'],
  summaryOf: ({ callId }) => `Mute on entry of call ${callId}`,
};
