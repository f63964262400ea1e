import { typeOf, type HistoryEvent } from './counts.ts';
import { percentile, type Counted } from './measure.ts';

/** Where the time of an operation goes: medians between the events of its history, and at its caller. */
export interface Step {
  what: string;
  /** Since the caller began. */
  atMs: number;
  /** Since the step before. */
  tookMs: number;
}

/** Of operations whose histories tell the same story; others are left out. */
export function timelineOf(counted: readonly Counted[]): Step[] {
  const stories = new Map<string, Counted[]>();
  for (const each of counted) {
    const story = each.events.map(typeOf).join();
    stories.set(story, [...(stories.get(story) ?? []), each]);
  }
  const usual = [...stories.values()].toSorted((a, b) => b.length - a.length)[0] ?? [];
  const steps = usual.map(stepsOf);
  return (steps[0] ?? []).map(({ what }, index) => {
    const median = (of: (step: Step) => number): number =>
      percentile(
        steps.flatMap((each) => (each[index] === undefined ? [] : [of(each[index])])),
        0.5,
      );
    return { what, atMs: median(({ atMs }) => atMs), tookMs: median(({ tookMs }) => tookMs) };
  });
}

function stepsOf({ timing, events }: Counted): Step[] {
  const marks = [
    ...events.map((event) => ({ what: typeOf(event), at: timeOf(event) })),
    { what: '(caller: start acknowledged)', at: timing.acknowledgedAt },
    { what: '(caller: result)', at: timing.endedAt },
  ];
  // The caller's marks stand at the end, so that every story has the same order.
  return marks.map(({ what, at }, index) => {
    const before = what.startsWith('(caller: start') ? timing.startedAt : marks[previousOf(index, events.length)]?.at;
    return { what, atMs: at - timing.startedAt, tookMs: at - (before ?? timing.startedAt) };
  });
}

/** The result comes after the last event, whatever the order of printing. */
function previousOf(index: number, events: number): number {
  return index === events + 1 ? events - 1 : index - 1;
}

function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1_000 + (eventTime?.nanos ?? 0) / 1e6;
}
