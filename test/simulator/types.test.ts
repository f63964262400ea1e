/**
 * What the simulator answers is checked against Graph's official v1.0 description, as types: this file does not compile
 * where it differs. They are generated from the OpenAPI document of Graph by Microsoft (`@microsoft/teams.graph-endpoints`).
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { components } from '../../node_modules/@microsoft/teams.graph-endpoints/dist/types/types.d.ts';
import type {
  CallEntity,
  CallState,
  ErrorBody,
  OperationEntity,
  ParticipantEntity,
} from '../../src/simulator/index.ts';
import { Stage } from '../support/simulator-bot.ts';

type Official = components['schemas'];

/** The description writes "Completed" where the reference pages and Graph write "completed". */
type Described<T extends { status: string | null }> = Omit<T, 'status'> & {
  status: Capitalize<NonNullable<T['status']>>;
};
/** Targets and coordinates are echoed as they were sent, and not the simulator's to answer for. */
type Own<T> = Omit<T, 'targets' | 'chatInfo' | 'meetingInfo' | 'callOptions' | 'mediaConfig' | 'requestedModalities'>;
/** Every property must be described: an open type would take any other. */
type Undescribed<Mine, Theirs> = Exclude<keyof Mine, keyof Theirs | '@odata.context'>;

const officially = {
  call: (item: Own<CallEntity>): Own<Official['microsoft.graph.call']> => item,
  participant: (item: ParticipantEntity): Official['microsoft.graph.participant'] => item,
  mute: (
    item: Described<OperationEntity & { '@odata.type': '#microsoft.graph.muteParticipantOperation' }>,
  ): Official['microsoft.graph.muteParticipantOperation'] => item,
  unmute: (
    item: Described<OperationEntity & { '@odata.type': '#microsoft.graph.unmuteParticipantOperation' }>,
  ): Official['microsoft.graph.unmuteParticipantOperation'] => item,
  state: (item: CallState): Official['microsoft.graph.callState'] => item,
  error: (item: ErrorBody): Official['microsoft.graph.ODataErrors.ODataError'] => item,
  participants: (item: { value: ParticipantEntity[] }): Official['microsoft.graph.participantCollectionResponse'] =>
    item,
};

const undescribed: {
  // Both stand in the samples of the reference pages, though not in the description.
  call: Exclude<Undescribed<CallEntity, Official['microsoft.graph.call']>, 'answeredBy' | 'ringingTimeoutInSeconds'>[];
  participant: Undescribed<ParticipantEntity, Official['microsoft.graph.participant']>[];
  operation: Undescribed<OperationEntity, Official['microsoft.graph.muteParticipantOperation']>[];
} = { call: [], participant: [], operation: [] };

/** Field names of a sample of the reference pages, at the top and one below; two have a comma too many. */
function fieldsOf(value: unknown): string[] {
  const fields = (within: unknown, prefix: string): string[] =>
    typeof within === 'object' && within !== null && !Array.isArray(within)
      ? Object.entries(within).flatMap(([key, inner]) => [prefix + key, ...(prefix ? [] : fields(inner, `${key}.`))])
      : [];
  return fields(value, '').toSorted();
}

function sample(path: string): string[] {
  const text = readFileSync(new URL(`../payloads/${path}`, import.meta.url), 'utf8');
  return fieldsOf(JSON.parse(text.replaceAll(/,(\s*[}\]])/g, '$1')));
}

it.each([
  // What the sample has of its media and transcription is not the mutes' concern.
  ['calls/073-call-get-response-v1-2020-08-03.jsonc', '', /^(transcription|mediaConfig\.preFetchMedia)/],
  ['participants/007-participant-get-response-beta-2021-04-27.json', '/participants/{pid}', /^info\.(id|platformId)$/],
  ['operations/038-call-mute-response-v1-2021-04-30.json', '/mute', undefined],
])('has every field of the sample %s', async (path, within, except) => {
  const stage = await Stage.open();
  const { id, myParticipantId } = stage.graph.createCall({ callbackUri: stage.bot.url });
  const target = stage.path(id, within.replace('{pid}', myParticipantId));
  const { body } = await (within === '/mute' ? stage.ask('POST', target, {}) : stage.ask('GET', target));
  await stage.close();
  const fields = fieldsOf(body);
  expect(sample(path).filter((field) => !except?.test(field) && !fields.includes(field))).toEqual([]);
});

it('the answers have the fields that their types say, and so those that Graph describes', async () => {
  const stage = await Stage.open();
  try {
    const { id, myParticipantId } = stage.graph.createCall({ callbackUri: stage.bot.url });
    const call = officially.call((await stage.ask('GET', stage.path(id))).body as CallEntity);
    expect(Object.keys(call).toSorted()).toEqual(
      [
        '@odata.context',
        '@odata.type',
        'answeredBy',
        'callChainId',
        'callOptions',
        'callbackUri',
        'chatInfo',
        'direction',
        'id',
        'mediaConfig',
        'mediaState',
        'meetingInfo',
        'myParticipantId',
        'requestedModalities',
        'resultInfo',
        'ringingTimeoutInSeconds',
        'source',
        'state',
        'subject',
        'targets',
        'tenantId',
        'toneInfo',
        'transcription',
      ].toSorted(),
    );
    const own = (await stage.ask('GET', stage.path(id, `/participants/${myParticipantId}`))).body as ParticipantEntity;
    expect(Object.keys(officially.participant(own)).toSorted()).toEqual(
      [
        '@odata.context',
        '@odata.type',
        'id',
        'info',
        'isInLobby',
        'isMuted',
        'mediaStreams',
        'metadata',
        'recordingInfo',
      ].toSorted(),
    );
    expect(undescribed).toEqual({ call: [], participant: [], operation: [] });
  } finally {
    await stage.close();
  }
});
