import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { OperationHandle } from '../../src/client/operations/operation-handle.ts';
import { SIGNAL } from '../../src/contract/names.ts';
import type { Faults } from '../../src/simulator/index.ts';
import { findBrowser, launch } from '../support/browser.ts';
import { missing } from '../support/programs.ts';
import { Service, untilPhase, type TestCall } from '../support/service.ts';
import { temporal } from '../support/temporal.ts';

/**
 * What an operator reads in Temporal's UI, in a real browser. `SCREENSHOTS=FOLDER` leaves pictures of the pages there.
 */

const executable = await findBrowser();
if (executable === undefined) missing('test/operators/ui.test.ts', 'Chromium');

interface WorkflowMetadata {
  definition: { signalDefinitions: { name: string; description?: string }[] };
}

/** Pages load slowly where the machine is busy. */
const PAGE_MS = 45_000;
const TEST_MS = 150_000;

const folder = process.env['SCREENSHOTS'];
const untold: Faults['notifications'] = [{ on: 'roster', drop: true, times: 'forever' }];

describe.skipIf(executable === undefined)("Temporal's UI", { timeout: TEST_MS }, () => {
  let service: Service;
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    service = await Service.start();
    browser = await launch(executable ?? '');
    page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  });
  afterAll(async () => {
    await browser.close();
    await service.stop();
  });

  /** Everything that a person reads on the page, also in the frames that show Markdown. */
  async function read(): Promise<string> {
    const texts = page.frames().map(async (frame) => await frame.innerText('body').catch(() => ''));
    return (await Promise.all(texts)).join('\n').replaceAll('’', "'");
  }

  /** Opens a page and waits until it reads as it should; each text once, so that the report names what is missing. */
  async function expectPage(path: string, texts: readonly string[], picture?: string): Promise<void> {
    await page.goto(`${inject('temporalUi')}/namespaces/default${path}`);
    await expect
      .poll(
        async () => {
          const said = await read();
          return texts.filter((text) => !said.includes(text));
        },
        { timeout: PAGE_MS, interval: 250 },
      )
      .toEqual([]);
    if (folder === undefined || picture === undefined) return;
    await mkdir(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${picture}.png`) });
  }

  async function pageOf(handle: OperationHandle, tab: string): Promise<string> {
    const { runId } = await handle.run();
    return `/workflows/${encodeURIComponent(handle.workflowId)}/${runId}/${tab}`;
  }

  const asked = { tenantId: 'tenant.example', requestedBy: 'hold-service', reason: 'caller on | `hold`' };

  test('tells of a running operation what it is, who asked for it, why, and what it waits for', async () => {
    // Graph says completed, and it never happens.
    const without = { on: 'mute', effect: false } as const;
    const call = service.call({ faults: { requests: [without], notifications: [...untold] } });
    const handle = await service.moderation.mute({ callId: call.id, ...asked, confirmWithinSeconds: 60 });
    await untilPhase(handle, 'confirming');
    await expectPage(
      await pageOf(handle, 'user-metadata'),
      [
        `Mute call ${call.id}`,
        `Mutes the application in call ${call.id}.`,
        'Tenant: tenant.example',
        'Requested by: hold-service',
        "Reason: caller on | 'hold'",
        "Done when the roster shows it within 60 s of Graph's acceptance; otherwise the call is put back as it was.",
        'Read the call and its roster, which shows isMuted false, serverMuted false.',
        'Asked Graph to mute.',
        'Accepted by Graph (request ID ',
        '). The roster has until ',
      ],
      'running',
    );
    await expectPage(await pageOf(handle, 'timeline'), ['RUNNING', 'Wait for the roster']);
    await handle.cancel();
    await handle.result().catch(() => undefined);
  });

  test('tells of a confirmed one how it went, and what has confirmed it', async () => {
    const call = service.call();
    await (await service.moderation.mute({ callId: call.id })).result();
    const unavailable = { on: 'unmute', answer: { status: 503 } } as const;
    service.graph.setFaults(call.id, { requests: [unavailable], notifications: [...untold] });
    const { id: callId } = call;
    const handle = await service.moderation.unmute({ callId, requestedBy: 'hold-service', reason: 'back from hold' });
    await handle.result();
    await expectPage(await pageOf(handle, 'user-metadata'), [
      'Accepted by Graph at attempt 2 (request ID ',
      'Confirmed by a read of the roster: isMuted is false.',
    ]);
    await expectPage(
      await pageOf(handle, 'timeline'),
      ['COMPLETED', `Unmute call ${call.id}`, '"isMuted": false', '"confirmedBy": "roster-read"'],
      'confirmed',
    );
  });

  test('shows the failure in a sentence that stands alone, and that the call was put back', async () => {
    const without = { on: 'mute', effect: false } as const;
    const call = service.call({ faults: { requests: [without], notifications: [...untold] } });
    const handle = await service.moderation.mute({ callId: call.id, confirmWithinSeconds: 1 });
    await handle.result().catch(() => undefined);
    const message = `Graph accepted the mute of call ${call.id}, but within 1 s the roster did not show isMuted true; it last showed isMuted false.`;
    await expectPage(
      await pageOf(handle, 'timeline'),
      ['FAILED', message, 'The call was put back as it was.', `Unmute call ${call.id} to put it back`],
      'failed',
    );
    await expectPage(await pageOf(handle, 'user-metadata'), [
      'Unconfirmed: putting the call back as it was. Asked Graph to unmute.',
      'Graph has answered. Reads the roster until it shows the earlier state.',
      `Unconfirmed: ${message}`,
    ]);
  });

  test('shows, while Graph fails, the attempts and the last failure', async () => {
    const call = service.call({ faults: { requests: [{ on: 'mute', answer: { status: 503 }, times: 'forever' }] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await call.untilAsked('mute', 3);
    await expectPage(await pageOf(handle, 'pending-activities'), ['postMute', `Graph answered 503`], 'pending');
    await handle.cancel();
    await handle.result().catch(() => undefined);
  });

  test('tells of two that follow each other that one took over', async () => {
    const call = service.call({ faults: { notifications: [...untold] } });
    const first = await service.moderation.mute({ callId: call.id });
    await untilPhase(first, 'confirming');
    const second = await service.moderation.unmute({ callId: call.id, reason: 'back in the talk' });
    await first.result().catch(() => undefined);
    await second.result();
    await expectPage(await pageOf(first, 'user-metadata'), [
      'Superseded: the call is to be unmuted instead, and goes on as another run.',
    ]);
    await expectPage(
      await pageOf(second, 'user-metadata'),
      ['Took over from the operation before.', 'Reason: back in the talk'],
      'superseding',
    );
  });

  test('tells of a request that is not valid what is wrong with it', async () => {
    const workflowId = `call-moderation/${randomUUID()}`;
    const args = [{ callId: workflowId.slice(16), onUnconfimed: 'leave' }];
    const handle = await service.client.workflow.start('mute', { workflowId, taskQueue: service.taskQueue, args });
    await handle.result().catch(() => undefined);
    const run = `/workflows/${encodeURIComponent(workflowId)}/${handle.firstExecutionRunId}`;
    const message = 'InvalidRequest: Nothing was sent to Graph, because the request is not valid: ';
    await expectPage(`${run}/user-metadata`, [message, 'onUnconfimed']);
  });

  test('describes the query and the signals where they are sent from', async () => {
    const call = service.call({ faults: { notifications: [...untold] } });
    const handle = await service.moderation.mute({ callId: call.id });
    await untilPhase(handle, 'confirming');
    await page.goto(`${inject('temporalUi')}/namespaces/default${await pageOf(handle, 'query')}`);
    await page.locator('#query-select').locator('xpath=..').click();
    await expect.poll(read, { timeout: PAGE_MS, interval: 250 }).toContain('State of the operation');
    // Where the UI has the descriptions of signals from.
    const run = (await handle.run()).handle;
    const { definition } = await run.query<WorkflowMetadata>('__temporal_workflow_metadata');
    const described = definition.signalDefinitions.map(({ name, description = '' }) => [name, description.length > 20]);
    expect(Object.fromEntries(described)).toEqual(Object.fromEntries(Object.keys(SIGNAL).map((name) => [name, true])));
    await handle.result();
  });

  describe('finds with the saved queries of docs/operate.md', () => {
    const TENANT = `${randomUUID()}.example`;
    const since = new Date();
    const calls: Record<string, TestCall> = {};
    beforeAll(async () => {
      const without = { on: 'mute', effect: false } as const;
      const noRestore = { on: 'unmute', answer: { status: 403, code: '7503' } } as const;
      const denied = { on: 'mute', answer: { status: 403, code: '7504' } } as const;
      calls['confirmed'] = service.call();
      calls['refused'] = service.call({ faults: { requests: [denied] } });
      calls['unconfirmed'] = service.call({ faults: { requests: [without], notifications: [...untold] } });
      calls['not put back'] = service.call({ faults: { requests: [without, noRestore], notifications: [...untold] } });
      const handles = await Promise.all(Object.values(calls).map(async (call) => await mute(call, 1)));
      await Promise.all(handles.map(async (handle) => await handle.result().catch(() => undefined)));
      for (const name of ['running', 'terminated']) {
        const call = service.call({
          faults: { requests: [{ ...without, times: 'forever' }], notifications: [...untold] },
        });
        calls[name] = call;
        const handle = await mute(call, 300);
        await untilPhase(handle, 'confirming');
        if (name === 'terminated') await (await handle.run()).handle.terminate();
      }
    });
    afterAll(async () => {
      const { workflowId } = calls['running'] ?? {};
      if (workflowId !== undefined) await service.client.workflow.getHandle(workflowId).terminate();
    });

    async function mute({ id }: TestCall, confirmWithinSeconds: number): Promise<OperationHandle> {
      return await service.moderation.mute({ callId: id, tenantId: TENANT, confirmWithinSeconds });
    }

    /** Each query of the page by its heading, and the calls that it finds. */
    const expected: Record<string, string[]> = {
      'All on a call': ['confirmed'],
      'All failed operations of a tenant': ['refused', 'unconfirmed', 'not put back'],
      'All unconfirmed since midnight': ['unconfirmed'],
      'Not put back although it should have been': ['not put back'],
      'Refused by Graph or Entra ID': ['refused'],
      'Running now': ['running'],
      'Running for too long': ['running'],
      'Ended in Temporal by somebody, with nothing put back': ['terminated'],
    };
    const queries = savedQueries();

    test('of which there is none without a test', () => {
      expect(queries.map(({ name }) => name)).toEqual(Object.keys(expected));
    });

    test.each(queries)('$name', async ({ name, query }) => {
      const time = query.includes('StartTime <') ? new Date() : since;
      const own = query
        .replace(/'\d{4}-\d\d-\d\dT[^']+'/, `'${time.toISOString()}'`)
        .replace('57dab8b1-894c-409a-b240-bd8beae78896', calls['confirmed']?.id ?? '')
        .replace('contoso.example', TENANT);
      // What other tests do on this server at the same time is not ours to find.
      const narrowed = `(${own}) AND ModerationTenantId = '${TENANT}'`;
      const names = expected[name] ?? [];
      const found = async (): Promise<number> => (await service.client.workflow.count(narrowed)).count;
      await expect.poll(found, { timeout: 10_000 }).toBe(names.length);
      const ids = names.map((each) => calls[each]?.workflowId ?? '');
      const picture = name === 'All failed operations of a tenant' ? 'list' : undefined;
      await expectPage(`/workflows?query=${encodeURIComponent(narrowed)}`, ids, picture);
      const said = await read();
      const others = Object.values(calls).filter(({ workflowId }) => !ids.includes(workflowId));
      for (const { workflowId } of others) expect(said).not.toContain(workflowId);
      // As it stands on the page, but for the placeholders, it is a query to the official CLI as well.
      expect((await temporal('workflow', 'list', '--query', own)).code).toBe(0);
    });
  });
});

/** What is written in bold before a block of SQL, up to the first colon, and the block. */
function savedQueries(): { name: string; query: string }[] {
  const page = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8');
  return [...page.matchAll(/\*\*([^*:]+)[^*]*\*\*\n\n```sql\n(.+)\n```/g)].map(([, name = '', query = '']) => ({
    name,
    query,
  }));
}
