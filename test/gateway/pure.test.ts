import { randomUUID } from 'node:crypto';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { CommsOperation as GraphOperation, PublicError, ResultInfo } from '@microsoft/microsoft-graph-types';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { FAILURE_TYPES } from '../../src/contract/failure.ts';
import { commsOperationOf } from '../../src/gateway/comms-operation.ts';
import { ERROR_STATUS } from '../../src/gateway/error-status.ts';
import { errorOf, failureOf } from '../../src/gateway/failure.ts';
import { openApiOf } from '../../src/gateway/openapi.ts';
import { operationIdOf, runIdOf } from '../../src/gateway/operation-id.ts';
import { appliedOf, MAX_WAIT_MS, preferenceIn, waitMsOf } from '../../src/gateway/prefer.ts';
import type { CommsOperation } from '../../src/gateway/schemas.ts';

const IDS = { requestId: 'r', clientRequestId: 'c' };

test.each([
  [undefined, MAX_WAIT_MS, undefined],
  ['respond-async', 0, 'respond-async'],
  ['Respond-Async', 0, 'respond-async'],
  ['wait=3', 3_000, 'wait=3'],
  ['wait = "3"', 3_000, 'wait=3'],
  ['respond-async, wait=10', 10_000, 'wait=10'],
  ['wait=0', 0, 'wait=0'],
  ['wait=99999', MAX_WAIT_MS, `wait=${MAX_WAIT_MS / 1000}`],
  ['wait=-1', MAX_WAIT_MS, undefined],
  ['wait=1.5', MAX_WAIT_MS, undefined],
  ['return=minimal;foo="respond-async"', MAX_WAIT_MS, undefined],
  [['return=minimal', 'wait=2; x=y'], 2_000, 'wait=2'],
])('Prefer: %s is a wait of %i ms', (header, waitMs, applied) => {
  const preference = preferenceIn(header);
  expect(waitMsOf(preference)).toBe(waitMs);
  expect(appliedOf(preference, true)).toBe(applied);
});

describe('the ID of an operation', () => {
  const [callId, runId] = [randomUUID(), randomUUID()];
  const id = operationIdOf(callId, runId);

  test('is found again, in every spelling of the call', () => {
    expect(id).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(runIdOf(callId, id)).toBe(runId);
    expect(runIdOf(callId.toUpperCase(), id)).toBe(runId);
  });

  test('is of one call, and of no other character', () => {
    expect(runIdOf(randomUUID(), id)).toBeUndefined();
    for (let at = 0; at < id.length; at += 1) {
      const changed = id.slice(0, at) + (id[at] === 'A' ? 'B' : 'A') + id.slice(at + 1);
      expect(runIdOf(callId, changed)).toBeUndefined();
    }
    for (const other of ['', '..', runId, `${id}=`, `${id} `]) expect(runIdOf(callId, other)).toBeUndefined();
  });
});

test('what Graph SDKs repeat by themselves is only what may be repeated', () => {
  const repeated = Object.entries(ERROR_STATUS).filter(([, status]) => [429, 503, 504].includes(status));
  expect(repeated.map(([type]) => type).toSorted()).toEqual(['GraphUnavailable', 'NotEnded', 'TemporalUnavailable']);
  expect(Object.values(ERROR_STATUS)).not.toContain(401);
  for (const type of FAILURE_TYPES) {
    const { status, headers } = failureOf({ type, message: 'm', details: { retryAfterSeconds: 7 } });
    expect(headers).toEqual(status === 503 ? { 'retry-after': '7' } : {});
  }
});

describe('the OpenAPI document', () => {
  const document = openApiOf();

  test('is one', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  test('has the answers as they are', () => {
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema({ $id: 'http://gateway/', ...document });
    const failure = failureOf({ type: 'Unconfirmed', message: 'm', details: { restored: true } });
    const shown = { root: 'http://a', version: 'v1.0', id: 'x', action: 'mute', clientContext: undefined } as const;
    for (const state of ['running', 'completed', failure] as const) {
      const operation = commsOperationOf({ ...shown, state }, IDS);
      expect(ajv.validate('http://gateway/#/components/schemas/commsOperation', operation), ajv.errorsText()).toBe(
        true,
      );
    }
    expect(ajv.validate('http://gateway/#/components/schemas/errorBody', errorOf(failure, IDS))).toBe(true);
    expect(ajv.validate('http://gateway/#/components/schemas/muteBody', { clientContext: 'x'.repeat(257) })).toBe(
      false,
    );
    expect(ajv.validate('http://gateway/#/components/schemas/muteBody', { other: 1 })).toBe(false);
    expect(ajv.validate('http://gateway/#/components/schemas/muteBody', {})).toBe(true);
  });

  test("has the types of Graph's own", () => {
    const shown = { root: 'http://a', version: 'v1.0', id: 'x', action: 'mute', clientContext: 'c' } as const;
    const { id, status, clientContext, resultInfo } = commsOperationOf({ ...shown, state: 'completed' }, IDS);
    // Compiles only as long as Graph's official types take what we answer.
    const theirs = {
      id,
      status: NAMED[status],
      clientContext,
      resultInfo: official(resultInfo),
    } satisfies GraphOperation;
    expect(theirs.status).toBe('Completed');
    const { error } = errorOf({ code: 'Unconfirmed', message: 'm', inner: {} }, IDS);
    expect(({ code: error.code, message: error.message } satisfies PublicError).code).toBe('Unconfirmed');
  });
});

/** Those types begin the words with a capital, which Graph itself does not. */
const NAMED = { running: 'Running', completed: 'Completed', failed: 'Failed' } as const;

function official(info: CommsOperation['resultInfo']): ResultInfo | null {
  return info === null
    ? null
    : ({ code: info.code, subcode: info.subcode, message: info.message } satisfies ResultInfo);
}
