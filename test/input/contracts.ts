import { liveCallListFilter } from '../../src/client/calls/calls.ts';
import { ModerationError } from '../../src/client/errors.ts';
import { operationListFilter } from '../../src/client/operations/records.ts';
import { bounded } from '../../src/contract/check.ts';
import { checkLiveCall, toCallEstablished, toLabelling } from '../../src/contract/live-call.ts';
import { checkMuteLock, checkMuteLockTerms } from '../../src/contract/mute-lock.ts';
import { checkMuteOnEntryRule, checkMuteOnEntryTerms, checkMuteOnEntry } from '../../src/contract/mute-on-entry.ts';
import { checkPolicy, noteIssues } from '../../src/contract/policy-check.ts';
import { checkRequest } from '../../src/contract/request.ts';
import { toCallEnd, toOperationUpdate, toRosterUpdate, toSuccessor } from '../../src/contract/signals.ts';
import { toCarrier } from '../../src/contract/trace.ts';
import { readWhen } from '../../src/schedule/spec.ts';

/** Every kind of input, each with a valid sample. */

export const ID = '57dab8b1-894c-409a-b240-bd8beae78896';

export interface Contract {
  name: string;
  sample: object;
  /** The issues, or nothing of an input that was taken. Signals have no words. */
  faultsOf: (input: unknown) => readonly string[] | undefined;
  isSignal?: boolean;
}

type Answer = { ok: true } | { ok: false; issues: readonly string[] };

const told =
  (check: (input: unknown) => Answer) =>
  (input: unknown): readonly string[] | undefined => {
    const answer = check(input);
    return answer.ok ? undefined : answer.issues;
  };

const thrown =
  (work: (input: unknown) => unknown) =>
  (input: unknown): readonly string[] | undefined => {
    try {
      work(input);
      return undefined;
    } catch (error) {
      if (!(error instanceof ModerationError) || error.type !== 'InvalidRequest') throw error;
      return [...error.details.issues, error.message];
    }
  };

const signalled =
  (read: (input: unknown) => unknown) =>
  (input: unknown): readonly string[] | undefined =>
    read(input) === undefined ? [] : undefined;

const ofCall = { callId: ID, tenantId: 'contoso.example', requestedBy: 'r', reason: 'why' };
const lasting = { until: '2036-01-01T00:00:00Z' };
const when = {
  at: ['18:00'],
  days: ['mon'],
  every: '1h',
  cron: ['0 18 * * *'],
  once: 'in 2h',
  timeZone: 'Europe/Berlin',
  start: 'now',
  end: '2099-01-01',
  jitter: '1m',
  quietHours: { from: '22:00', to: '06:00', days: ['fri'] },
};
const request = {
  ...ofCall,
  clientContext: 'c',
  confirmWithinSeconds: 5,
  onUnconfirmed: 'leave',
  requestId: 'i',
  target: { others: { except: ['a'] } },
};
const roster = {
  participants: [{ id: ID, isMuted: true, serverMuted: true, sequence: 1, removed: true }],
  full: true,
  sequenceNumber: 1,
};
const reason = { code: 1, subcode: 'x', message: 'm' };

export const CONTRACTS: Contract[] = [
  { name: 'mute', sample: request, faultsOf: told((input) => checkRequest(input)) },
  {
    name: 'mute of participants',
    sample: { callId: ID, target: { participantIds: ['a'] } },
    faultsOf: told((input) => checkRequest(input)),
  },
  { name: 'unmute', sample: ofCall, faultsOf: told((input) => checkRequest(input, 'unmute')) },
  {
    name: 'mute lock',
    sample: { ...ofCall, ...lasting, enforce: true, atMost: { mutes: 3, withinSeconds: 60 } },
    faultsOf: told(checkMuteLock),
  },
  { name: 'timed mute', sample: { ...ofCall, forSeconds: 5, enforce: false }, faultsOf: told(checkMuteLock) },
  {
    name: 'terms of a mute lock',
    sample: { forSeconds: 5, atMost: { mutes: 3, withinSeconds: 60 } },
    faultsOf: told(checkMuteLockTerms),
  },
  { name: 'mute on entry', sample: { ...ofCall, forSeconds: 5, except: ['a'] }, faultsOf: told(checkMuteOnEntry) },
  { name: 'terms of a mute on entry', sample: { ...lasting, except: ['a'] }, faultsOf: told(checkMuteOnEntryTerms) },
  { name: 'rule of mute on entry', sample: { forSeconds: 5, except: ['a'] }, faultsOf: told(checkMuteOnEntryRule) },
  {
    name: 'policy',
    sample: {
      id: 'nightly',
      action: 'mute',
      target: { live: { tenantId: 'contoso.example', label: 'l' } },
      when: { at: '18:00' },
      overlap: 'skip',
      catchupWindow: '15m',
      rules: { minParticipants: 4 },
      request: { reason: 'r', target: { others: { except: ['a'] } } },
      onConflict: 'queue',
      concurrency: 1,
      perSecond: 1,
    },
    faultsOf: told(checkPolicy),
  },
  {
    name: 'policy on entry',
    sample: {
      id: 'entry',
      action: 'mute',
      target: { calls: [ID] },
      when: {},
      rules: { onEntry: { forSeconds: 5, except: ['a'] } },
    },
    faultsOf: told(checkPolicy),
  },
  {
    name: 'times of a policy',
    sample: when,
    faultsOf: (input) => {
      const read = readWhen(input);
      return read.ok ? undefined : bounded(read.issues);
    },
  },
  { name: 'note of a policy', sample: { note: 'n' }, faultsOf: (input) => [...noteIssues(input)] },
  {
    name: 'live call',
    sample: { callId: ID, tenantId: 'contoso.example' },
    faultsOf: (input) => {
      const checked = checkLiveCall(input);
      return typeof checked === 'string' ? [checked] : undefined;
    },
  },
  {
    name: 'filter of calls',
    sample: { tenantId: 'contoso.example', label: 'l', state: 'established' },
    faultsOf: thrown((input) => liveCallListFilter(input as object, 'queue')),
  },
  {
    name: 'filter of operations',
    sample: { callId: ID, action: 'mute', outcome: 'Confirmed', tenantId: 'contoso.example', requestId: 'i' },
    faultsOf: thrown((input) => operationListFilter(input as object)),
  },
  { name: 'rosterUpdated', sample: roster, faultsOf: signalled(toRosterUpdate), isSignal: true },
  { name: 'callEnded', sample: reason, faultsOf: signalled(toCallEnd), isSignal: true },
  {
    name: 'operationUpdated',
    sample: { operationId: ID, clientContext: 'c', status: 'failed', ...reason },
    faultsOf: signalled(toOperationUpdate),
    isSignal: true,
  },
  {
    name: 'supersede',
    sample: { action: 'mute', request, id: 'i' },
    faultsOf: signalled(toSuccessor),
    isSignal: true,
  },
  { name: 'callEstablished', sample: { tenantId: 'x' }, faultsOf: signalled(toCallEstablished), isSignal: true },
  { name: 'label', sample: { add: ['a'], remove: ['b'] }, faultsOf: signalled(toLabelling), isSignal: true },
  { name: 'trace', sample: { traceparent: 'x', tracestate: 'y' }, faultsOf: signalled(toCarrier), isSignal: true },
];
