import { tsToDate } from '@temporalio/common/lib/time.js';
import { isGrpcServiceError, type Client } from '@temporalio/client';
import { itemsOfPages } from '../../lib/pages.ts';
import { grpcStatusOf } from '../any-error.ts';
import { readFirst, type Payloads } from '../operations/workflow-input.ts';

/**
 * Schedules, read without decoding their payloads. The SDK's `describe` and `list` decode arguments, memos and
 * summaries, and throw if a key is missing here. Owner, pause and next times are not encrypted, so one schedule of
 * any deployment that cannot be decrypted does not hide the others.
 */
export interface ScheduleRecord {
  taskQueue: string;
  workflowType: string;
  paused: boolean;
  note: string;
  nextTimes: Date[];
  /** The arguments of its workflow, as Temporal keeps them. */
  input: Payloads;
}

/** `undefined` if there is no such schedule. */
export async function readSchedule(client: Client, scheduleId: string): Promise<ScheduleRecord | undefined> {
  const { namespace } = client.options;
  try {
    const { schedule, info } = await client.workflow.workflowService.describeSchedule({ namespace, scheduleId });
    const { startWorkflow } = schedule?.action ?? {};
    return {
      taskQueue: startWorkflow?.taskQueue?.name ?? '',
      workflowType: startWorkflow?.workflowType?.name ?? '',
      paused: schedule?.state?.paused === true,
      note: schedule?.state?.notes ?? '',
      nextTimes: (info?.futureActionTimes ?? []).map((time) => tsToDate(time)),
      input: startWorkflow?.input?.payloads ?? [],
    };
  } catch (error) {
    if (isGrpcServiceError(error) && grpcStatusOf(error) === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * The first argument of its workflow.
 *
 * @throws {UnreadablePayload} if its key is missing here
 */
export async function argumentOf(client: Client, { input }: ScheduleRecord): Promise<unknown> {
  return await readFirst(client, input.slice(0, 1));
}

/** The IDs of all schedules of the namespace. */
export async function* scheduleIds(client: Client): AsyncIterable<string> {
  const { namespace } = client.options;
  const { workflowService } = client.workflow;
  const schedules = itemsOfPages(async (nextPageToken) => {
    const page = await workflowService.listSchedules({ namespace, maximumPageSize: PAGE_SIZE, nextPageToken });
    return { items: page.schedules, nextPageToken: page.nextPageToken };
  });
  for await (const { scheduleId } of schedules) if (scheduleId) yield scheduleId;
}

const PAGE_SIZE = 1_000;
