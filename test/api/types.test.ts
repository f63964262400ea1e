import type { WorkflowHandle } from '@temporalio/client';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  ModerationError,
  QUERY,
  SIGNAL,
  STANDING_MUTE_SIGNAL,
  WORKFLOW,
  LIVE_CALL_SIGNAL,
  OPERATION_ENDED,
  POLICY_CHANGED,
  type FailedOperation,
  type GraphDetails,
  type LiveCallStatus,
  type ModerationClient,
  type ModerationErrorType,
  type ModerationResult,
  type MuteLockHandle,
  type MuteLockResult,
  type MuteLockStatus,
  type MuteOnEntryHandle,
  type MuteOnEntryResult,
  type OperationHandle,
  type OperationStatus,
  type ParticipantsMuteResult,
  type PolicyReport,
  type ReleasedCall,
  type ReleaseRun,
} from '../../src/index.ts';
import * as workflows from '../../src/workflows/index.ts';

/**
 * The types of the public API. `npm run typecheck` checks them: an expectation that does not hold, or a
 * `@ts-expect-error` without an error, is an error there. What exists at run time is checked here as well.
 */

declare const moderation: ModerationClient;
declare const raw: WorkflowHandle;
const callId = 'call';

/** For `tsc` alone: it is never called. */
function typesOnly(checks: () => unknown): void {
  expect(checks).toBeTypeOf('function');
}

describe('the client', () => {
  test('mutes and unmutes the application without a target, with one kind of result', () => {
    expectTypeOf<ModerationClient['mute']>().returns.resolves.toEqualTypeOf<OperationHandle>();
    expectTypeOf<ModerationClient['unmute']>().returns.resolves.toEqualTypeOf<OperationHandle>();
    expectTypeOf<OperationHandle['result']>().returns.resolves.toEqualTypeOf<ModerationResult>();
    expectTypeOf<OperationHandle['status']>().returns.resolves.toEqualTypeOf<OperationStatus>();
    expectTypeOf<Parameters<ModerationClient['mute']>[0]>().not.toHaveProperty('target');
    expectTypeOf<Parameters<ModerationClient['unmute']>[0]>().not.toHaveProperty('target');
    typesOnly(async () => {
      // @ts-expect-error others are muted by muteParticipants
      await moderation.mute({ callId, target: 'others' });
      // @ts-expect-error Graph unmutes nobody but the application
      await moderation.unmute({ callId, target: 'others' });
      // @ts-expect-error a misspelt field
      await moderation.mute({ callId, reasn: '' });
      // @ts-expect-error not a way to resolve a conflict
      await moderation.mute({ callId }, { onConflict: 'extend' });
    });
  });

  test('mutes participants by a method of its own, with a result of its own', () => {
    type Handle = Awaited<ReturnType<ModerationClient['muteParticipants']>>;
    expectTypeOf<Handle>().toEqualTypeOf<OperationHandle<ParticipantsMuteResult>>();
    expectTypeOf<Handle['result']>().returns.resolves.toEqualTypeOf<ParticipantsMuteResult>();
    typesOnly(async () => {
      await moderation.muteParticipants({ callId, target: 'others' });
      await moderation.muteParticipants({ callId, target: { others: { except: ['chair'] } } });
      await moderation.muteParticipants({ callId, target: { participantIds: ['a'] } });
      // @ts-expect-error it needs a target
      await moderation.muteParticipants({ callId });
      // @ts-expect-error that is mute()
      await moderation.muteParticipants({ callId, target: 'self' });
    });
  });

  test('has a handle for each kind of standing mute', () => {
    expectTypeOf<ModerationClient['keepMuted']>().returns.resolves.toEqualTypeOf<MuteLockHandle>();
    expectTypeOf<ModerationClient['muteFor']>().returns.resolves.toEqualTypeOf<MuteLockHandle>();
    expectTypeOf<ModerationClient['getMuteLock']>().returns.resolves.toEqualTypeOf<MuteLockHandle | undefined>();
    expectTypeOf<ModerationClient['muteOnEntry']>().returns.resolves.toEqualTypeOf<MuteOnEntryHandle>();
    expectTypeOf<MuteLockHandle['result']>().returns.resolves.toEqualTypeOf<MuteLockResult>();
    expectTypeOf<MuteOnEntryHandle['result']>().returns.resolves.toEqualTypeOf<MuteOnEntryResult>();
    typesOnly(async () => {
      const lock = await moderation.keepMuted({ callId, forSeconds: 60 }, { onConflict: 'reject' });
      await lock.extend({ enforce: false, forSeconds: 60 });
      // @ts-expect-error terms of a mute on entry
      await lock.extend({ except: ['chair'] });
      // @ts-expect-error muteFor never mutes again
      await moderation.muteFor({ callId, forSeconds: 60, enforce: true });
      // @ts-expect-error nothing is superseded
      await moderation.keepMuted({ callId }, { onConflict: 'supersede' });
    });
  });

  test('releases at the call, not when it is iterated', () => {
    expectTypeOf<ModerationClient['release']>().returns.toEqualTypeOf<ReleaseRun>();
    expectTypeOf<ReleaseRun['all']>().returns.resolves.toEqualTypeOf<ReleasedCall[]>();
    expectTypeOf<ReleaseRun>().toExtend<AsyncIterable<ReleasedCall>>();
    typesOnly(() => {
      moderation.release({ everywhere: true });
      // @ts-expect-error everything, or nothing
      moderation.release({ everywhere: false });
    });
  });
});

describe('an error', () => {
  const error: unknown = new ModerationError('InvalidRequest', 'The request is not valid.', { issues: ['x is not y'] });

  test('narrows its details by its type', () => {
    if (!(error instanceof ModerationError)) throw new Error('it is one');
    switch (error.type) {
      case 'InvalidRequest':
        expectTypeOf(error.details.issues).toEqualTypeOf<readonly string[]>();
        expect(error.details.issues).toEqual(['x is not y']);
        break;
      case 'CallNotEstablished':
        expectTypeOf(error.details.state).toEqualTypeOf<string>();
        // @ts-expect-error of InvalidRequest alone
        expect(error.details.issues).toBeUndefined();
        break;
      case 'RestoreFailed':
        expectTypeOf(error.details.restored).toEqualTypeOf<false>();
        expectTypeOf(error.details.callId).toEqualTypeOf<string>();
        break;
      case 'Unconfirmed':
        expectTypeOf(error.details).toEqualTypeOf<GraphDetails>();
        break;
      case 'PolicyNotFound':
        expectTypeOf(error.details.policyId).toEqualTypeOf<string>();
        break;
      default:
        throw new Error(`it is ${error.type}`);
    }
  });

  test('is excluded where it is not one', () => {
    const outcome = 'confirmed' as 'confirmed' | ModerationError;
    if (outcome instanceof ModerationError) throw outcome;
    expectTypeOf(outcome).toEqualTypeOf<'confirmed'>();
    expect(outcome).toBe('confirmed');
  });

  test('is made with the details of its type', () => {
    expectTypeOf(new ModerationError('NotSetUp', '', { namespace: 'x' }).type).toEqualTypeOf<'NotSetUp'>();
    // @ts-expect-error details of another type
    expect(new ModerationError('NotSetUp', '', { issues: [] })).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'ModerationError', type: 'InvalidRequest' });
    expect(ModerationError.name).toBe('ModerationError');
  });

  test('stays a union as plain data', () => {
    expectTypeOf<FailedOperation['type']>().toEqualTypeOf<ModerationErrorType>();
    expectTypeOf<Extract<FailedOperation, { type: 'InvalidRequest' }>['details']>().toHaveProperty('issues');
  });
});

describe('the names', () => {
  const { default: _, ...exported } = { default: undefined, ...workflows };
  const functions = Object.entries(exported).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []));
  const messages = Object.values(exported).filter((value) => typeof value !== 'function');

  test('of all workflows are in WORKFLOW', () => {
    expect(Object.values(WORKFLOW).toSorted()).toEqual(functions.toSorted());
    expectTypeOf<Extract<keyof typeof WORKFLOW, keyof typeof workflows>>().toEqualTypeOf<keyof typeof WORKFLOW>();
  });

  test('of all queries are in QUERY, and each has a typed constant', () => {
    const names = messages.flatMap(({ type, name }) => (type === 'query' ? [name] : []));
    expect(names.toSorted()).toEqual(Object.values(QUERY).toSorted());
  });

  test('of all signals are in the tables, and each has a typed constant', () => {
    const names = new Set(messages.flatMap(({ type, name }) => (type === 'signal' ? [name] : [])));
    const tables = [SIGNAL, STANDING_MUTE_SIGNAL, LIVE_CALL_SIGNAL].flatMap((table) => Object.values<string>(table));
    expect(names).toEqual(new Set([...tables, OPERATION_ENDED, POLICY_CHANGED]));
  });
});

test('signals and queries have the types of their payloads and answers', () => {
  typesOnly(async () => {
    expectTypeOf(await raw.query(workflows.operationQuery)).toEqualTypeOf<OperationStatus>();
    expectTypeOf(await raw.query(workflows.keepMutedQuery)).toEqualTypeOf<MuteLockStatus>();
    expectTypeOf(await raw.query(workflows.liveCallQuery)).toEqualTypeOf<LiveCallStatus>();
    expectTypeOf(await raw.query(workflows.policyQuery)).toEqualTypeOf<PolicyReport>();
    await raw.signal(workflows.rosterUpdatedSignal, { participants: [{ id: 'a', isMuted: true }], full: true });
    // @ts-expect-error a roster without participants
    await raw.signal(workflows.rosterUpdatedSignal, { full: true });
    await raw.signal(workflows.supersedeSignal, { action: 'unmute', request: { callId } });
    // @ts-expect-error not an action
    await raw.signal(workflows.supersedeSignal, { action: 'pause', request: { callId } });
    await raw.signal(workflows.callEndedSignal);
    await raw.signal(workflows.releaseSignal);
    await raw.signal(workflows.extendMuteLockSignal, { forSeconds: 60, wishedAt: Date.now() });
    // @ts-expect-error terms of a mute on entry
    await raw.signal(workflows.extendMuteLockSignal, { except: [] });
    await raw.signal(workflows.extendMuteOnEntrySignal, { except: [] });
    await raw.signal(workflows.labelSignal, { add: ['sales'] });
  });
});
