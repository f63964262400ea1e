import { Client } from '@temporalio/client';
import { InternalConnectionLikeSymbol } from '@temporalio/client/lib/types.js';
import type { temporal } from '@temporalio/proto';
import { scopes, type Owner, type Timer } from '../clock.ts';
import { msOf } from './activity.ts';
import { GRPC, grpcError } from './grpc.ts';
import { toTimestamp, type Run } from './run.ts';
import { describe, longOf } from './schedules.ts';
import type { Server } from './server.ts';
import type { Listed } from './visibility.ts';

/**
 * The connection of a process to the simulated server, under the SDK's own client. A request travels, is done, and its answer
 * travels back:
 *
 * - **A request waits for the server.** While the server is down a request waits, as the SDK tries it again and
 *   again, until its deadline.
 * - **A deadline ends the wait, not the request.** A deadline and an abort end the waiting of the caller, and not the
 *   request, which may be done all the same.
 * - **A dead process gets no answer.** What belongs to a process that has died gets no answer (`clock.ts`: **A killed
 *   process does nothing more**).
 */
type Service = temporal.api.workflowservice.v1.WorkflowService;
/** The filter of whoever waits for the end. */
const CLOSE_EVENT = 2;

type Answer = (result: unknown) => void;

/** A request without a deadline of its own fails after so long, as gRPC's retries end. */
const RETRIES_MS = 60_000;

export function clientOf(server: Server, owner: Owner): Client {
  const { workflowService } = new Requests(server, owner);
  const within = async <R>(change: object, work: () => Promise<R>): Promise<R> => {
    const scope = scopes.getStore() ?? { owner };
    return await scopes.run({ ...scope, ...change }, work);
  };
  const connection = {
    workflowService,
    operatorService: {} as never,
    plugins: [],
    close: async () => undefined,
    ensureConnected: async () => undefined,
    withDeadline: async <R>(deadline: number | Date, work: () => Promise<R>) =>
      await within({ deadline: Number(deadline) }, work),
    withMetadata: async <R>(_: unknown, work: () => Promise<R>) => await work(),
    withAbortSignal: async <R>(abort: AbortSignal, work: () => Promise<R>) => await within({ abort }, work),
    [InternalConnectionLikeSymbol]: { supportsEagerStart: true },
  };
  return new Client({ connection, namespace: server.namespace });
}

class Requests {
  readonly #server: Server;
  readonly #owner: Owner;

  constructor(server: Server, owner: Owner) {
    this.#server = server;
    this.#owner = owner;
  }

  get workflowService(): Service {
    const done = this.#done.bind(this);
    return new Proxy({} as Service, {
      get: (_, name) => {
        const method = (this.#methods as Record<string, ((request: never, answer: Answer) => unknown) | undefined>)[
          String(name)
        ];
        if (method === undefined) return undefined;
        return async (request: never) => await done((answer) => method(request, answer));
      },
    });
  }

  /** `work` gives its answer, or, where it gives nothing, calls `answer` later. */
  async #done(work: (answer: Answer) => unknown): Promise<unknown> {
    const { clock } = this.#server;
    const { owner, deadline, abort } = scopes.getStore() ?? { owner: this.#owner };
    return await new Promise((resolve, reject) => {
      let deadlineTimer: Timer | undefined;
      const settled = (): void => {
        deadlineTimer?.cancel();
        abort?.removeEventListener('abort', onAbort);
      };
      const back = (settle: () => void): void => {
        clock.after(
          this.#server.travel(),
          () => {
            settled();
            settle();
          },
          owner,
        ); // **A dead process gets no answer**
      };
      const refuse = (code: number, why: string) => () => reject(grpcError(code, why));
      const onAbort = (): void => back(refuse(GRPC.cancelled, 'aborted')); // **A deadline ends the wait, not the request**
      if (abort?.aborted === true) return back(refuse(GRPC.cancelled, 'aborted'));
      abort?.addEventListener('abort', onAbort);
      const limit = deadline ?? (clock.now < this.#server.downUntil ? clock.now + RETRIES_MS : undefined);
      if (limit !== undefined) {
        deadlineTimer = clock.after(limit - clock.now, refuse(GRPC.deadlineExceeded, 'Deadline exceeded'), owner);
      }
      this.#server.after(this.#server.travel(), () => {
        try {
          const result = work((late) => back(() => resolve(late)));
          if (result !== undefined) back(() => resolve(result));
        } catch (error) {
          back(() => reject(error instanceof Error ? error : new Error(String(error))));
        }
      }); // **A request waits for the server**
    });
  }

  readonly #methods = {
    startWorkflowExecution: (request: temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest) => {
      const run = this.#server.start(startOf(request));
      return { runId: run.runId, started: true };
    },

    signalWithStartWorkflowExecution: (
      request: temporal.api.workflowservice.v1.ISignalWithStartWorkflowExecutionRequest,
    ) => {
      const { workflowId, signalName, signalInput } = request;
      const send = (): void =>
        this.#server.signal(
          workflowId ?? '',
          undefined,
          signalName ?? '',
          signalInput?.payloads ?? [],
          request.header?.fields ?? {},
        );
      const running = this.#findOpen(workflowId ?? '');
      const run = running ?? this.#server.start(startOf(request));
      send();
      return { runId: run.runId, started: running === undefined };
    },

    signalWorkflowExecution: (request: temporal.api.workflowservice.v1.ISignalWorkflowExecutionRequest) => {
      const { workflowExecution, signalName, input, header } = request;
      const { workflowId, runId } = workflowExecution ?? {};
      this.#server.signal(workflowId ?? '', runId, signalName ?? '', input?.payloads ?? [], header?.fields ?? {});
      return {};
    },

    recordActivityTaskHeartbeat: ({
      taskToken,
      details,
    }: temporal.api.workflowservice.v1.IRecordActivityTaskHeartbeatRequest) => {
      const [runId = '', seq, attempt] = Buffer.from(taskToken ?? [])
        .toString()
        .split('/');
      const activity = this.#server.runs.find((run) => run.runId === runId)?.activities.get(Number(seq));
      const cancelRequested = activity?.recordHeartbeat(Number(attempt), details?.payloads ?? []);
      if (cancelRequested === undefined) throw grpcError(GRPC.notFound, 'activity task not found');
      return { cancelRequested };
    },

    requestCancelWorkflowExecution: ({
      workflowExecution,
    }: temporal.api.workflowservice.v1.IRequestCancelWorkflowExecutionRequest) => {
      this.#server.cancel(workflowExecution?.workflowId ?? '', workflowExecution?.runId);
      return {};
    },

    terminateWorkflowExecution: ({
      workflowExecution,
      reason,
    }: temporal.api.workflowservice.v1.ITerminateWorkflowExecutionRequest) => {
      this.#server.terminate(workflowExecution?.workflowId ?? '', workflowExecution?.runId, reason ?? '');
      return {};
    },

    describeWorkflowExecution: ({ execution }: temporal.api.workflowservice.v1.IDescribeWorkflowExecutionRequest) => {
      const run = this.#server.find(execution?.workflowId ?? '', execution?.runId);
      return {
        executionConfig: {},
        workflowExecutionInfo: infoOf({
          run,
          status: run.status,
          closedAt: run.closedAt,
          attributes: run.attributes,
          memo: run.memo,
        }),
        workflowExtendedInfo: { cancelRequested: run.isCancelRequested },
        pendingActivities: [...run.activities.values()].map(({ type, attempt, seq }) => ({
          activityId: String(seq),
          activityType: { name: type },
          attempt,
        })),
        pendingChildren: [],
        callbacks: [],
      };
    },

    /** The first event, which tells the input, and the last one. */
    getWorkflowExecutionHistory: (
      request: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryRequest,
      answer: Answer,
    ) => {
      const { execution, historyEventFilterType, waitNewEvent } = request;
      const run = this.#server.find(execution?.workflowId ?? '', execution?.runId);
      const closing = () => ({
        history: { events: run.closeEvent ? [run.closeEvent] : [] },
        nextPageToken: new Uint8Array(),
      });
      if (Number(historyEventFilterType) !== CLOSE_EVENT) {
        const events = [firstEventOf(run), ...(run.closeEvent ? [run.closeEvent] : [])];
        return { history: { events }, nextPageToken: new Uint8Array() };
      }
      if (!run.isOpen || waitNewEvent !== true) return closing();
      run.onClose.push(() => answer(closing()));
      return undefined;
    },

    /** The signals, which are all that a client looks for in it. */
    getWorkflowExecutionHistoryReverse: ({
      execution,
    }: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryReverseRequest) => {
      const run = this.#server.find(execution?.workflowId ?? '', execution?.runId);
      const events = run.signalNames.map((signalName) => ({
        workflowExecutionSignaledEventAttributes: { signalName },
      }));
      return { history: { events: events.toReversed() }, nextPageToken: new Uint8Array() };
    },

    queryWorkflow: ({ execution, query }: temporal.api.workflowservice.v1.IQueryWorkflowRequest, answer: Answer) => {
      const run = this.#server.find(execution?.workflowId ?? '', execution?.runId);
      this.#server.query(run, query?.queryType ?? '', query?.queryArgs?.payloads ?? [], (result, isFailure) => {
        if (!isFailure) return answer({ queryResult: { payloads: result ? [result] : [] } });
        const refused = Promise.reject(grpcError(GRPC.invalidArgument, 'the query failed'));
        refused.catch(() => undefined); // Who asked may be dead by the time of the answer.
        answer(refused);
      });
      return undefined;
    },

    listWorkflowExecutions: (request: temporal.api.workflowservice.v1.IListWorkflowExecutionsRequest) => {
      const { query, pageSize, nextPageToken } = request;
      const token = Buffer.from(nextPageToken ?? []).toString();
      const page = this.#server.visibility.list(query ?? '', pageSize || 1_000, token);
      return { executions: page.entries.map(infoOf), nextPageToken: new Uint8Array(Buffer.from(page.token)) };
    },

    createSchedule: ({
      scheduleId,
      schedule,
      initialPatch,
    }: temporal.api.workflowservice.v1.ICreateScheduleRequest) => {
      this.#server.schedules.create(scheduleId ?? '', schedule ?? {});
      if (initialPatch) this.#server.schedules.patch(scheduleId ?? '', initialPatch);
      return { conflictToken: new Uint8Array() };
    },

    describeSchedule: ({ scheduleId }: temporal.api.workflowservice.v1.IDescribeScheduleRequest) =>
      describe(this.#server.schedules.find(scheduleId ?? ''), this.#server.clock.now),

    listScheduleMatchingTimes: ({
      scheduleId,
      startTime,
      endTime,
    }: temporal.api.workflowservice.v1.IListScheduleMatchingTimesRequest) => {
      const [from, to] = [msOf(startTime) ?? 0, msOf(endTime) ?? 0];
      const next = this.#server.schedules.find(scheduleId ?? '').next(from);
      return { startTime: next !== undefined && next <= to ? [toTimestamp(next)] : [] };
    },

    updateSchedule: ({ scheduleId, schedule }: temporal.api.workflowservice.v1.IUpdateScheduleRequest) => {
      this.#server.schedules.update(scheduleId ?? '', schedule ?? {});
      return {};
    },

    patchSchedule: ({ scheduleId, patch }: temporal.api.workflowservice.v1.IPatchScheduleRequest) => {
      this.#server.schedules.patch(scheduleId ?? '', patch ?? {});
      return {};
    },

    deleteSchedule: ({ scheduleId }: temporal.api.workflowservice.v1.IDeleteScheduleRequest) => {
      this.#server.schedules.delete(scheduleId ?? '');
      return {};
    },

    listSchedules: () => ({
      schedules: [...this.#server.schedules.all.values()].map((schedule) => {
        const { schedule: spec, info } = describe(schedule, this.#server.clock.now);
        return {
          scheduleId: schedule.id,
          memo: { fields: {} },
          info: {
            spec: spec.spec ?? {},
            workflowType: spec.action?.startWorkflow?.workflowType ?? {},
            paused: schedule.isPaused,
            notes: spec.state.notes ?? '',
            recentActions: info.recentActions,
            futureActionTimes: info.futureActionTimes,
          },
        };
      }),
      nextPageToken: new Uint8Array(),
    }),
  };

  #findOpen(workflowId: string): Run | undefined {
    try {
      const run = this.#server.find(workflowId);
      return run.isOpen ? run : undefined;
    } catch {
      return undefined;
    }
  }
}

function startOf(request: temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest) {
  return {
    workflowId: request.workflowId ?? '',
    type: request.workflowType?.name ?? '',
    taskQueue: request.taskQueue?.name ?? '',
    input: request.input?.payloads ?? [],
    memo: request.memo?.fields ?? {},
    attributes: request.searchAttributes?.indexedFields ?? {},
    headers: request.header?.fields ?? {},
    requestId: request.requestId ?? undefined,
  };
}

function infoOf({ run, status, closedAt, attributes, memo }: Listed) {
  return {
    execution: { workflowId: run.start.workflowId, runId: run.runId },
    type: { name: run.start.type },
    taskQueue: run.start.taskQueue,
    status,
    startTime: toTimestamp(run.startedAt),
    executionTime: toTimestamp(run.startedAt),
    closeTime: closedAt === undefined ? undefined : toTimestamp(closedAt),
    historyLength: longOf(run.events),
    historySizeBytes: longOf(run.bytes),
    memo: { fields: memo },
    searchAttributes: { indexedFields: attributes },
  };
}

function firstEventOf(run: Run): temporal.api.history.v1.IHistoryEvent {
  return {
    eventTime: toTimestamp(run.startedAt),
    workflowExecutionStartedEventAttributes: {
      workflowType: { name: run.start.type },
      taskQueue: { name: run.start.taskQueue },
      input: { payloads: run.start.input },
      continuedExecutionRunId: run.start.continuedFrom?.runId ?? '',
    },
  };
}
