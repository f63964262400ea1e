import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PLAIN } from '../../src/contract/payload-keys.ts';
import { EncryptionCodec } from '../../src/temporal/payload-codec.ts';
import { Service } from '../support/service.ts';
import { Team, type Language } from './team.ts';

/** Callers of a deployment that encrypts what Temporal keeps: with its keys, with another one, and with none. */

const newKey = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;
const [OURS, THEIRS] = [newKey('ours'), newKey('theirs')];

let service: Service;
const teams = new Map<string | undefined, Team>();
let languages: Language[];
beforeAll(async () => {
  const endpoint = `moderation-${randomUUID()}`;
  service = await Service.start({ MODERATION_NEXUS_ENDPOINT: endpoint, MODERATION_PAYLOAD_KEYS: OURS });
  for (const keys of [OURS, THEIRS, undefined]) teams.set(keys, await Team.start(endpoint, service.taskQueue, keys));
  for (const team of teams.values()) await team.work('TypeScript');
  languages = (await teamWith(undefined).work('Python')) ? ['TypeScript', 'Python'] : ['TypeScript'];
});
afterAll(async () => {
  for (const team of teams.values()) await team.stop();
  await service.stop();
});

function teamWith(keys: string | undefined): Team {
  const team = teams.get(keys);
  if (team === undefined) throw new Error('there is no such team');
  return team;
}

/** What the caller's workflow fails with, and the errors that caused it. */
async function errorsOf(failed: Promise<unknown>): Promise<string> {
  const error: unknown = await failed.then(
    (value) => expect.fail(`it has ended with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  const messages: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) messages.push(at.message);
  return messages.join('\n');
}

test('with the keys, a caller reads results, failures and their details', async () => {
  const call = service.call();
  const { id: callId } = call;
  const team = teamWith(OURS);
  expect(await team.ended('TypeScript', 'mute', { callId })).toMatchObject({ result: { callId, isMuted: true } });
  expect(await team.ended('TypeScript', 'status', { callId })).toMatchObject({ result: { callId } });
  expect(await team.ended('TypeScript', 'muteFor', { callId, forSeconds: 1 })).toMatchObject({
    result: { endedBy: 'expired' },
  });
  const unknown = randomUUID();
  expect(await team.ended('TypeScript', 'mute', { callId: unknown })).toMatchObject({
    type: 'CallNotFound',
    details: { callId: unknown, status: 404 },
  });
});

test('without the keys, a caller is refused at once and told why, and nothing is done', async () => {
  const call = service.call();
  for (const language of languages) {
    for (const operation of ['mute', 'keepMuted', 'status', 'release'] as const) {
      const errors = await errorsOf(teamWith(undefined).ended(language, operation, { callId: call.id }));
      expect(errors, `${language} ${operation}`).toContain('Nothing was done: the input is not encrypted');
    }
  }
  expect(call.posts).toEqual([]);
  expect(await service.moderation.getLatestOperation(call.id)).toBeUndefined();
});

test('with another key, a caller is refused at once and told which key is missing here', async () => {
  const call = service.call();
  for (const operation of ['mute', 'keepMuted', 'status'] as const) {
    const errors = await errorsOf(teamWith(THEIRS).ended('TypeScript', operation, { callId: call.id }));
    expect(errors, operation).toContain('encrypted with key theirs');
  }
  expect(call.posts).toEqual([]);
});

describe('the codec', () => {
  const key = { id: 'ours', key: randomBytes(32) };
  const plain = { metadata: {}, data: Buffer.from('1') };
  const refuse = (): never => {
    throw new Error('refused');
  };

  test('may refuse what is not encrypted, once this process encrypts', async () => {
    const codec = new EncryptionCodec([key], undefined, refuse);
    await expect(codec.decode([plain])).rejects.toThrow('refused');
    const [read] = await codec.decode(await codec.encode([plain]));
    expect(Buffer.from(read?.data ?? '').toString()).toBe('1');
    expect(await new EncryptionCodec([PLAIN, key], undefined, refuse).decode([plain])).toEqual([plain]);
  });
});
