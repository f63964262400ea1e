import type { ModerationAction, OperationState } from './operation.ts';
import type { NotificationKind, RequestName } from './faults.ts';
import type { Lifetime } from './lifetime.ts';

/**
 * One request. An entry is added when its request, delivery or change begins and completed when it ends (`endedAt`), so
 * that a request without an answer is there, too. No entry contains a token or a name.
 */
export interface RequestEntry {
  readonly type: 'request';
  readonly seq: number;
  readonly name: RequestName | 'unknown';
  readonly method: string;
  readonly path: string;
  readonly startedAt: number;
  readonly requestId: string;
  readonly clientRequestId: string;
  readonly action?: ModerationAction;
  clientContext?: string;
  /** `tid` of the token, once it was found good. */
  tenantId?: string;
  /** Whether the action was done; `later` if a fault delays it: the change has an entry of its own. */
  effect?: 'done' | 'later' | 'none';
  /** `gone` means that the client had left before the answer. */
  outcome?: 'answered' | 'hung' | 'reset' | 'gone';
  status?: number;
  endedAt?: number;
}

/** One attempt to deliver one notification. */
export interface NotificationEntry {
  readonly type: 'notification';
  readonly seq: number;
  readonly kind: NotificationKind | 'other';
  readonly messageId: string;
  /** From 1; 0 if it was dropped. */
  readonly attempt: number;
  readonly startedAt: number;
  /** State of the call, in notifications about it. */
  readonly state?: string;
  /** The application's own participant, as this roster shows it. */
  readonly own?: { isMuted: boolean; serverMuted: boolean };
  /** How many participants the roster lists. */
  readonly participants?: number;
  readonly sequenceNumber?: number;
  readonly operation?: { id: string; status: OperationState | null };
  /** `retrying`: not accepted, and it will be sent again. */
  outcome?: 'delivered' | 'retrying' | 'refused' | 'givenUp' | 'dropped' | 'held';
  status?: number;
  error?: string;
  endedAt?: number;
}

/** A change of the call, whoever made it, and whether or not a notification of it was sent. */
export interface ChangeEntry {
  readonly type: 'change';
  readonly seq: number;
  readonly startedAt: number;
  readonly state?: string;
  readonly participantId?: string;
  readonly isMuted?: boolean;
  readonly serverMuted?: boolean;
  /** The operation that did it. */
  readonly operationId?: string;
}

/** One line of a log. `seq` counts the lines from 1; times are in ms since the epoch. */
export type LogEntry = RequestEntry | NotificationEntry | ChangeEntry;
/** An entry before the log has numbered it. */
export type Unnumbered<T> = T extends LogEntry ? Omit<T, 'seq' | 'startedAt'> & { startedAt?: number } : never;
/** An entry to add. */
export type NewEntry = Unnumbered<LogEntry>;

/** A log that grew beyond this forgets its oldest entries: a simulator may run for days. */
const MAX_ENTRIES = 20_000;

/** What happened to one call, in order. */
export class CallLog {
  readonly #lifetime: Lifetime;
  readonly #onEntry: (entry: LogEntry) => void;
  readonly #watchers = new Set<() => void>();
  #entries: LogEntry[] = [];
  #count = 0;

  /** @internal */
  constructor(lifetime: Lifetime, onEntry: (entry: LogEntry) => void = () => undefined) {
    this.#lifetime = lifetime;
    this.#onEntry = onEntry;
  }

  /** The newest 20,000 at most. */
  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  /** Adds an entry, and wakes whoever waits for one. */
  add<T extends NewEntry>(entry: T): Extract<LogEntry, { type: T['type'] }> {
    this.#count += 1;
    const added = { startedAt: Date.now(), ...entry, seq: this.#count } as unknown as Extract<
      LogEntry,
      { type: T['type'] }
    >;
    this.#entries.push(added);
    if (this.#entries.length > MAX_ENTRIES) this.#entries = this.#entries.slice(MAX_ENTRIES / 10);
    this.#tell(added);
    return added;
  }

  /** Completes an entry with how it ended. */
  finish<T extends RequestEntry | NotificationEntry>(entry: T, end: Partial<T>): void {
    Object.assign(entry, end, { endedAt: Date.now() });
    this.#tell(entry);
  }

  /**
   * The first entry, past or to come, that the predicate accepts. Looks again whenever an entry is added or completed.
   *
   * @throws {Error} after the time limit, with the end of the log, and when the simulator is closed
   */
  async waitFor<T extends LogEntry>(
    predicate: ((entry: LogEntry) => entry is T) | ((entry: LogEntry) => boolean),
    timeoutMs = 5000,
  ): Promise<T> {
    const find = (): T | undefined => this.#entries.find(predicate) as T | undefined;
    const past = find();
    if (past !== undefined) return past;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        forget();
      };
      const look = (): void => {
        const found = find();
        if (found === undefined) return;
        stop();
        resolve(found);
      };
      const fail = (why: string): void => {
        stop();
        reject(new Error(`${why}; the log ends with ${JSON.stringify(this.#entries.slice(-8))}`));
      };
      const timer = setTimeout(() => {
        fail(`no such entry within ${timeoutMs} ms`);
      }, timeoutMs);
      this.#watchers.add(look);
      const forget = this.#lifetime.onEnd(() => {
        fail('the simulator was closed');
      });
    });
  }

  #tell(entry: LogEntry): void {
    this.#onEntry(entry);
    for (const watcher of this.#watchers) watcher();
  }
}
