import { sameId } from '../contract/call-id.ts';
import { fieldOf } from './errors.ts';
import { hasLeft, toMember, toParticipants, type Member } from './resources.ts';

/**
 * What `GET …/participants` proves.
 *
 * Graph answers 200 with an empty list although people are in the call, above all just after `established`; a list
 * ends at 100 entries without a word; and what Graph wrote lately may be missing. So a list is *complete* only if it
 * says so: it contains the application's own participant, in the call and not in its lobby, it has fewer than 100
 * entries, each has an ID of its own, and there is no next page. Any other list proves who is in the call, and
 * nothing about who is not.
 *
 * https://learn.microsoft.com/graph/api/call-list-participants
 */

/** A list ends here, without a word about the rest. */
const ROSTER_CAP = 100;

/** One answer. */
export interface ParticipantPage {
  entries: readonly unknown[];
  /** The body is a list, as it should be. */
  isList: boolean;
  /** `@odata.nextLink`, which should be text. */
  nextLink: unknown;
}

export function toPage(body: unknown): ParticipantPage {
  const entries = toParticipants(body);
  const link = fieldOf(body, '@odata.nextLink');
  return {
    entries: entries ?? [],
    isList: entries !== undefined,
    nextLink: link === '' || link === null ? undefined : link,
  };
}

/**
 * The query of a next link, or nothing if it leads to another host or nowhere. Only the query is taken: the token
 * goes to the address that was asked first, and to no other, whatever an answer says.
 */
export function queryOfNext(link: unknown, listUrl: string): string | undefined {
  if (typeof link !== 'string' || link.length > MAX_LINK || !URL.canParse(link, listUrl)) return undefined;
  const next = new URL(link, listUrl);
  return next.origin === new URL(listUrl).origin && next.search !== '' ? next.search : undefined;
}

const MAX_LINK = 8_192;

/** All pages that were read of a list. */
export class ParticipantList {
  /** Each participant once: the entry that changed last, else the one that comes last. */
  readonly members: readonly Member[];
  readonly #entries: number;
  readonly #isCut: boolean;

  /** `isCut` if Graph has more, or answered something else than a list. */
  constructor(entries: readonly unknown[], isCut: boolean) {
    this.#entries = entries.length;
    this.#isCut = isCut;
    const members = new Map<string, Member>();
    for (const member of entries.flatMap((entry) => toMember(entry) ?? [])) {
      const { sequence = 0 } = members.get(member.id)?.state ?? {};
      if ((member.state?.sequence ?? sequence) >= sequence) members.set(member.id, member);
    }
    this.members = [...members.values()];
  }

  /** It ends at Graph's 100 entries, so that another look shows no more. */
  get isCapped(): boolean {
    return this.#entries >= ROSTER_CAP;
  }

  find(participantId: string): Member | undefined {
    return this.members.find(({ id }) => sameId(id, participantId));
  }

  /** How many are in the call, at least. */
  get size(): number {
    return this.members.filter(({ isInLobby }) => !isInLobby).length;
  }

  /** Graph shows the application in its call, so it knows the roster of the call. */
  shows(participantId: string | undefined): boolean {
    return participantId !== undefined && this.find(participantId)?.isInLobby === false;
  }

  /** Whoever is not in it is not in the call. `participantId` is the application's. */
  isComplete(participantId: string | undefined): boolean {
    const isEachOnce = this.members.length === this.#entries;
    return !this.#isCut && !this.isCapped && isEachOnce && this.shows(participantId);
  }
}

/** The participant of a single read. A body that names nobody is about whom the path names. */
export function toMemberOf(participantId: string, body: unknown): Member | undefined {
  const id = fieldOf(body, 'id');
  const isUnnamed = id === undefined || id === null || id === '';
  const isThere = typeof body === 'object' && body !== null && !Array.isArray(body) && !hasLeft(body);
  const member = isUnnamed && isThere ? toMember({ ...body, id: participantId }) : toMember(body);
  return member !== undefined && sameId(member.id, participantId) ? member : undefined;
}
