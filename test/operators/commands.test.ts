import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Environment } from '../../src/lib/environment.ts';
import { freePort } from '../../src/lib/free-port.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { VERSION } from '../../src/lib/version.ts';
import { BIN, Command, killCommands, type Ended } from '../support/command-kit.ts';
import { failureOf } from '../support/expect.ts';
import { Service, untilPhase } from '../support/service.ts';

/** `call-moderation` as people and scripts use it: what it prints where, and with which code it ends. */

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => {
  await killCommands();
  await service.stop();
});

/** What a person sets to use the service of this file. */
function surroundings(): Environment {
  const { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE } = service.env;
  return { TEMPORAL_ADDRESS, MODERATION_TASK_QUEUE };
}

/** Nobody is there: a command that talks to Temporal fails with code 1, and only after seconds. */
const nowhere: Environment = { TEMPORAL_ADDRESS: '127.0.0.1:1' };

async function run(args: readonly string[], env: Environment = surroundings()): Promise<Ended> {
  return await new Command(BIN, args, env).ended;
}

/** What stands on standard output, which must be one JSON document and nothing else. */
function json(ended: Ended): unknown {
  return JSON.parse(ended.stdout);
}

/** The mute is done, and no roster tells it. */
const untold: Faults = { notifications: [{ on: 'roster', drop: true, times: 'forever' }] };

const unconfirmed: Faults = { ...untold, requests: [{ on: 'mute', effect: false }] };

describe.concurrent('help', () => {
  const moderate = ['client-context', 'tenant-id', 'confirm-within-seconds', 'on-unconfirmed', 'on-conflict'];
  moderate.push('requested-by', 'reason', 'request-id', 'json');
  const whom = ['participant', 'others', 'except'];
  const dev = ['temporal-cli', 'temporal-port', 'ui-port', 'graph-port', 'webhook-port', 'gateway-port', 'db-filename'];

  test.each([
    ['worker', []],
    ['webhook', []],
    ['mute', [...whom, 'for', 'until', 'wait', ...moderate]],
    ['unmute', moderate],
    [
      'keep-muted',
      ['for', 'until', 'mutes', 'within', 'on-conflict', 'tenant-id', 'requested-by', 'reason', 'wait', 'json'],
    ],
    ['mute-on-entry', ['for', 'until', 'except', 'on-conflict', 'tenant-id', 'requested-by', 'reason', 'wait', 'json']],
    ['release', ['tenant-id', 'everywhere', 'dry-run', 'requested-by', 'reason', 'json']],
    ['status', ['json']],
    ['list', ['call', 'outcome', 'tenant-id', 'limit', 'json']],
    ['setup', ['nexus-endpoint', 'json']],
    ['doctor', ['webhook-url', 'tenant-id', 'json']],
    ['calls', ['tenant-id', 'label', 'state', 'limit', 'json']],
    ['label', ['add', 'remove', 'json']],
    ['codec', ['port', 'ui']],
    ['set-current-version', ['json']],
    ['dev', dev],
  ])('of %s names every flag, and needs no surroundings', async (name, flags) => {
    const { code, stdout, stderr } = await run([name, '--help'], {});
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const named = [...stdout.matchAll(/^ {5}\[?--([a-z-]+)\]?/gm)].map(([, flag]) => flag);
    expect(named).toEqual(flags);
    const ofACall = ['mute', 'unmute', 'keep-muted', 'mute-on-entry', 'status', 'label'];
    expect(stdout.includes('CALL  ')).toBe(ofACall.includes(name));
  });

  test.each([[['--help']], [['-h']], [[]]])('of the program (%j) names every command', async (args) => {
    const { code, stdout, stderr } = await run(args, {});
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const named = [...stdout.matchAll(/^ {2}([\w-]+) {2,}\w/gm)].map(([, name]) => name);
    const commands = ['mute', 'unmute', 'keep-muted', 'mute-on-entry', 'release', 'status', 'list'];
    commands.push('calls', 'label', 'policy');
    commands.push('worker', 'webhook', 'gateway', 'setup', 'doctor', 'codec', 'set-current-version', 'dev');
    expect(named).toEqual(commands);
  });

  test('tells the version', async () => {
    expect(await run(['--version'], {})).toMatchObject({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  test("does not wait for Temporal's SDK, which takes longer to load than all the rest", async () => {
    // CommonJS, as the SDK is, has a cache that can be looked at when all is over.
    const report = `import { createRequire } from 'node:module';
      const { cache } = createRequire('/');
      const count = (text) => Object.keys(cache).filter((path) => path.includes(text)).length;
      process.on('exit', () => process.stderr.write('loaded ' + count('@temporalio/')));`;
    const node = ['--import', `data:text/javascript,${encodeURIComponent(report)}`];
    const loaded = async (...args: string[]): Promise<number> => {
      const { stderr } = await new Command(BIN, args, nowhere, node).ended;
      return Number(/loaded (\d+)$/.exec(stderr)?.[1]);
    };
    expect(await loaded('mute', '--help')).toBe(0);
    expect(await loaded('mute', 'not.an.id')).toBeGreaterThan(0);
  });
});

describe.concurrent('wrong use', () => {
  test.each<[string, string[], RegExp]>([
    ['an unknown command', ['mutee', 'abc'], /No command registered for `mutee`.*mute/],
    ['an unknown flag', ['mute', 'abc', '--on-conflit', 'queue'], /No flag registered for --on-conflit.*onConflict/],
    ['no call', ['mute'], /Expected argument for CALL\n+To see what a command takes, add --help to it\./],
    ['no call to show', ['status'], /Expected argument for CALL/],
    ['two calls', ['mute', 'abc', 'def'], /Too many arguments/],
    ['a bad call', ['mute', 'a.b'], /InvalidRequest: .*callId must be 1 to 128 of/],
    ['a bad call to show', ['status', 'a.b'], /CALL must be 1 to 128 of/],
    ['a flag without a value', ['mute', 'abc', '--reason'], /Expected input for flag --reason/],
    [
      'a number that is none',
      ['mute', 'abc', '--confirm-within-seconds', 'x'],
      /--confirm-within-seconds "x" is invalid: it must be a number/,
    ],
    ['a number out of range', ['mute', 'abc', '--confirm-within-seconds', '301'], /seconds from 1 to 300/],
    ['a text that is too long', ['unmute', 'abc', '--reason', 'r'.repeat(257)], /reason must be .* 256 characters/],
    ['a bad tenant', ['unmute', 'abc', '--tenant-id', 'a/b'], /tenantId must be/],
    ['a bad choice', ['mute', 'abc', '--on-unconfirmed', 'undo'], /"undo" to be one of \(restore\|leave\)/],
    ['another bad choice', ['mute', 'abc', '--on-conflict', 'x'], /one of \(supersede\|queue\|reject\)/],
    ['no records at all', ['list', '--limit', '0'], /--limit "0" is invalid: it must be a whole number, 1 or more/],
    ['half a record', ['list', '--limit', '1.5'], /--limit "1.5" is invalid/],
    [
      'an unknown outcome',
      ['list', '--outcome', 'Done'],
      /--outcome "Done" is invalid: .* Pending, Confirmed, .*RestoreFailed/,
    ],
    ['a bad port', ['dev', '--ui-port', '65536'], /--ui-port "65536" is invalid: it must be a port, 0 to 65535/],
  ])('is %s: code 2, and it says what is wrong', async (_, args, message) => {
    const { code, stdout, stderr } = await run(args, nowhere);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test.each<[string, string[], string, RegExp]>([
    ['of a flag', ['list', '--json', '--limit', '0'], 'WrongUse', /whole number/],
    [
      'of a request',
      ['mute', '--json', 'a.b', '--confirm-within-seconds', '0'],
      'InvalidRequest',
      /callId.*confirmWithin/,
    ],
    ['of a call to show', ['status', '--json', 'a.b'], 'InvalidRequest', /CALL must be/],
  ])('%s is JSON where that was asked for', async (_, args, type, message) => {
    const ended = await run(args, nowhere);
    expect(ended.code).toBe(2);
    expect(json(ended)).toEqual({
      error: { type, message: expect.stringMatching(message), details: expect.any(Object) },
    });
  });
});

describe.concurrent('mute and unmute', () => {
  test('print the progress on standard error, and the result on standard output', async () => {
    const call = service.call();
    const mute = await run(['mute', call.id]);
    expect(mute).toMatchObject({ code: 0, stdout: `muted ${call.id}\n` });
    const lines = mute.stderr.trimEnd().split('\n');
    for (const line of lines) expect(line).toMatch(/^ +\d+\.\d\d s {2}\S/);
    expect(lines[0]).toContain(`requesting mute of call ${call.id}`);
    expect(lines.at(-1)).toContain('confirmed: isMuted true, by notification');
    expect(call.self.isMuted).toBe(true);

    expect(await run(['unmute', call.id])).toMatchObject({ code: 0, stdout: `unmuted ${call.id}\n` });
    expect(call.self.isMuted).toBe(false);
  });

  test('print each phase of the operation', async () => {
    const slow = { on: 'getCall', latencyMs: 800 } as const;
    const call = service.call({ faults: { requests: [slow], ...untold } });
    const { code, stderr } = await run(['mute', call.id, '--confirm-within-seconds', '1']);
    expect(code).toBe(1);
    const said = ['requesting mute', 'reading the call', 'accepted by Graph; waiting', 'Unconfirmed: '];
    expect(said.map((text) => stderr.indexOf(text)).every((place) => place >= 0)).toBe(true);
    expect(said.toSorted((a, b) => stderr.indexOf(a) - stderr.indexOf(b))).toEqual(said);
  });

  test('take a call in any spelling', async () => {
    const call = service.call();
    const spelling = call.id.replaceAll('-', '').toUpperCase();
    expect(await run(['mute', spelling])).toMatchObject({ code: 0, stdout: `muted ${call.id}\n` });
  });

  test('send every flag with the request', async () => {
    const call = service.call();
    const flags = {
      '--client-context': 'context of a script',
      '--tenant-id': 'contoso.example',
      '--confirm-within-seconds': '45.5',
      '--on-unconfirmed': 'leave',
      '--requested-by': 'service-7',
      '--reason': "it's noisy",
    };
    const ended = await run(['mute', call.id, '--json', ...Object.entries(flags).flat()]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(json(ended)).toMatchObject({ callId: call.id, clientContext: 'context of a script', isMuted: true });
    const latest = await service.moderation.getLatestOperation(call.id);
    expect(latest?.record.tenantId).toBe('contoso.example');
    expect(latest?.status?.request).toEqual({
      callId: call.id,
      clientContext: 'context of a script',
      tenantId: 'contoso.example',
      confirmWithinSeconds: 45.5,
      onUnconfirmed: 'leave',
      requestedBy: 'service-7',
      reason: "it's noisy",
    });
    expect(call.requests.find(({ action }) => action === 'mute')?.clientContext).toBe('context of a script');
  });

  test('print the result as one JSON document', async () => {
    const call = service.call();
    const ended = await run(['mute', call.id, '--json']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(json(ended)).toEqual({
      callId: call.id,
      participantId: call.participantId,
      action: 'mute',
      isMuted: true,
      confirmedBy: 'notification',
      clientContext: expect.any(String),
      operationId: expect.any(String),
      requestedAt: expect.any(String),
      acceptedAt: expect.any(String),
      confirmedAt: expect.any(String),
    });
  });

  test('print a failure as one JSON document too', async () => {
    const callId = randomUUID();
    const ended = await run(['mute', callId, '--json']);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
    expect(json(ended)).toEqual({
      error: {
        type: 'CallNotFound',
        message: expect.stringContaining(callId),
        details: expect.objectContaining({ status: 404, code: '8522' }),
      },
    });
  });

  test('say why they failed, without a stack', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] } });
    const { code, stdout, stderr } = await run(['mute', call.id]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^PermissionDenied: .*\(code 7504\).*consent to Calls.Initiate.All/,
    );
  });

  test('attach to an operation that does the same already, and say so', async () => {
    const call = service.call({ faults: unconfirmed });
    const running = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 300 });
    await untilPhase(running, 'confirming');
    const command = new Command(BIN, ['mute', call.id], surroundings());
    await command.untilSaid(/attached to the running operation, which already does this/);
    await running.cancel();
    const { code, stderr } = await command.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Cancelled: /m);
  });

  test('supersede an operation that does the opposite, unless told otherwise', async () => {
    const call = service.call({ faults: unconfirmed });
    const running = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 300 });
    await untilPhase(running, 'confirming');

    const rejected = await run(['unmute', call.id, '--on-conflict', 'reject', '--json']);
    expect(rejected.code).toBe(1);
    expect(json(rejected)).toMatchObject({ error: { type: 'OperationInProgress', details: { callId: call.id } } });
    expect((await running.status()).phase).toBe('confirming');

    expect(await run(['unmute', call.id])).toMatchObject({ code: 0, stdout: `unmuted ${call.id}\n` });
    await failureOf(running, 'Superseded');
  });
});

describe.concurrent('Ctrl-C', () => {
  test('ends the command and not the operation, and says so', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', latencyMs: 2_500 }] } });
    const command = new Command(BIN, ['mute', call.id], surroundings());
    await call.untilAsked('mute');
    command.interrupt();
    const { code, stdout, stderr } = await command.ended;
    expect({ code, stdout }).toEqual({ code: 'SIGINT', stdout: '' });
    expect(stderr).toContain(`The operation continues. See its state: call-moderation status ${call.id}`);
    await call.until(() => call.rosters.some(({ own }) => own?.isMuted === true));
    await vi.waitFor(
      async () => {
        expect((await service.moderation.getLatestOperation(call.id))?.record.outcome).toBe('Confirmed');
      },
      { timeout: 15_000 },
    );
  });

  test('ends a command that waits for a worker; it has said which task queue has none', async () => {
    const taskQueue = `nobody-${randomUUID()}`;
    const callId = randomUUID();
    const env = { ...surroundings(), MODERATION_TASK_QUEUE: taskQueue };
    const command = new Command(BIN, ['mute', callId], env);
    await command.untilSaid(new RegExp(`no worker has answered yet. Is one running on task queue ${taskQueue}\\?`));
    command.interrupt();
    expect((await command.ended).code).toBe('SIGINT');

    const status = await run(['status', callId]);
    expect(status.code).toBe(0);
    expect(status.stdout).toMatch(/^outcome +Pending$/m);
    expect(status.stdout).toMatch(/^phase +unknown: no worker answers$/m);
    await service.client.workflow.getHandle(`call-moderation/${callId}`).terminate();
  });
});

describe.concurrent('status', () => {
  test('shows an operation that runs', async () => {
    const call = service.call({ faults: unconfirmed });
    const running = await service.moderation.mute({
      callId: call.id,
      requestedBy: 'service-7',
      reason: 'noise',
      confirmWithinSeconds: 120,
    });
    await untilPhase(running, 'confirming');
    const { code, stdout, stderr } = await run(['status', call.id.toUpperCase()]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const [name, value] of [
      ['call', call.id],
      ['action', 'mute'],
      ['outcome', 'Pending'],
      ['phase', 'confirming'],
      ['participant', call.participantId],
      ['before', '{"isMuted":false,"serverMuted":false}'],
      ['requested by', 'service-7'],
      ['reason', 'noise'],
    ]) {
      expect(stdout).toMatch(new RegExp(`^${name} +${value}$`, 'm'));
    }
    expect(stdout).not.toMatch(/^closed/m);

    const asJson = await run(['status', call.id, '--json']);
    expect(asJson).toMatchObject({ code: 0, stderr: '' });
    expect(json(asJson)).toMatchObject({
      record: { callId: call.id, action: 'mute', outcome: 'Pending' },
      status: { phase: 'confirming', request: { requestedBy: 'service-7' } },
    });
    await running.cancel();
    await failureOf(running, 'Cancelled');
  });

  test('shows an operation that has ended', async () => {
    const call = service.call();
    await (await service.moderation.mute({ callId: call.id })).result();
    const { code, stdout } = await run(['status', call.id]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^outcome +Confirmed$/m);
    expect(stdout).toMatch(/^phase +confirmed$/m);
    expect(stdout).toMatch(/^closed +\d{4}-\d\d-\d\dT[\d:.]+Z$/m);
  });

  test('shows why an operation has failed, or that it was cancelled', async () => {
    const refused = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 403, code: '7504' } }] } });
    await failureOf(await service.moderation.mute({ callId: refused.id }), 'PermissionDenied');
    const { stdout } = await run(['status', refused.id]);
    expect(stdout).toMatch(/^failure +Graph answered 403 \(code 7504\) .* consent to Calls.Initiate.All/m);
    expect(json(await run(['status', refused.id, '--json']))).toMatchObject({
      failure: { type: 'PermissionDenied', message: expect.stringContaining(refused.id), details: { status: 403 } },
    });
    const call = service.call({ faults: unconfirmed });
    const cancelled = await service.moderation.mute({ callId: call.id });
    await untilPhase(cancelled, 'confirming');
    await cancelled.cancel();
    await failureOf(cancelled, 'Cancelled');
    expect((await run(['status', call.id])).stdout).toMatch(/^failure +.* was cancelled\. The call was put back/m);
  });

  test('shows no control characters of others, which a terminal would obey', async () => {
    const call = service.call({ faults: unconfirmed });
    const reason = 'noise\r\nphase  confirmed';
    const running = await service.moderation.mute({ callId: call.id, reason });
    await untilPhase(running, 'confirming');
    const { stdout } = await run(['status', call.id]);
    expect(stdout).toMatch(/^reason +noise\\u\{d\}\\u\{a\}phase {2}confirmed$/m);
    await running.cancel();
    await failureOf(running, 'Cancelled');
    const refused = service.moderation.mute({ callId: call.id, reason: '\u001b]0;owned\u0007' });
    await expect(refused).rejects.toMatchObject({ type: 'InvalidRequest' });
  });

  test('of a call without any says so, with code 1', async () => {
    const callId = randomUUID();
    const { code, stdout, stderr } = await run(['status', callId]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      `Temporal knows no operation on call ${callId}. Check the call ID, the namespace and the task queue.\n`,
    );

    const asJson = await run(['status', callId, '--json']);
    expect(asJson).toMatchObject({ code: 1, stderr: '' });
    expect(json(asJson)).toMatchObject({ error: { type: 'OperationNotFound' } });
  });
});

/** Call, action and outcome of each record, in order. */
async function listed(...flags: string[]): Promise<string[]> {
  const ended = await run(['list', '--json', ...flags]);
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  const records = json(ended) as { callId: string; action: string; outcome: string }[];
  return records.map(({ callId, action, outcome }) => [callId, action, outcome].join(' '));
}

describe.concurrent('list', () => {
  const tenantId = `${randomUUID()}.example`;
  let muted: string;
  let failed: string;

  beforeAll(async () => {
    const call = service.call();
    muted = call.id;
    failed = randomUUID();
    await (await service.moderation.mute({ callId: muted, tenantId })).result();
    await (await service.moderation.unmute({ callId: muted, tenantId })).result();
    await failureOf(await service.moderation.mute({ callId: failed, tenantId }), 'CallNotFound');
    // Temporal's lists follow what has happened after a moment.
    await vi.waitFor(
      async () => {
        const closed: string[] = [];
        for await (const { closedAt } of service.moderation.list({ tenantId })) closed.push(closedAt ?? 'running');
        expect(closed).toHaveLength(3);
        expect(closed).not.toContain('running');
      },
      { timeout: 10_000 },
    );
  });

  test('shows the operations of a tenant, the latest first', async () => {
    expect(await listed('--tenant-id', tenantId)).toEqual([
      `${failed} mute CallNotFound`,
      `${muted} unmute Confirmed`,
      `${muted} mute Confirmed`,
    ]);
  });

  test.each<[string, () => string[], () => string[]]>([
    ['a call', () => ['--call', muted.toUpperCase()], () => [`${muted} unmute Confirmed`, `${muted} mute Confirmed`]],
    ['an outcome', () => ['--outcome', 'CallNotFound', '--tenant-id', tenantId], () => [`${failed} mute CallNotFound`]],
    ['a limit', () => ['--limit', '1', '--tenant-id', tenantId], () => [`${failed} mute CallNotFound`]],
    ['all that mute lock together', () => ['--outcome', 'Confirmed', '--call', failed], () => []],
  ])('takes %s', async (_, flags, expected) => {
    expect(await listed(...flags())).toEqual(expected());
  });

  test('refuses odd values, and does not stumble over them', async () => {
    const odd = "x' OR ModerationAction = 'mute";
    const refused = await run(['list', '--json', '--call', odd, '--tenant-id', odd]);
    expect(refused.code).toBe(2);
    expect(json(refused)).toMatchObject({ error: { type: 'InvalidRequest' } });
    for (const value of ["o'brien", '\\', "\\' OR 1=1 --", '"', '%', 'ä\n;', '']) {
      const found = service.moderation.list({ callId: value, tenantId: value })[Symbol.asyncIterator]().next();
      await expect(found).rejects.toMatchObject({ type: 'InvalidRequest' });
    }
  });

  test('is a table for people', async () => {
    const { code, stdout, stderr } = await run(['list', '--call', muted]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [head, ...lines] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^STARTED +ACTION +OUTCOME +CALL +RUN$/);
    expect(lines.map((line) => line.split(/ +/).slice(1, 4))).toEqual([
      ['unmute', 'Confirmed', muted],
      ['mute', 'Confirmed', muted],
    ]);
  });

  test('says when there is nothing', async () => {
    const ended = await run(['list', '--call', randomUUID()]);
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: 'No operations.\n' });
  });
});

describe.concurrent('without its surroundings', () => {
  test.each([[['mute', 'abc']], [['status', 'abc']], [['list']]])(
    '%j says where it looked for Temporal, and what to do',
    async (args) => {
      const address = `127.0.0.1:${await freePort()}`;
      const [ended, startOnly] = await Promise.all([
        run(args, { TEMPORAL_ADDRESS: address }),
        run(['status', 'not.an.id'], nowhere),
      ]);
      const { code, stdout, stderr } = ended;
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(
        new RegExp(`^Temporal cannot be reached at ${address}: .*call-moderation dev.*TEMPORAL_ADDRESS`),
      );
      expect(stderr.trimEnd()).not.toContain('\n');
      // 5 s, without what it takes on a busy machine to start a command at all.
      expect(ended.ms - startOnly.ms).toBeLessThan(8_000);
    },
  );

  test('a command is told of a namespace that does not exist', async () => {
    const { code, stdout, stderr } = await run(['mute', 'abc'], { ...surroundings(), TEMPORAL_NAMESPACE: 'nowhere' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^Namespace not found: 'nowhere'\. .*TEMPORAL_NAMESPACE/m);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test('a command names every fault of the environment', async () => {
    const ended = await run(['list', '--json'], { LOG_LEVEL: 'loud', TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere' });
    expect(ended.code).toBe(1);
    expect(json(ended)).toMatchObject({
      error: {
        type: 'ConfigError',
        message: expect.stringMatching(/LOG_LEVEL: .*\n.*TEMPORAL_TLS_CLIENT_CERT_PATH: the file cannot be read/),
      },
    });
  });

  test('the commands of keys and versions ask for theirs', async () => {
    const [codec, version] = await Promise.all([run(['codec'], {}), run(['set-current-version', '--json'], {})]);
    expect(codec).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('MODERATION_PAYLOAD_KEYS: ') });
    const names = /MODERATION_DEPLOYMENT_NAME: required.*\n.*MODERATION_BUILD_ID: required/;
    expect(version.code).toBe(1);
    expect(json(version)).toMatchObject({ error: { type: 'ConfigError', message: expect.stringMatching(names) } });
  });

  test('the worker does not start, and names every fault', async () => {
    const { code, stdout, stderr } = await run(['worker'], {
      MODERATION_GRAPH_CLOUD: 'china',
      MODERATION_GRAPH_TOKEN: 'secret-token',
      MODERATION_HEALTH_PORT: 'http',
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^The configuration is invalid:\n( {2}- .+\n){3}$/);
    for (const name of ['GRAPH_CLOUD', 'GRAPH_TOKEN', 'HEALTH_PORT'])
      expect(stderr).toContain(`  - MODERATION_${name}: `);
    expect(stderr).not.toContain('secret-token');
  });

  test('the webhook does not start, and names every fault', async () => {
    const { code, stdout, stderr } = await run(['webhook'], { MODERATION_WEBHOOK_PORT: '-1', LOG_LEVEL: 'loud' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^The configuration is invalid:\n( {2}- .+\n){3}$/);
    for (const name of ['MODERATION_WEBHOOK_AUDIENCE', 'MODERATION_WEBHOOK_PORT', 'LOG_LEVEL']) {
      expect(stderr).toContain(`  - ${name}: `);
    }
  });
});

/** Where a process that has logged its start serves its health. */
function healthOf(log: string): string {
  const start = log.split('\n').find((line) => /"msg":"\w+ is /.test(line)) ?? '';
  const { health } = JSON.parse(start) as { health: string | { host: string; port: number } };
  return typeof health === 'string' ? health : `http://${health.host}:${health.port}`;
}

describe.concurrent('worker and webhook', () => {
  test.each([
    ['worker', 'worker is polling'],
    ['webhook', 'webhook is listening'],
  ])('run until they are told to stop: %s', async (name, ready) => {
    const env = { ...service.env, MODERATION_TASK_QUEUE: `test-${randomUUID()}`, LOG_LEVEL: 'info' };
    const command = new Command(BIN, [name], env);
    await command.untilSaid(new RegExp(ready));
    // It says so a moment before it listens to signals; once it answers, it does.
    await vi.waitFor(
      async () => {
        expect((await fetch(`${healthOf(command.stderr)}/livez`)).status).toBe(200);
      },
      { timeout: 15_000 },
    );
    command.terminate();
    const { code, stdout, stderr } = await command.ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    // JSON lines, and the last one tells that it went well.
    const lines = stderr.trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ level: 30, msg: `${name} has stopped` });
  });
});
