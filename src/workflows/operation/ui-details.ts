import { setCurrentDetails } from '@temporalio/workflow';
import { detailsOf } from '../../contract/summary.ts';
import type { Action } from '../../contract/names.ts';
import type { ModerationRequest } from '../../contract/request.ts';

/**
 * What has happened so far, in whole sentences, for the person who looks at the operation in Temporal's UI: its current
 * details. They cost no event: a worker tells them when somebody looks, also of an operation that has ended.
 */
export class UiDetails {
  readonly #head: string;
  readonly #lines: string[];

  constructor(action: Action, request: ModerationRequest, lines: readonly string[] = []) {
    this.#lines = [...lines];
    this.#head = detailsOf(action, request);
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

/** For an operation whose saga never began. */
export function reportRefusal({ type, message }: { type: string; message: string }): void {
  setCurrentDetails(`- ${timeOfDay(Date.now())} **${type}**: ${message}`);
}
