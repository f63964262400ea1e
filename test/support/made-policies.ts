import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { scheduleIdOf, type Policy } from '../../src/contract/policy.ts';

/** Policies that a test makes, and that go with it. */
export class MadePolicies {
  readonly #common: Omit<Policy, 'id'>;
  readonly #ids: string[] = [];

  /** `common` is of all of them, unless they say otherwise. */
  constructor(common: Omit<Policy, 'id'>) {
    this.#common = common;
  }

  of(given: Partial<Policy>): Policy {
    const policy = { id: `test-${randomUUID()}`, ...this.#common, ...given };
    this.add(policy.id);
    return policy;
  }

  add(...ids: readonly string[]): void {
    this.#ids.push(...ids);
  }

  /** By their schedules, so that one goes, too, that holds no policy. */
  async delete({ schedule }: Client): Promise<void> {
    for (const id of this.#ids.splice(0)) {
      const handle = schedule.getHandle(scheduleIdOf(id));
      await handle.delete().catch(() => undefined);
    }
  }
}
