import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { RosterParticipant } from './graph.ts';

/**
 * A webhook for Graph's rosters as a sample would write it, for the two contenders that are not ours: token, body,
 * hand-over, 202.
 */
export interface Rules {
  openIdUrl: string;
  audience: string;
}

const ISSUERS = ['https://api.botframework.com', 'https://graph.microsoft.com'];

interface Entry {
  resourceUrl: string;
  resourceData: RosterParticipant[];
}

/** Gives the URL that notifications go to. */
export async function listen(
  { openIdUrl, audience }: Rules,
  onRoster: (callId: string, roster: RosterParticipant[]) => Promise<void>,
): Promise<string> {
  const document = (await (await fetch(openIdUrl)).json()) as { jwks_uri: string };
  const keys = createRemoteJWKSet(new URL(document.jwks_uri));

  const take = async (authorization: string | undefined, body: string): Promise<number> => {
    try {
      await jwtVerify(authorization?.replace(/^Bearer /, '') ?? '', keys, { issuer: ISSUERS, audience });
    } catch {
      return 401;
    }
    const { value } = JSON.parse(body) as { value: Entry[] };
    for (const { resourceUrl, resourceData } of value) {
      const callId = /^\/communications\/calls\/([^/]+)\/participants/.exec(resourceUrl)?.[1];
      // No names reach Temporal, here either.
      const roster = callId === undefined ? [] : resourceData.map(({ id, isMuted }) => ({ id, isMuted }));
      if (callId !== undefined) await onRoster(callId, roster);
    }
    return 202;
  };

  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const body = await text(request);
      response.statusCode = await take(request.headers.authorization, body).catch(() => 503);
      response.end();
    };
    void answer();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/calls`;
}
