import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { CompleteAsyncError } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { inOwnWords } from '../../src/activities/own-words.ts';
import { ModerationError } from '../../src/client/errors.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { OperatorError } from '../../src/lib/operator-error.ts';
import { describe as describeError } from '../../src/lib/exit-on-error.ts';
import { kindOf, kindOfText, reasonOf, toldOf } from '../../src/lib/error-reason.ts';
import { lazyClient } from '../../src/temporal/connect.ts';
import { listen, shut } from '../support/webhook-kit.ts';

/** Whatever a library throws, only words of ours come out: planted in its error is what must not. */

const PLANTED = 'planted-secret';

const thrownBy = async (work: () => unknown): Promise<unknown> => {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

const grpc = (code: number, details: string): Error =>
  Object.assign(new Error(`${code} ${details}`), { code, details: `${details} ${PLANTED}`, metadata: { PLANTED } });

describe('an error that a library has thrown in earnest', () => {
  it.each<[string, () => unknown, string]>([
    [
      "gRPC's, of a header",
      async () => {
        const client = lazyClient({
          temporal: { connectionOptions: { address: '127.0.0.1:1', apiKey: `${PLANTED}\n` } },
        });
        await client.workflowService.getSystemInfo({});
      },
      'a header has a character that HTTP does not allow',
    ],
    [
      "fetch's, of a header",
      () => fetch('http://127.0.0.1:1', { headers: { authorization: `Bearer ${PLANTED}\n\u0000` } }),
      'a header has a character that HTTP does not allow',
    ],
    [
      "fetch's, of a port",
      async () => await fetch(`http://127.0.0.1:${await freePort()}/${PLANTED}`),
      'connection refused',
    ],
    ["fetch's, of a name", () => fetch(`http://${PLANTED}.invalid/`), 'the host name is not found'],
    ["the socket's", async () => await once(connect(await freePort(), '127.0.0.1'), 'connect'), 'connection refused'],
    [
      "a signal's",
      () => AbortSignal.timeout(0).throwIfAborted() ?? AbortSignal.abort().throwIfAborted(),
      'the request was cancelled',
    ],
    ["JSON's", () => JSON.parse(`{"${PLANTED}`) as unknown, 'the answer is not JSON'],
  ])('%s', async (_what, work, words) => {
    const error = await thrownBy(work);
    expect(reasonOf(error)).toMatch(new RegExp(`^${words}(, \\w+)?$`));
    expect(JSON.stringify([kindOf(error), toldOf(error), describeError(error)])).not.toContain(PLANTED);
  });

  it("TLS's, of a server that speaks none", async () => {
    const { server, port } = await listen((_request, response) => response.end());
    const error = await thrownBy(async () => await once(connectTls(port, '127.0.0.1'), 'secureConnect'));
    expect(reasonOf(error)).toMatch(/^TLS failed/);
    await shut(server);
  });
});

describe('the kind of an error', () => {
  it.each<[unknown, string]>([
    [grpc(16, 'Request unauthorized'), 'the credentials are refused'],
    [grpc(7, 'Request unauthorized'), 'permission denied'],
    [grpc(5, 'Namespace x is not found.'), 'the namespace is not found'],
    [grpc(5, 'workflow execution not found'), 'not found'],
    [grpc(4, 'Deadline exceeded'), 'no answer in time'],
    [grpc(14, 'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:7233'), 'connection refused'],
    [grpc(14, 'Name resolution failed for target dns:x'), 'the host name is not found'],
    [grpc(14, 'No connection established. Last error: self-signed certificate'), 'the TLS certificate is not trusted'],
    [grpc(14, 'busy'), 'the server is unavailable'],
    [
      grpc(13, 'Metadata string value "x" contains illegal characters'),
      'a header has a character that HTTP does not allow',
    ],
    [new Error(`Unexpected ${PLANTED}`, { cause: grpc(16, '') }), 'the credentials are refused'],
    [
      new AggregateError([new Error(PLANTED), Object.assign(new Error(PLANTED), { code: 'EAI_AGAIN' })]),
      'the host name is not found',
    ],
  ])('%s is %s', (error, words) => {
    expect(kindOf(error)).toBe(words);
    expect(JSON.stringify(toldOf(error))).not.toContain(PLANTED);
  });

  it('is told of text, too, as Core writes it', () => {
    expect(kindOfText(`tonic::transport::Error(Transport, PrivateKeyParseError) ${PLANTED}`)).toContain(
      'cannot be read',
    );
    expect(kindOfText(`Status { code: Unknown, message: "${PLANTED}" }`)).toBe('unexpected');
  });

  it('is not known of everything, and then it is the name of a class alone', () => {
    expect(reasonOf(new TypeError(PLANTED))).toBe('unexpected (TypeError)');
    expect(reasonOf(Object.assign(new Error(PLANTED), { name: `${PLANTED} x`, code: 'E_ODD' }))).toBe(
      'unexpected (Error, E_ODD)',
    );
    for (const odd of [PLANTED, undefined, null, 1, { message: PLANTED }, [PLANTED]]) {
      expect(reasonOf(odd)).toBe('unexpected (Error)');
      expect(JSON.stringify(toldOf(odd))).not.toContain(PLANTED);
    }
  });

  it('is looked for in what goes round in circles, and does not go on for ever', () => {
    const circle = new Error(PLANTED);
    circle.cause = circle;
    const wide = new AggregateError(Array.from({ length: 1_000 }, () => circle));
    expect(reasonOf(wide)).toBe('unexpected (AggregateError)');
  });
});

describe('an error of ours', () => {
  it('is its own message', () => {
    const error = new ModerationError('CallEnded', 'The call has ended.', { callId: 'x' });
    expect([reasonOf(error), describeError(error)]).toEqual(['The call has ended.', 'The call has ended.']);
    expect(kindOf(error)).toBeUndefined();
  });

  it('is told with the kind of its cause, and where it came from', () => {
    const told = toldOf(new OperatorError('It failed.', { cause: grpc(16, '') }));
    expect(told).toMatchObject({
      type: 'OperatorError',
      reason: 'It failed.',
      cause: { reason: 'the credentials are refused' },
    });
    expect(told.at?.[0]).toMatch(/^at .*reason\.test\.ts:\d+:\d+\)?$/);
  });
});

it('a message that looks like frames of a stack is none', () => {
  const error = new TypeError(`x\n    at ${PLANTED} (/a/${PLANTED}.ts:1:1)`);
  expect(describeError(error)).toMatch(/^Something went wrong: unexpected \(TypeError\)\.\n {4}at .*reason\.test\.ts/);
  expect(describeError(error)).not.toContain(PLANTED);
});

describe('what an activity throws', () => {
  it("goes into the history by its kind where it is another library's", () => {
    const failure = inOwnWords(new Error(PLANTED, { cause: grpc(14, 'connect ECONNREFUSED') }));
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: 'Error',
      message: 'The activity failed: connection refused.',
      nonRetryable: false,
    });
    const { stack, cause } = failure as Error;
    expect(cause).toBeUndefined();
    expect(stack).toMatch(/^ {4}at .*reason\.test\.ts/m);
    expect(JSON.stringify([stack, failure])).not.toContain(PLANTED);
  });

  it('keeps its message where it is ours, and nothing of its cause', () => {
    const error = new OperatorError('It failed.', { cause: new Error(PLANTED) });
    expect(inOwnWords(error)).toMatchObject({ type: 'OperatorError', message: 'It failed.', cause: undefined });
  });

  it('passes where it is made for Temporal', () => {
    const passing = [
      ApplicationFailure.create({ type: 'CallEnded' }),
      new CancelledFailure('cancelled'),
      new CompleteAsyncError(),
      Object.assign(new Error('aborted'), { name: 'AbortError' }),
    ];
    for (const error of passing) expect(inOwnWords(error)).toBe(error);
  });
});
