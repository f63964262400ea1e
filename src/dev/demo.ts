import { setTimeout as pause } from 'node:timers/promises';
import { ModerationClient } from '../client/moderation-client.ts';
import type { PolicyDescription } from '../client/policies/policy-types.ts';
import { loadClientConfig } from '../config/common.ts';
import type { Action } from '../contract/names.ts';
import { exitOnFault } from '../lib/exit-on-error.ts';
import type { LogEntry } from '../simulator/index.ts';
import { closeClient, connectClient } from '../temporal/connect.ts';
import { startStack, type Stack } from './stack.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { uiLink } from './ui-link.ts';

/**
 * `npm run demo`: makes a group call in the simulator, mutes and unmutes the application in it through everything
 * that a deployment has, by hand and by the clock, and shows each step as it happens.
 */

const say = (line = ''): void => {
  process.stdout.write(`${line}\n`);
};

/** Events of Graph become steps of the operation that is being shown. */
class Narrator {
  #since = 0;
  #action: Action | undefined;
  #isAsked = false;
  /** Whether the webhook has answered a roster notification of this action. */
  isNotified = false;

  begin(action: Action, title: string): void {
    say(`\n${title}`);
    this.#since = Date.now();
    this.#action = action;
    this.#isAsked = false;
    this.isNotified = false;
  }

  end(): void {
    this.#action = undefined;
  }

  step(what: string): void {
    say(`  ${String(Date.now() - this.#since).padStart(6)} ms  ${what}`);
  }

  /** Each entry comes twice: when it begins, and when it is filled in. */
  graph(entry: LogEntry): void {
    if (this.#action === undefined) return;
    if (entry.type === 'request' && entry.action !== undefined) {
      if (!this.#isAsked) this.step(`Graph receives POST ${entry.path}`);
      this.#isAsked = true;
      if (entry.outcome === 'answered') this.step(`Graph answers ${entry.status} completed; this is not proof yet`);
    } else if (entry.type === 'request' && entry.outcome === 'answered' && this.#isAsked) {
      this.step('the roster is read');
    } else if (entry.type === 'notification' && entry.kind === 'roster') {
      this.#notification(entry.outcome, entry.own?.isMuted, entry.status);
    }
  }

  #notification(outcome: string | undefined, isMuted: boolean | undefined, status: number | undefined): void {
    if (outcome === 'dropped') this.step('a roster notification is lost');
    if (outcome === 'delivered') {
      this.isNotified = true;
      this.step(`a roster notification reports isMuted ${isMuted}; the webhook checked it and answered ${status}`);
    }
  }
}

async function demo(): Promise<void> {
  const narrator = new Narrator();
  say('call-moderation: a mute that you can rely on\n');
  const stopped = stopSignal();
  const stack = await startStack({
    ports: { temporal: 0, ui: 0, graph: 0, webhook: 0 },
    env: process.env,
    onProgress: say,
    onGraphEvent: (_, entry) => narrator.graph(entry),
  });
  let interrupted = false;
  try {
    interrupted = await Promise.race([show(stack, narrator).then(() => false), stopped.then(() => true)]);
  } finally {
    await stack.stop();
  }
  // What was being shown waits for an operation that nobody carries out any more.
  if (interrupted) process.exit(130);
}

async function show(stack: Stack, narrator: Narrator): Promise<void> {
  const client = await connectClient(loadClientConfig(stack.env));
  try {
    const moderation = new ModerationClient({ client });
    const { id: callId } = stack.graph.createCall({ callbackUri: stack.webhook.callbackUrl, participants: 4 });
    say(`\nA group call of 4 participants, one of them the application: ${callId}`);
    // Graph tells that it is established, so that it is known to be alive.
    await stack.graph.setCallState(callId, 'established');

    await operate('mute', 'Mute the application');
    await operate('unmute', 'Unmute it again');
    stack.graph.setFaults(callId, { notifications: [{ drop: true, times: 1 }] });
    await operate('mute', 'Mute it once more, and lose the notification');
    await schedule('unmute', 'Unmute every active call with a policy, in two seconds');
    say('\nDone. To keep everything running and try commands: npx call-moderation dev');

    async function schedule(action: Action, title: string): Promise<void> {
      const { policies } = moderation;
      narrator.begin(action, title);
      const { nextTimes } = await policies.create({
        id: 'demo',
        action,
        target: { live: {} },
        when: { once: 'in 2s' },
      });
      narrator.step(`scheduled for ${nextTimes[0]}`);
      const { lastRun } = await ended(async () => await policies.describe('demo'));
      const outcomes = Object.entries(lastRun?.report?.outcomes ?? {}).map(([outcome, count]) => `${count} ${outcome}`);
      narrator.step(`the policy has run: ${lastRun?.report?.calls} call(s), ${outcomes.join(', ')}`);
      narrator.end();
      await policies.delete('demo');
    }

    async function operate(action: Action, title: string): Promise<void> {
      narrator.begin(action, title);
      const handle = await moderation[action]({ callId, requestedBy: 'demo', reason: title });
      narrator.step('started: the operation is durable from now on');
      const result = await handle.result();
      // The operation may be faster than the webhook's answer to Graph.
      if (result.confirmedBy === 'notification') await stack.graph.waitFor(callId, () => narrator.isNotified, 5_000);
      narrator.step(`confirmed: isMuted ${result.isMuted}, by ${result.confirmedBy}`);
      narrator.end();
      const { runId } = await handle.run();
      say(`  in the Temporal UI while this runs: ${uiLink(stack.temporal.uiUrl, handle.workflowId, runId)}`);
    }
  } finally {
    await closeClient(client);
  }
}

async function ended(ask: () => Promise<PolicyDescription>): Promise<PolicyDescription> {
  for (;;) {
    const description = await ask();
    if (description.lastRun !== undefined && description.lastRun.status !== 'RUNNING') return description;
    await pause(200);
  }
}

await exitOnFault(demo);
