import { ModerationError } from '../../client/errors.ts';
import type { ParticipantsTarget } from '../../contract/target.ts';

/** Flags that select whom to mute, if not the application. */

export interface WhomFlags {
  participant?: readonly string[] | undefined;
  others?: boolean | undefined;
  except?: readonly string[] | undefined;
}

/** `orWith` names what `--except` may go with beside `--others`. */
export function whomOf(
  { participant = [], others = false, except = [] }: WhomFlags,
  orWith = '',
): ParticipantsTarget | undefined {
  const fault =
    participant.length > 0 && others
      ? '--participant and --others exclude each other: give one of them'
      : except.length > 0 && !others
        ? `--except goes with --others${orWith}: give both, or neither`
        : undefined;
  if (fault !== undefined) throw new ModerationError('InvalidRequest', fault, { issues: [fault] });
  if (participant.length > 0) return { participantIds: participant };
  return others ? { others: { except } } : undefined;
}
