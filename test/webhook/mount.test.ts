import type { IncomingMessage, ServerResponse } from 'node:http';
import { fastify } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createWebhookHandler,
  webhookPlugin,
  type OnNotifications,
  type WebhookHandler,
  type WebhookOptions,
} from '../../src/webhook/index.ts';
import {
  AUDIENCE,
  CALL,
  ISSUERS,
  KeyServer,
  listen,
  makeKey,
  notifications,
  participant,
  Recorder,
  rosterEntry,
  shut,
  signToken,
  silent,
} from '../support/webhook-kit.ts';

const ROSTER = JSON.stringify(notifications(rosterEntry(CALL, participant('bot', true))), undefined, 3);
const key = await makeKey('graph-1');
const token = await signToken(key);

let keys: KeyServer;
let recorder: Recorder;
let stop: () => Promise<unknown>;

beforeEach(async () => {
  keys = await new KeyServer([key]).up();
  recorder = new Recorder();
});

afterEach(async () => {
  await stop();
  await keys.down();
});

function options(onNotifications?: OnNotifications): WebhookOptions {
  return {
    path: '/api/calls',
    audience: AUDIENCE,
    issuers: ISSUERS,
    openIdUrl: keys.openIdUrl,
    log: silent,
    deliver: recorder.deliver,
    onNotifications,
  };
}

async function post(url: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const all = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers };
  return fetch(url, { method: 'POST', headers: all, body, redirect: 'manual' });
}

type Listen = (request: IncomingMessage, response: ServerResponse) => void;

const echo: Listen = (request, response) => {
  request.setEncoding('utf8').on('data', (chunk) => response.end(JSON.stringify({ echo: JSON.parse(String(chunk)) })));
};

/**
 * What Express 4 and 5, and Connect, do to a request for `app.use(path, handler)` (`router/index.js`, `trimPrefix`):
 * the path is cut from `url` and appended to `baseUrl`, and `originalUrl` keeps the whole.
 */
async function serveAsExpress(mounted: Record<string, Listen>, handler: WebhookHandler): Promise<string> {
  const { server, url } = await listen((request, response) => {
    const asked = request.url ?? '';
    const path = Object.keys(mounted).find((one) => asked === one || /^[/?]/.test(asked.slice(one.length)));
    const mount = path !== undefined && asked.startsWith(path) ? mounted[path] : undefined;
    if (mount === undefined || path === undefined) return echo(request, response);
    const cut = asked.slice(path.length);
    Object.assign(request, { originalUrl: asked, baseUrl: path, url: cut.startsWith('/') ? cut : `/${cut}` });
    mount(request, response);
  });
  stop = async () => {
    await shut(server);
    await handler.close();
  };
  return url;
}

/** What `koa-mount` does: it sets `ctx.path`, and with it the request's `url`; what was there before is on `ctx` alone. */
async function serveAsKoa(path: string, handler: WebhookHandler): Promise<string> {
  const { server, url } = await listen((request, response) => {
    if (request.url?.startsWith(path) !== true) return echo(request, response);
    const cut = request.url.slice(path.length);
    request.url = cut.startsWith('/') ? cut : `/${cut}`;
    handler(request, response);
  });
  stop = async () => {
    await shut(server);
    await handler.close();
  };
  return url;
}

/** How a bot would mount it, with the bot's own routes around it. */
const mounts: Record<string, (onNotifications?: OnNotifications) => Promise<string>> = {
  async 'a Node http server'(onNotifications) {
    const handler = await createWebhookHandler(options(onNotifications));
    const { server, url } = await listen((request, response) => {
      if (request.url?.startsWith('/api/calls')) return handler(request, response);
      request.setEncoding('utf8').on('data', (chunk) => response.end(JSON.stringify({ echo: JSON.parse(chunk) })));
    });
    stop = async () => {
      await shut(server);
      await handler.close();
    };
    return url;
  },
  async 'Express, by app.use(path, handler)'(onNotifications) {
    const handler = await createWebhookHandler(options(onNotifications));
    return await serveAsExpress({ '/api/calls': handler }, handler);
  },
  async 'Express, by app.use on a path above'(onNotifications) {
    const handler = await createWebhookHandler(options(onNotifications));
    return await serveAsExpress({ '/api': handler }, handler);
  },
  async 'Koa, by a mount that keeps nothing of its path'(onNotifications) {
    const handler = await createWebhookHandler({ ...options(onNotifications), path: '/' });
    return await serveAsKoa('/api/calls', handler);
  },
  async 'a Fastify server'(onNotifications) {
    const app = fastify();
    app.post('/echo', async (request) => ({ echo: request.body }));
    await app.register(webhookPlugin, options(onNotifications));
    app.post('/late-echo', async (request) => ({ echo: request.body }));
    stop = () => app.close();
    return app.listen({ host: '127.0.0.1', port: 0 });
  },
};

describe.each(Object.keys(mounts))('mounted in %s', (name) => {
  const mount = mounts[name]!;

  it('takes notifications and leaves the other routes alone', async () => {
    const url = await mount();
    const response = await post(`${url}/api/calls`, ROSTER);
    expect([response.status, await response.text()]).toEqual([202, '']);
    expect(recorder.handed).toHaveLength(1);
    expect(await (await post(`${url}/echo`, '{"a":1}')).json()).toEqual({ echo: { a: 1 } });
    expect(await (await post(`${url}/late-echo`, '{"a":1}')).json()).toEqual({ echo: { a: 1 } });
  });

  it('takes them below its path, too, and tells the bot where', async () => {
    const below: string[] = [];
    const url = await mount((_body, request) => void below.push(request.below, request.url));
    for (const more of ['/', '/0', '/eu/bot-1?key=1']) {
      expect((await post(`${url}/api/calls${more}`, ROSTER)).status, more).toBe(202);
    }
    expect(below.filter((_, at) => at % 2 === 0)).toEqual(['/', '/0', '/eu/bot-1']);
    expect(below.at(-1)).toMatch(/\/eu\/bot-1\?key=1$/);
    expect((await post(`${url}/api/calls/a//b`, ROSTER)).status).toBe(404);
    expect(recorder.handed).toHaveLength(3);
  });

  it('answers as it does alone', async () => {
    const url = await mount();
    const answers = await Promise.all([
      post(`${url}/api/calls`, ROSTER, { authorization: 'Bearer x.y.z' }),
      post(`${url}/api/calls`, '{'),
      post(`${url}/api/calls`, '{', { 'content-type': 'text/plain' }),
      post(`${url}/api/calls`, ' '.repeat(1024 * 1024 + 1)),
      fetch(`${url}/api/calls`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([401, 400, 415, 413, 405]);
    for (const answer of answers) {
      expect(await answer.json()).toEqual({ error: { code: expect.any(String), message: expect.any(String) } });
    }
  });

  it('gives the bot what it would have got', async () => {
    const got: { body: string; query: string | undefined; scenario: unknown }[] = [];
    const url = await mount((body, request) => {
      got.push({
        body: body.toString(),
        query: request.url.split('?')[1],
        scenario: request.headers['scenario-id'],
      });
    });
    expect((await post(`${url}/api/calls?bot=1`, ROSTER, { 'Scenario-Id': 's' })).status).toBe(202);
    expect((await post(`${url}/api/calls`, ROSTER, { authorization: 'Bearer x.y.z' })).status).toBe(401);
    expect(got).toEqual([{ body: ROSTER, query: 'bot=1', scenario: 's' }]);
    expect(recorder.handed).toHaveLength(1);
  });

  it('answers what the bot answers', async () => {
    const url = await mount(async (body) =>
      body.toString() === '{"legacy":true}'
        ? { statusCode: 302, headers: { location: '/eu' }, body: 'moved' }
        : undefined,
    );
    const legacy = await post(`${url}/api/calls`, '{"legacy":true}');
    expect([legacy.status, legacy.headers.get('location'), await legacy.text()]).toEqual([302, '/eu', 'moved']);
    expect((await post(`${url}/api/calls`, '{"other":true}')).status).toBe(400);
    expect((await post(`${url}/api/calls`, ROSTER)).status).toBe(202);
  });

  it('answers 500 where the bot throws, having handed over', async () => {
    const url = await mount(() => {
      throw Object.assign(new Error('Bob'), { statusCode: 404 });
    });
    const response = await post(`${url}/api/calls`, ROSTER);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('Bob');
    expect(recorder.handed).toHaveLength(1);
  });
});

it('says so where the body was read before it', async () => {
  const handler = await createWebhookHandler(options());
  const { server, url } = await listen((request, response) => {
    request.on('data', () => undefined);
    request.on('end', () => handler(request, response));
  });
  stop = async () => {
    await shut(server);
    await handler.close();
  };
  const response = await post(url + '/api/calls', ROSTER);
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({
    error: { message: expect.stringContaining('before any body parser') },
  });
});

it('is mounted under a prefix as any plugin is', async () => {
  const app = fastify();
  await app.register(webhookPlugin, { ...options(), prefix: '/bot' });
  stop = () => app.close();
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  expect((await post(`${url}/bot/api/calls`, ROSTER)).status).toBe(202);
  expect((await post(`${url}/bot/api/calls/0`, ROSTER)).status).toBe(202);
  expect((await post(`${url}/api/calls`, ROSTER)).status).toBe(404);
});

it('takes a path with a slash at its end for the same path', async () => {
  const app = fastify();
  await app.register(webhookPlugin, { ...options(), path: '/api/calls/' });
  stop = () => app.close();
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  expect((await post(`${url}/api/calls`, ROSTER)).status).toBe(202);
  expect((await post(`${url}/api/calls/0`, ROSTER)).status).toBe(202);
});

it('refuses both forwardUrl and onNotifications', async () => {
  stop = async () => undefined;
  const both = { ...options(() => undefined), forwardUrl: 'http://127.0.0.1:1/' };
  await expect(createWebhookHandler(both)).rejects.toThrow(TypeError);
});
