import { expect, test } from 'vitest';
import { notificationsIn, parseJson } from '../../src/webhook/parse/envelope.ts';
import { toNotification } from '../../src/webhook/parse/notification.ts';
import { CALL } from '../support/notification-forms.ts';

/** The largest bodies that the webhook takes. */

const MIB = 1024 * 1024;
const list = (item: string): string => Array.from({ length: Math.floor(MIB / (item.length + 1)) }, () => item).join();
const at = `"resourceUrl":"/app/calls/${CALL}/participants"`;

test.each([
  ['deep arrays', `{${at},"resourceData":${'['.repeat(MIB / 2)}${']'.repeat(MIB / 2)}}`],
  ['deep objects', `{${at},"resourceData":${'{"a":'.repeat(MIB / 8)}1${'}'.repeat(MIB / 8)}}`],
  ['many empty entries', `{"value":[${list('{}')}]}`],
  ['many participants', `{${at},"resourceData":[${list('{"id":"a","isMuted":true}')}]}`],
  ['many deltas', `{${at},"resourceData":[${list('{"participants":[{"id":"a","isMuted":true}]}')}]}`],
  ['many names', `{${at},"resourceData":{${list('"a":1')}}}`],
])('%s of a mebibyte take less than a second of a processor', (_what, text) => {
  const began = process.cpuUsage();
  expect(notificationsIn(parseJson(Buffer.from(text))).map(toNotification).length).toBeGreaterThan(0);
  const { user, system } = process.cpuUsage(began);
  expect((user + system) / 1_000).toBeLessThan(1_000);
});
