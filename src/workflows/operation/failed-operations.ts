import { sameId } from '../../contract/call-id.ts';
import type { OperationUpdate } from '../../contract/signals.ts';

/** Kept until Graph has named our own operation; with more in a call than that, none is missed for long. */
const MAX_KEPT = 16;

/** Notifications of failed operations in the call. Which of them is ours shows once Graph has named our operation. */
export class FailedOperations {
  readonly #updates: OperationUpdate[];

  /** `updates` are those of a run which this one continues. */
  constructor(updates: readonly OperationUpdate[] = []) {
    this.#updates = [...updates];
  }

  get updates(): readonly OperationUpdate[] {
    return this.#updates;
  }

  add(update: OperationUpdate): void {
    if (update.status === 'failed' && this.#updates.length < MAX_KEPT) this.#updates.push(update);
  }

  /** Once Graph has named the operation, only its ID counts: `clientContext` may be the same in many. */
  find(ourId: string, ourContext: string): OperationUpdate | undefined {
    return this.#updates.find(({ operationId, clientContext }) =>
      ourId === '' ? clientContext === ourContext : sameId(operationId, ourId),
    );
  }
}
