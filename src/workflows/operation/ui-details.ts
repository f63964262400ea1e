import { setCurrentDetails } from '@temporalio/workflow';
import { operationDescription } from '../../contract/summary.ts';
import type { Action } from '../../contract/names.ts';
import type { MuteState } from '../../contract/operation.ts';
import type { ModerationRequest } from '../../contract/request.ts';

/**
 * The current details in Temporal's UI: the course of the operation so far, in whole sentences. They cost no event: a
 * worker returns them on request, also for an operation that has ended.
 */
export class UiDetails {
  readonly #head: string;
  readonly #lines: string[];

  constructor(action: Action, request: ModerationRequest, lines: readonly string[] = []) {
    this.#lines = [...lines];
    this.#head = operationDescription(action, request);
    this.#show();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Adds a sentence, with the time of day in UTC. */
  tell(sentence: string): void {
    this.#lines.push(`- ${timeOfDay(Date.now())} ${sentence}`);
    this.#show();
  }

  #show(): void {
    // A run that was not started by our client, or that supersedes another, is introduced nowhere else.
    setCurrentDetails([this.#lines.join('\n'), this.#head].filter((part) => part !== '').join('\n\n---\n\n'));
  }
}

/** Such as `21:37:39.611Z`; the page itself has the date. */
export function timeOfDay(time: number): string {
  return new Date(time).toISOString().slice(11);
}

/** What a roster shows of the application. */
export function inWords(state: MuteState | undefined): string {
  if (state === undefined) return 'does not list the application yet';
  const server = state.serverMuted === undefined ? '' : `, serverMuted ${state.serverMuted}`;
  return `shows isMuted ${state.isMuted}${server}`;
}

/** For an operation that never began. */
export function reportRefusal({ type, message }: { type: string; message: string }): void {
  setCurrentDetails(`- ${timeOfDay(Date.now())} **${type}**: ${message}`);
}
