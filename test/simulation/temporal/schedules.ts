import { encodeUnifiedSearchAttributes } from '@temporalio/common/lib/converter/payload-search-attributes.js';
import type { temporal } from '@temporalio/proto';
import { DateTime } from 'luxon';
import type { Timer } from '../clock.ts';
import { msOf } from './activity.ts';
import { GRPC, grpcError } from './grpc.ts';
import { toTimestamp, type Run } from './run.ts';
import type { Server } from './server.ts';

/**
 * Temporal's schedules: calendars and intervals in a zone, the overlap policies, pause, trigger and backfill.
 *
 * - **A skipped time of day is no time.** A calendar's time of day that a day does not have, because spring skips it,
 *   is no time: the schedule does not run then (`calendar.go` of the server).
 * - **The overlap policy decides.** What is due while the run before is open: with `skip` it is lost, with
 *   `bufferOne` one waits, with `bufferAll` all do, `cancelOther` and `terminateOther` end the run before, `allowAll`
 *   starts beside it. A run that continues as new is one run.
 * - **A time that is too late is missed.** A time that has passed for longer than the catch-up window, because the
 *   server was down, is missed.
 */
export type ISchedule = temporal.api.schedule.v1.ISchedule;
type ICalendar = temporal.api.schedule.v1.IStructuredCalendarSpec;
type IRange = temporal.api.schedule.v1.IRange;

const OVERLAP = { skip: 1, bufferOne: 2, bufferAll: 3, cancelOther: 4, terminateOther: 5, allowAll: 6 } as const;
const DAY_MS = 86_400_000;

interface Action {
  scheduledAt: number;
  takenAt: number;
  run: Run;
}

export class Schedule {
  readonly id: string;
  readonly createdAt: number;
  spec: ISchedule;
  updatedAt: number | undefined;
  memo: temporal.api.common.v1.IMemo | undefined;
  actions: Action[] = [];
  taken = 0;
  skipped = 0;
  missed = 0;
  running: Run[] = [];
  buffered: number[] = [];
  timer: Timer | undefined;
  readonly #zones: Readonly<Record<string, string>>;

  constructor(id: string, spec: ISchedule, createdAt: number, zones: Readonly<Record<string, string>>) {
    this.#zones = zones;
    this.id = id;
    this.spec = spec;
    this.createdAt = createdAt;
  }

  get isPaused(): boolean {
    return this.spec.state?.paused === true;
  }

  /** The next time after a moment. */
  next(after: number): number | undefined {
    const { spec } = this.spec;
    const named = spec?.timezoneName || 'UTC';
    const zone = this.#zones[named] ?? named;
    const [start, end] = [msOf(spec?.startTime) ?? 0, msOf(spec?.endTime) ?? Infinity];
    const from = Math.max(after, start - 1);
    const times = [
      ...(spec?.structuredCalendar ?? []).map((calendar) => nextOf(calendar, zone, from)),
      ...(spec?.interval ?? []).map((interval) => {
        const every = msOf(interval.interval) ?? DAY_MS;
        const phase = msOf(interval.phase) ?? 0;
        return Math.floor((from - phase) / every + 1) * every + phase;
      }),
    ].filter((time) => time !== undefined);
    const next = Math.min(...times);
    return Number.isFinite(next) && next <= end ? next : undefined;
  }

  future(now: number, count: number): number[] {
    const times: number[] = [];
    for (let time = this.next(now); time !== undefined && times.length < count; time = this.next(time))
      times.push(time);
    return times;
  }
}

/** What became of a schedule: how it is from then on. */
export interface Change {
  at: number;
  id: string;
  how: 'create' | 'update' | 'pause' | 'unpause' | 'delete';
  spec: ISchedule;
}

export class Schedules {
  readonly all = new Map<string, Schedule>();
  readonly log: Change[] = [];
  /** Where its tables of the zones differ from those of everybody else. */
  zones: Readonly<Record<string, string>> = {};
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  create(id: string, spec: ISchedule): void {
    if (this.all.has(id)) throw grpcError(GRPC.alreadyExists, 'schedule already exists');
    const schedule = new Schedule(id, spec, this.#server.clock.now, this.zones);
    this.all.set(id, schedule);
    this.#changed(schedule, 'create');
    this.#arm(schedule, this.#server.clock.now);
  }

  #changed({ id, spec }: Schedule, how: Change['how']): void {
    this.log.push({ at: this.#server.clock.now, id, how, spec });
  }

  find(id: string): Schedule {
    const schedule = this.all.get(id);
    if (schedule === undefined) throw grpcError(GRPC.notFound, 'schedule not found');
    return schedule;
  }

  update(id: string, spec: ISchedule): void {
    const schedule = this.find(id);
    schedule.spec = spec;
    schedule.updatedAt = this.#server.clock.now;
    this.#changed(schedule, 'update');
    this.#arm(schedule, this.#server.clock.now);
  }

  patch(id: string, patch: temporal.api.schedule.v1.ISchedulePatch): void {
    const schedule = this.find(id);
    const { pause, unpause, triggerImmediately, backfillRequest } = patch;
    const state = { ...schedule.spec.state };
    if (pause) Object.assign(state, { paused: true, notes: pause });
    if (unpause) Object.assign(state, { paused: false, notes: unpause });
    schedule.spec = { ...schedule.spec, state };
    if (pause) this.#changed(schedule, 'pause');
    if (unpause) this.#changed(schedule, 'unpause');
    if (triggerImmediately) this.#due(schedule, this.#server.clock.now, triggerImmediately.overlapPolicy ?? 0);
    for (const { startTime, endTime, overlapPolicy } of backfillRequest ?? []) {
      const end = msOf(endTime) ?? 0;
      for (
        let time = schedule.next((msOf(startTime) ?? 0) - 1);
        time !== undefined && time <= end;
        time = schedule.next(time)
      ) {
        this.#due(schedule, time, overlapPolicy ?? 0);
      }
    }
  }

  delete(id: string): void {
    const schedule = this.find(id);
    schedule.timer?.cancel();
    this.all.delete(id);
    this.#changed(schedule, 'delete');
  }

  /** **The overlap policy decides**. */
  closed(run: Run): void {
    for (const schedule of this.all.values()) {
      const index = schedule.running.indexOf(run);
      if (index < 0) continue;
      if (run.next !== undefined) schedule.running[index] = run.next;
      else schedule.running.splice(index, 1);
      const next = schedule.running.length === 0 ? schedule.buffered.shift() : undefined;
      if (next !== undefined) this.#server.after(this.#server.random.latency(100), () => this.#take(schedule, next));
    }
  }

  #arm(schedule: Schedule, after: number): void {
    schedule.timer?.cancel();
    const time = schedule.next(after);
    if (time === undefined) return;
    schedule.timer = this.#server.after(time - this.#server.clock.now + this.#server.random.latency(60, 1_000), () => {
      const window = msOf(schedule.spec.policies?.catchupWindow) ?? 365 * DAY_MS;
      if (schedule.isPaused) this.#arm(schedule, time);
      else if (this.#server.clock.now - time > window) {
        schedule.missed += 1; // **A time that is too late is missed**
        this.#arm(schedule, time);
      } else {
        this.#due(schedule, time, 0);
        this.#arm(schedule, time);
      }
    });
  }

  /** **The overlap policy decides**. */
  #due(schedule: Schedule, time: number, given: number): void {
    const overlap = given || schedule.spec.policies?.overlapPolicy || OVERLAP.skip;
    if (schedule.running.length === 0 || overlap === OVERLAP.allowAll) return this.#take(schedule, time);
    if (overlap === OVERLAP.skip) schedule.skipped += 1;
    else if (overlap === OVERLAP.bufferOne) {
      if (schedule.buffered.length === 0) schedule.buffered.push(time);
      else schedule.skipped += 1;
    } else if (overlap === OVERLAP.bufferAll) schedule.buffered.push(time);
    else {
      schedule.buffered = [time];
      for (const run of [...schedule.running]) {
        if (!run.isOpen) continue;
        if (overlap === OVERLAP.terminateOther)
          this.#server.terminate(run.start.workflowId, run.runId, 'terminated by schedule');
        else this.#server.cancel(run.start.workflowId, run.runId);
      }
    }
  }

  #take(schedule: Schedule, time: number): void {
    const action = schedule.spec.action?.startWorkflow;
    if (!action) return;
    const scheduledAt = new Date(Math.floor(time / 1_000) * 1_000);
    const keys = [
      { key: { name: 'TemporalScheduledStartTime', type: 'DATETIME' as const }, value: scheduledAt },
      { key: { name: 'TemporalScheduledById', type: 'KEYWORD' as const }, value: schedule.id },
    ];
    const run = this.#server.start({
      workflowId: `${action.workflowId}-${scheduledAt.toISOString().replace('.000', '')}${schedule.running.length > 0 ? `-${schedule.taken}` : ''}`,
      type: action.workflowType?.name ?? '',
      taskQueue: action.taskQueue?.name ?? '',
      input: action.input?.payloads ?? [],
      memo: action.memo?.fields ?? {},
      attributes: {
        ...action.searchAttributes?.indexedFields,
        ...encodeUnifiedSearchAttributes(undefined, keys),
      },
      headers: {},
    });
    schedule.taken += 1;
    schedule.running.push(run);
    schedule.actions = [...schedule.actions, { scheduledAt: time, takenAt: this.#server.clock.now, run }].slice(-10);
  }
}

export function describe(schedule: Schedule, now: number) {
  const { spec, actions } = schedule;
  return {
    schedule: { ...spec, policies: spec.policies ?? {}, state: spec.state ?? {} },
    info: {
      actionCount: longOf(schedule.taken),
      missedCatchupWindow: longOf(schedule.missed),
      overlapSkipped: longOf(schedule.skipped),
      bufferSize: longOf(schedule.buffered.length),
      runningWorkflows: schedule.running.map(executionOf),
      recentActions: actions.map((action) => ({
        scheduleTime: toTimestamp(action.scheduledAt),
        actualTime: toTimestamp(action.takenAt),
        startWorkflowResult: { workflowId: action.run.start.workflowId, runId: action.run.firstRunId },
      })),
      futureActionTimes: schedule.future(now, 10).map(toTimestamp),
      createTime: toTimestamp(schedule.createdAt),
      updateTime: schedule.updatedAt === undefined ? undefined : toTimestamp(schedule.updatedAt),
    },
    memo: { fields: {} },
    searchAttributes: { indexedFields: {} },
    conflictToken: new Uint8Array(),
  };
}

export function longOf(value: number) {
  return { toNumber: () => value };
}

function executionOf({ start, firstRunId }: Run) {
  return { workflowId: start.workflowId, runId: firstRunId };
}

/** **A skipped time of day is no time**. */
function nextOf(calendar: ICalendar, zone: string, after: number): number | undefined {
  const years = calendar.year ?? [];
  const thisYear = new Date(after).getUTCFullYear();
  if (years.length > 0 && years.every(({ start }) => (start ?? 0) > thisYear + 1)) return undefined;
  const [hours, minutes, seconds] = [valuesOf(calendar.hour), valuesOf(calendar.minute), valuesOf(calendar.second)];
  let day = DateTime.fromMillis(after, { zone }).startOf('day');
  for (let looked = 0; looked < 400; looked += 1) {
    const { year, month, day: dayOfMonth, weekday } = day;
    const isDay =
      has(calendar.year, year) &&
      has(calendar.month, month) &&
      has(calendar.dayOfMonth, dayOfMonth) &&
      has(calendar.dayOfWeek, weekday % 7);
    if (isDay) {
      for (const hour of hours) {
        for (const minute of minutes) {
          for (const second of seconds) {
            const time = DateTime.fromObject({ year, month, day: dayOfMonth, hour, minute, second }, { zone });
            if (time.hour === hour && time.minute === minute && time.toMillis() > after) return time.toMillis();
          }
        }
      }
    }
    day = DateTime.fromObject({ year, month, day: dayOfMonth }, { zone }).plus({ days: 1 });
  }
  return undefined;
}

function valuesOf(ranges: readonly IRange[] | null | undefined): number[] {
  if (!ranges || ranges.length === 0) return [0];
  return ranges.flatMap(({ start, end, step }) => {
    const [first, last] = [start ?? 0, Math.max(start ?? 0, end ?? 0)];
    const values: number[] = [];
    for (let value = first; value <= last; value += step || 1) values.push(value);
    return values;
  });
}

function has(ranges: readonly IRange[] | null | undefined, value: number): boolean {
  return !ranges || ranges.length === 0 || valuesOf(ranges).includes(value);
}
