import { ScheduleNotFoundError, type Client, type ScheduleHandle } from '@temporalio/client';
import { policyIdOf, scheduleIdOf } from '../../contract/policy.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import { ModerationError } from '../errors.ts';
import { refusedByServer } from './policy-schedule.ts';
import { readSchedule, scheduleIds, type ScheduleRecord } from './schedules.ts';

/** Schedules that are read at the same time, beside the list. */
const MAX_CONCURRENT_READS = 20;

export interface OwnSchedule {
  /** Of the policy. */
  id: string;
  schedule: ScheduleRecord;
}

/**
 * The schedules of this deployment. A namespace may be shared: a schedule belongs to the deployment on whose task queue
 * its runs start, and another deployment's is neither read nor changed.
 */
export class OwnSchedules {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /** `undefined` if there is no such policy here. */
  async read(id: string): Promise<ScheduleRecord | undefined> {
    const schedule = await readSchedule(this.#client, scheduleIdOf(id));
    return schedule?.taskQueue === this.#taskQueue ? schedule : undefined;
  }

  /** In Temporal's order. */
  async *list(): AsyncIterable<OwnSchedule> {
    const ids: string[] = [];
    for await (const scheduleId of scheduleIds(this.#client)) {
      const id = policyIdOf(scheduleId);
      if (id === undefined) continue;
      ids.push(id);
      if (ids.length === MAX_CONCURRENT_READS) yield* await this.#readAll(ids.splice(0));
    }
    yield* await this.#readAll(ids);
  }

  async #readAll(ids: readonly string[]): Promise<OwnSchedule[]> {
    const found = new Map<string, ScheduleRecord | undefined>();
    const read = inParallel(ids, MAX_CONCURRENT_READS, async (id) => [id, await this.read(id)] as const);
    for await (const [id, schedule] of read) found.set(id, schedule);
    return ids.flatMap((id) => {
      const schedule = found.get(id);
      // It may be another deployment's, or deleted since it was listed.
      return schedule === undefined ? [] : [{ id, schedule }];
    });
  }

  /**
   * Sends a request about a policy of this deployment.
   *
   * @throws {ModerationError} `PolicyNotFound`, `OtherDeployment`
   */
  async ask<T>(id: string, request: (handle: ScheduleHandle) => Promise<T>): Promise<T> {
    try {
      const schedule = await readSchedule(this.#client, scheduleIdOf(id));
      if (schedule === undefined) throw notFound(id);
      this.requireOwn(id, schedule);
      return await request(this.#client.schedule.getHandle(scheduleIdOf(id)));
    } catch (error) {
      throw error instanceof ScheduleNotFoundError ? notFound(id) : refusedByServer(error);
    }
  }

  /** @throws {ModerationError} `OtherDeployment` */
  requireOwn(id: string, { taskQueue }: Pick<ScheduleRecord, 'taskQueue'>): void {
    if (taskQueue === this.#taskQueue) return;
    throw new ModerationError(
      'OtherDeployment',
      `Policy ${id} belongs to another deployment in this namespace, which works on task queue ${taskQueue}, and this one on ${this.#taskQueue}. ` +
        'Use a client of that task queue (MODERATION_TASK_QUEUE), or another ID.',
      { policyId: id },
    );
  }
}

function notFound(id: string): ModerationError {
  return new ModerationError('PolicyNotFound', `There is no policy ${id}. 'policy list' shows those that there are.`, {
    policyId: id,
  });
}
