import { describe, expect, test } from 'vitest';
import { ParticipantList, queryOfNext, toMemberOf, toPage } from '../../src/graph/participant-list.ts';

/** A list of participants is complete only if it says so. */

const OWN = '05491616-385f-44a8-9974-18cc5f9933c1';
const own = { id: OWN, isMuted: false, isInLobby: false };
const person = (id: string, more = {}) => ({ id, isMuted: false, isInLobby: false, ...more });
const many = (count: number) => Array.from({ length: count }, (_, index) => person(`p${index}`));

function listOf(body: unknown): ParticipantList {
  const { entries, isList, nextLink } = toPage(body);
  return new ParticipantList(entries, !isList || nextLink !== undefined);
}

describe('a list is complete', () => {
  test.each<[string, unknown]>([
    ['with the application', { value: [own, person('a')] }],
    ['with the application in another spelling', { value: [{ ...own, id: OWN.replaceAll('-', '').toUpperCase() }] }],
    ['of 99', { value: [own, ...many(98)] }],
    ['with an empty next link', { value: [own], '@odata.nextLink': null }],
  ])('%s', (_, body) => expect(listOf(body).isComplete(OWN)).toBe(true));
});

describe('a list is not complete', () => {
  test.each<[string, unknown]>([
    ['if it is empty', { value: [] }],
    ['without the application', { value: [person('a')] }],
    ['with the application in the lobby', { value: [{ ...own, isInLobby: true }, person('a')] }],
    ['with the application as one who has left', { value: [{ ...own, removedState: { reason: 'left' } }] }],
    ['of 100', { value: [own, ...many(99)] }],
    ['with a next page', { value: [own], '@odata.nextLink': 'https://graph.microsoft.com/x?$skiptoken=1' }],
    ['with a next link that is no text', { value: [own], '@odata.nextLink': 7 }],
    ['with a participant without an ID', { value: [own, { isMuted: false }] }],
    ['with something else than a participant', { value: [own, null, 'a'] }],
    ['with somebody twice', { value: [own, person('a'), person('a')] }],
    ['without a value', {}],
    ['with null for a value', { value: null }],
    ['with an object for a value', { value: { 0: own } }],
    ['as a bare array', [own]],
    ['as an empty body', undefined],
  ])('%s', (_, body) => expect(listOf(body).isComplete(OWN)).toBe(false));

  test('if it is not known who the application is', () => {
    expect(listOf({ value: [own] }).isComplete(undefined)).toBe(false);
  });
});

test('of two entries the one that changed last counts, else the later one', () => {
  const changed = [
    person('a', { isMuted: true, rosterSequenceNumber: 4 }),
    person('a', { isMuted: false, rosterSequenceNumber: 3 }),
  ];
  expect(listOf({ value: changed }).find('a')?.state).toMatchObject({ isMuted: true });
  expect(listOf({ value: [person('a'), person('a', { isMuted: true })] }).find('A')).toBeUndefined();
  expect(listOf({ value: [person('a'), person('a', { isMuted: true })] }).find('a')?.state?.isMuted).toBe(true);
});

test('a next link is followed on the same host only', () => {
  const at = 'https://graph.microsoft.com/v1.0/communications/calls/c/participants';
  expect(queryOfNext(`${at}?$skiptoken=2`, at)).toBe('?$skiptoken=2');
  expect(queryOfNext('participants?$skiptoken=2', at)).toBe('?$skiptoken=2');
  for (const link of [
    'https://graph.microsoft.com.evil.example/v1.0?$skiptoken=2',
    '//evil.example/v1.0?$skiptoken=2',
    'http://graph.microsoft.com/v1.0?$skiptoken=2',
    'https://graph.microsoft.com:444/v1.0?$skiptoken=2',
    at,
    'javascript:alert(1)',
    `${at}?${'x'.repeat(10_000)}`,
    7,
    undefined,
  ]) {
    expect(queryOfNext(link, at)).toBeUndefined();
  }
});

test('a single read is about the participant that was asked for', () => {
  expect(toMemberOf(OWN, { isMuted: true })).toMatchObject({ id: OWN, state: { isMuted: true } });
  expect(toMemberOf(OWN, { ...own, id: 'a' })).toBeUndefined();
  expect(toMemberOf(OWN, { ...own, removedState: { reason: 'left' } })).toBeUndefined();
  expect(toMemberOf(OWN, undefined)).toBeUndefined();
});
