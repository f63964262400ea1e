import { ModerationError } from '../../client/errors.ts';
import { canonicalId, isCallId } from '../../contract/call-id.ts';
import type { MuteLockStatus } from '../../contract/mute-lock.ts';
import type { MuteOnEntryStatus } from '../../contract/mute-on-entry.ts';
import { lastsUntil } from '../../contract/summary.ts';
import { withClient } from '../client.ts';
import type { Context } from '../context.ts';
import { DONE, printJson, reporting } from '../exit.ts';
import { table } from '../table.ts';
import { OperatorError } from '../../lib/operator-error.ts';

class OperationNotFound extends OperatorError {
  override readonly name = 'OperationNotFound';

  constructor(callId: string) {
    super(
      `Temporal knows no operation on call ${canonicalId(callId)}. Check the call ID, the namespace and the task queue.`,
    );
  }
}

/** `status CALL`: the latest operation and the standing mutes of a call. */
export async function status(this: Context, { json }: { json: boolean }, callId: string): Promise<void> {
  await reporting(this, json, async () => {
    if (!isCallId(callId)) {
      const fault = 'CALL must be 1 to 128 of A-Z a-z 0-9 _ -; pass the ID that Graph returned for the call';
      throw new ModerationError('InvalidRequest', fault, { issues: [fault] });
    }
    return await withClient(this, async (moderation) => {
      const latest = await moderation.getLatestOperation(callId);
      const entryHandle = await moderation.getMuteOnEntry(callId);
      if (latest === undefined && entryHandle === undefined) throw new OperationNotFound(callId);
      const handle = await moderation.getMuteLock(callId);
      const muteLock = await handle?.status().catch(() => undefined);
      const entry = await entryHandle?.status().catch(() => undefined);
      if (json) {
        printJson(this, { ...latest, ...(muteLock && { muteLock }), ...(entry && { muteOnEntry: entry }) });
        return DONE;
      }
      const { record, status: now, failure } = latest ?? {};
      const rows: [string, string | undefined][] = [
        ['call', canonicalId(callId)],
        ['action', record?.action],
        ['outcome', record?.outcome],
        ['failure', failure?.message],
        ['target', record?.target],
        ['kept muted', handle && (muteLock === undefined ? 'yes, state unknown: no worker answers' : lineOf(muteLock))],
        [
          'on entry',
          entryHandle && (entry === undefined ? 'yes, state unknown: no worker answers' : lineOfEntry(entry)),
        ],
        ['phase', record && (now?.phase ?? 'unknown: no worker answers')],
        ['participant', now?.participantId],
        ['before', now?.before && JSON.stringify(now.before)],
        ['last seen', now?.lastSeen && JSON.stringify(now.lastSeen)],
        ['requested by', now?.request.requestedBy],
        ['reason', now?.request.reason],
        ['started', record?.startedAt],
        ['requested', now?.requestedAt],
        ['accepted', now?.acceptedAt],
        ['confirmed', now?.confirmedAt],
        ['closed', record?.closedAt],
        ['run', record?.runId],
      ];
      const known = rows.filter((row): row is [string, string] => row[1] !== undefined);
      this.process.stdout.write(table(known));
      return DONE;
    });
  });
}

function lineOf({ until, enforce, mutesAgain }: MuteLockStatus): string {
  const end = lastsUntil(until);
  return enforce ? `${end}, muted again ${mutesAgain} times` : `${end} (a timed mute)`;
}

function lineOfEntry({ until, isRosterComplete, muted, newcomers }: MuteOnEntryStatus): string {
  const end = lastsUntil(until);
  return isRosterComplete
    ? `${end}, ${muted} of ${newcomers} newcomers muted`
    : `${end}, waiting for a complete roster: nobody is muted yet`;
}
