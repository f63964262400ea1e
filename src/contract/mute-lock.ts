import { workflowIdOf } from './call-id.ts';
import { flag, isFields, isWithin, object, type Rule, type Rules } from './check.ts';
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
import type { MuteState } from './operation.ts';

/**
 * The workflow ID of a mute lock or timed mute: one for each call, so at most one runs.
 *
 * @example
 * muteLockIdOf(callId); // 'call-moderation/57dab8b1-894c-409a-b240-bd8beae78896/keep-muted'
 */
export function muteLockIdOf(callId: string): string {
  return `${workflowIdOf(callId)}/keep-muted`;
}

/** How long a mute lock is active, and how it works. */
export interface MuteLockTerms extends StandingMuteTerms {
  /**
   * Mute again whenever the roster shows the application unmuted (a mute lock), or not (a timed mute).
   *
   * @default true
   */
  enforce?: boolean;
  /**
   * How often it mutes again before it gives up: `mutes` (1 to 100) within `withinSeconds` (1 to 86,400).
   *
   * @default { mutes: 10, withinSeconds: 600 }
   */
  atMost?: { mutes: number; withinSeconds: number };
}

/** Input of the workflow `keepMuted`. A timed mute (`enforce: false`) needs `forSeconds` or `until`. */
export type MuteLockRequest = OfCall & MuteLockTerms;

export const DEFAULT_AT_MOST = { mutes: 10, withinSeconds: 600 } as const;

/** Upper limit on re-mutes per mute lock, regardless of rate. */
export const MAX_MUTES = 100;

/** Before its first mute is confirmed; afterwards; while its last operation unmutes; when it has ended. */
export type MuteLockPhase = 'muting' | 'keepingMuted' | 'unmuting' | 'ended';

/** Every end of a mute lock. */
export const MUTE_LOCK_ENDS = ['expired', 'released', 'unmuted', 'gaveUp', 'callEnded'] as const;

/**
 * Why a mute lock has ended:
 *
 * - `expired`, `released`: as planned; the application was unmuted
 * - `unmuted`: somebody unmuted the application with an operation of ours
 * - `gaveUp`: others unmuted it more often than `atMost` allows, and it is left unmuted
 * - `callEnded`
 */
export type MuteLockEnd = (typeof MUTE_LOCK_ENDS)[number];

/** Answer of the query `keepMuted`. Times are ISO 8601 in UTC. */
export interface MuteLockStatus {
  phase: MuteLockPhase;
  request: MuteLockRequest;
  startedAt: string;
  /** Absent if it is active until it is released. */
  until?: string;
  enforce: boolean;
  /** How often it has muted again. */
  mutesAgain: number;
  /** Rosters that it received. */
  rosters: number;
  /** The application's own participant, once it is known. */
  participantId?: string;
  /** The application's newest state in a roster. */
  lastSeen?: MuteState;
}

/** Result of a mute lock or timed mute. Times are ISO 8601 in UTC. */
export interface MuteLockResult {
  callId: string;
  endedBy: MuteLockEnd;
  /** How often it has muted again. */
  mutesAgain: number;
  startedAt: string;
  endedAt: string;
}

const AT_MOST_RULE = 'must be { mutes: 1 to 100, withinSeconds: 1 to 86400 }; leave it out for 10 in 600';

const atMost: Rule<Required<MuteLockTerms>['atMost']> = (value, at, issues) => {
  const { mutes, withinSeconds } = isFields(value) && Object.keys(value).length === 2 ? value : {};
  if (isWithin(mutes, 1, MAX_MUTES) && Number.isInteger(mutes) && isWithin(withinSeconds, 1, 86_400)) {
    return { mutes, withinSeconds };
  }
  issues.add(at, AT_MOST_RULE);
  return undefined;
};

const TERMS: Rules<MuteLockTerms> = {
  ...STANDING_MUTE_RULES,
  enforce: flag('must be true or false; leave it out for true'),
  atMost,
};

const otherwise = 'the input must be one object';

const MUTE_LOCK_RULE = object<MuteLockRequest>({
  rules: { ...OF_CALL, ...TERMS },
  required: ['callId'],
  otherwise,
  of: 'here',
});

const TERMS_RULE = object<MuteLockTerms>({ rules: TERMS, otherwise, of: 'here' });

/**
 * Checks the input of a mute lock or timed mute, as `checkRequest` does that of an operation.
 *
 * @example
 * const checked = checkMuteLock({ callId, forSeconds: 600 });
 * if (!checked.ok) console.error(checked.issues);
 */
export function checkMuteLock(input: unknown): CheckedFields<MuteLockRequest> {
  const checked = checkStandingMute(input, MUTE_LOCK_RULE);
  if (!checked.ok) return checked;
  const { enforce, until, forSeconds } = checked.request;
  if (enforce === false && until === undefined && forSeconds === undefined) {
    const fault =
      'a timed mute (enforce: false) needs forSeconds or until; leave out enforce to keep the call muted until a release';
    return { ok: false, issues: [fault] };
  }
  return checked;
}

/** Checks the payload of `extend`: the terms that replace the earlier ones. */
export function checkMuteLockTerms(input: unknown): CheckedFields<MuteLockTerms> {
  return checkStandingMute(input, TERMS_RULE);
}

/** Mute locks and timed mutes. */
export const MUTE_LOCK: StandingMuteDefinition<MuteLockRequest, MuteLockTerms> = {
  name: 'mute lock',
  workflowType: WORKFLOW.keepMuted,
  query: QUERY.keepMuted,
  workflowIdOf: muteLockIdOf,
  check: checkMuteLock,
  checkTerms: checkMuteLockTerms,
  terms: ['until', 'forSeconds', 'enforce', 'atMost'],
  summaryOf: ({ callId, enforce = true }) => `${enforce ? 'Keep muted' : 'Mute for a time'}: call ${callId}`,
};
