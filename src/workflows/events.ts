import { CancellationScope, log, ParentClosePolicy, patched, startChild, workflowInfo } from '@temporalio/workflow';
import { keyword } from '../contract/attributes.ts';
import { EVENTS_FLAG, EVENTS_PATCH, eventWorkflowIdOf, type ModerationEvent } from '../contract/event.ts';
import { PENDING, SEARCH_ATTRIBUTE, WORKFLOW } from '../contract/names.ts';
import { iso } from './lib/iso.ts';

export type NewEvent = Pick<ModerationEvent, 'type' | 'subject' | 'data'>;

/**
 * Hands the events of a run over, each to a workflow of its own that delivers it (`publish-event.ts`).
 *
 * - **Off, it costs nothing**: no command and no event in the history.
 * - **The history decides.** Whether the worker sends events is no input of the run, and may change with its worker. So the
 *   first time that it does, the run records a patch marker. A replay follows the marker alone, whatever its worker has, and
 *   from the marker on the run sends its events to the end.
 * - **The run waits for the hand-over.** Temporal would not start the child of a run that has closed already. The wait takes
 *   one workflow task, and depends on Temporal alone: neither on the receiver nor on a worker. Signals may come
 *   meanwhile, so the code that waits here looks again before the run ends.
 * - **An event is handed over once**: its ID is made of the run and of what has happened.
 */
export class Events {
  #isOn = false;
  readonly #starting = new Set<Promise<void>>();
  readonly #ids = new Map<string, number>();

  /** Hands the event over, and waits until all are. */
  async tell(event: NewEvent): Promise<void> {
    if (this.#isWanted()) {
      const starting = publish(this.#eventOf(event)).finally(() => this.#starting.delete(starting));
      this.#starting.add(starting);
    }
    await this.handedOver();
  }

  get areHandedOver(): boolean {
    return this.#starting.size === 0;
  }

  async handedOver(): Promise<void> {
    while (this.#starting.size > 0) await Promise.all(this.#starting);
  }

  /** **The history decides.** Asked at any other time than a replay, `patched` records its marker. */
  #isWanted(): boolean {
    const isSent = workflowInfo().unsafe.isReplaying || Reflect.get(globalThis, EVENTS_FLAG) === true;
    this.#isOn ||= isSent && patched(EVENTS_PATCH);
    return this.#isOn;
  }

  #eventOf({ type, subject, data }: NewEvent): ModerationEvent {
    const { namespace, taskQueue, runId } = workflowInfo();
    const times = (this.#ids.get(type) ?? 0) + 1;
    this.#ids.set(type, times);
    const what = type.slice(type.lastIndexOf('.') + 1);
    return {
      specversion: '1.0',
      id: [runId, what, ...(times > 1 ? [times] : [])].join('-'),
      source: `/namespaces/${encodeURIComponent(namespace)}/task-queues/${encodeURIComponent(taskQueue)}`,
      type,
      ...(subject !== undefined && { subject }),
      time: iso(Date.now()),
      datacontenttype: 'application/json',
      data,
    };
  }
}

/** An event that Temporal refuses to take is lost: it never fails the run that it is about. */
async function publish(event: ModerationEvent): Promise<void> {
  const { id, type, subject, data } = event;
  const { tenantId } = data;
  const attributes = [
    keyword(SEARCH_ATTRIBUTE.outcome, PENDING),
    ...(subject === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.callId, subject)]),
    ...(tenantId === undefined ? [] : [keyword(SEARCH_ATTRIBUTE.tenantId, tenantId)]),
  ];
  try {
    await CancellationScope.nonCancellable(
      async () =>
        await startChild(WORKFLOW.publishEvent, {
          workflowId: eventWorkflowIdOf(id),
          args: [event],
          parentClosePolicy: ParentClosePolicy.ABANDON,
          typedSearchAttributes: attributes,
          staticSummary: `${type}${subject === undefined ? '' : ` of call ${subject}`}`,
        }),
    );
  } catch {
    log.error('An event could not be handed over', { id, type });
  }
}
