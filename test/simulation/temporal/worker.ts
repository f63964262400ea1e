import { scopes, type Owner } from '../clock.ts';
import type { Server } from './server.ts';

/**
 * The workers of a task queue, each a process that may be killed. A task that nobody polls for waits.
 */
export interface Worker extends Owner {
  taskQueue: string;
  /** Activities that it runs now, and at most. */
  running: number;
  slots: number;
}

type Task = (worker: Worker) => void;

export class TaskQueue {
  readonly workers: Worker[] = [];
  readonly #waiting: { kind: 'workflow' | 'activity'; task: Task }[] = [];
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Hands it to a worker, now or once there is one. */
  offer(kind: 'workflow' | 'activity', task: Task): void {
    const free = this.workers.filter(
      ({ isDead, running, slots }) => !isDead && (kind === 'workflow' || running < slots),
    );
    const worker = free[Math.floor(this.#server.random.next() * free.length)];
    if (worker === undefined) this.#waiting.push({ kind, task });
    else scopes.run({ owner: worker }, () => task(worker));
  }

  /** A worker has come, or has a place again. */
  poll(): void {
    const waiting = this.#waiting.splice(0);
    for (const { kind, task } of waiting) this.offer(kind, task);
  }

  create(name: string, taskQueue: string, slots: number): Worker {
    return { name, taskQueue, isDead: false, running: 0, slots };
  }

  join(worker: Worker): void {
    this.workers.push(worker);
    this.poll();
  }

  kill(worker: Worker): void {
    worker.isDead = true;
    this.workers.splice(this.workers.indexOf(worker), 1);
  }
}
