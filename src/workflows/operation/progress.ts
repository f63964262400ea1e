import type { Acceptance } from '../../activities/types.ts';
import type { GraphAnswer } from '../../contract/failure.ts';
import type { OperationStatus } from '../../contract/operation.ts';
import type { Failure } from '../lib/failures.ts';
import { iso } from '../lib/iso.ts';
import type { Progress } from './inheritance.ts';

/** How far a mute or unmute of the application has come. */
export class OperationProgress implements Progress {
  begunAt?: number;
  requestedAt?: number;
  attempts = 0;
  acceptedAt?: number;
  operationId = '';
  answer: GraphAnswer = {};
  isAlreadyAsWanted = false;
  deadline?: number;
  round = 0;

  /** `state` is that of a run which this one continues. */
  constructor(state: Partial<Progress> = {}) {
    Object.assign(this, state);
  }

  asked(requestedAt: number): void {
    this.begunAt ??= requestedAt;
    this.requestedAt = requestedAt;
    this.attempts = 1;
  }

  accept({ attempt, answer, operationId }: Acceptance): void {
    this.attempts = attempt;
    this.answer = answer;
    this.operationId = operationId;
    // The clocks of two machines: an answer never comes before its request.
    this.acceptedAt = Math.max(Date.now(), this.requestedAt ?? 0);
  }

  status(): Pick<OperationStatus, 'attempts' | 'requestedAt' | 'acceptedAt'> {
    const { attempts, requestedAt, acceptedAt } = this;
    return {
      attempts,
      ...(requestedAt !== undefined && { requestedAt: iso(requestedAt) }),
      ...(acceptedAt !== undefined && { acceptedAt: iso(acceptedAt) }),
    };
  }

  /**
   * Whether this operation's own POST may have taken effect. One that Graph refused, or reported as failed, at the first
   * attempt has not. At a later attempt it may have, because an earlier one had no answer.
   */
  mayHaveActed({ type }: Failure, isRefused: boolean): boolean {
    if (this.requestedAt === undefined || isRefused) return false;
    return type !== 'OperationFailed' || this.attempts > 1;
  }
}
