import { condition, workflowInfo } from '@temporalio/workflow';
import { callIdOf } from '../contract/call-id.ts';
import type { STANDING_MUTE_EVENTS, StandingMuteEvent } from '../contract/event.ts';
import type { MuteLockResult } from '../contract/mute-lock.ts';
import { endOutcome, type OfCall } from '../contract/standing-mute.ts';
import type { MuteOnEntryResult } from '../contract/mute-on-entry.ts';
import { Events, type NewEvent } from './events.ts';
import { iso } from './lib/iso.ts';

type End = Pick<StandingMuteEvent, 'outcome' | 'result'>;

/** What of a standing mute's status its events contain. */
export interface StandingStatus {
  startedAt: string;
  until?: string;
}

/**
 * The events of a mute lock, a timed mute or a mute on entry. It begins once, in whichever of its runs it does, and never after its
 * end: one that fails before it has muted anybody has an end alone.
 */
export class StandingMuteEvents<Status extends StandingStatus> {
  readonly #events = new Events();
  readonly #request: OfCall;
  readonly #status: () => Status;
  readonly #kindOf: (status: Status) => StandingMuteEvent['kind'];
  readonly #hasBegun: (status: Status) => boolean;
  #isToBegin: boolean;

  constructor(options: {
    request: OfCall;
    status: () => Status;
    kindOf: (status: Status) => StandingMuteEvent['kind'];
    hasBegun: (status: Status) => boolean;
    isToBegin: boolean;
  }) {
    this.#request = options.request;
    this.#status = options.status;
    this.#kindOf = options.kindOf;
    this.#hasBegun = options.hasBegun;
    this.#isToBegin = options.isToBegin;
  }

  /** Whether the run that continues this one is to report the begin. */
  get isToBegin(): boolean {
    return this.#isToBegin;
  }

  get areHandedOver(): boolean {
    return this.#events.areHandedOver;
  }

  async handedOver(): Promise<void> {
    await this.#events.handedOver();
  }

  /** Reports the begin as soon as the status shows it. */
  async watch(): Promise<void> {
    if (!this.#isToBegin) return;
    await condition(() => !this.#isToBegin || this.#hasBegun(this.#status()));
    await this.#begin();
  }

  async ended(result: MuteLockResult | MuteOnEntryResult): Promise<void> {
    const { callId: _, ...shown } = result;
    const { endedBy } = result;
    await this.#end(endedBy === 'gaveUp' ? 'gave-up' : 'ended', { outcome: endOutcome(endedBy), result: shown });
  }

  async failed(outcome: string): Promise<void> {
    await this.#end('failed', { outcome });
  }

  async #begin(): Promise<void> {
    if (!this.#isToBegin || !this.#hasBegun(this.#status())) return;
    this.#isToBegin = false;
    await this.#events.tell(this.#eventOf('begun', {}));
  }

  async #end(event: (typeof STANDING_MUTE_EVENTS)[number], end: End): Promise<void> {
    const begun = this.#begin();
    this.#isToBegin = false;
    await Promise.all([begun, this.#events.tell(this.#eventOf(event, end))]);
  }

  #eventOf(event: (typeof STANDING_MUTE_EVENTS)[number], end: End): NewEvent {
    const { callId, tenantId, requestedBy } = this.#request;
    const status = this.#status();
    const { startedAt, until } = status;
    const data: StandingMuteEvent = {
      ...ofRun(),
      kind: this.#kindOf(status),
      ...(tenantId !== undefined && { tenantId }),
      ...(requestedBy !== undefined && { requestedBy }),
      startedAt,
      ...(until !== undefined && { until }),
      ...end,
    };
    return { type: `call-moderation.standing-mute.${event}`, subject: callId, data };
  }
}

/** One whose request was invalid. */
export async function reportRefusal(kind: StandingMuteEvent['kind'], outcome: string): Promise<void> {
  const [id = ''] = workflowInfo().workflowId.match(/^.*(?=\/)/) ?? [];
  const callId = callIdOf(id);
  const startedAt = iso(workflowInfo().startTime.getTime());
  await new Events().tell({
    type: 'call-moderation.standing-mute.failed',
    ...(callId !== undefined && { subject: callId }),
    data: { ...ofRun(), kind, startedAt, outcome },
  });
}

function ofRun(): { workflowId: string; runId: string } {
  const { workflowId, runId } = workflowInfo();
  return { workflowId, runId };
}
