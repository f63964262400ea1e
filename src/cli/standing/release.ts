import { invalid } from '../../client/errors.ts';
import type { ReleasedCall, ReleaseOptions, ReleaseScope } from '../../client/release/release-types.ts';
import { withClient } from '../client.ts';
import type { Context } from '../context.ts';
import { DONE, FAILED, printJson, reporting } from '../exit.ts';
import { table } from '../table.ts';

export interface ReleaseFlags {
  tenantId?: string;
  everywhere: boolean;
  dryRun: boolean;
  requestedBy?: string;
  reason?: string;
  json: boolean;
}

/** `release CALL`, `release --tenant-id T`, `release --everywhere`: the emergency exit. */
export async function release(this: Context, flags: ReleaseFlags, callId?: string): Promise<void> {
  const { json, dryRun, requestedBy, reason } = flags;
  const { stdout, stderr } = this.process;
  await reporting(this, json, async () => {
    const scope = scopeOf(flags, callId);
    const options: ReleaseOptions = {
      dryRun,
      ...(requestedBy !== undefined && { requestedBy }),
      ...(reason !== undefined && { reason }),
    };
    const calls: ReleasedCall[] = [];
    await withClient(this, async (moderation) => {
      for await (const call of moderation.release(scope, options)) {
        calls.push(call);
        if (!json) stderr.write(`${call.callId}  ${call.outcome}${muteLockOf(call)}${entryOf(call)}\n`);
      }
    });
    if (json) printJson(this, { calls });
    else if (calls.length === 0)
      stderr.write('Nothing to release: no call is kept muted, muted on entry, or left muted.\n');
    else stdout.write(table([['CALL', 'OUTCOME', 'WHY'], ...calls.map(rowOf)]));
    return calls.some(isUndone) ? FAILED : DONE;
  });
}

/** Something may be left: a call that is or will be muted, a mute on entry, or calls that were not listed. */
function isUndone({ outcome, muteLock, muteOnEntry }: ReleasedCall): boolean {
  return outcome === 'failed' || outcome === 'incomplete' || muteLock === 'notKnown' || muteOnEntry === 'failed';
}

function rowOf(call: ReleasedCall): string[] {
  const { callId, outcome, type, message } = call;
  return [callId, outcome + muteLockOf(call) + entryOf(call), type === undefined ? '' : `${type}: ${message}`];
}

const MUTE_LOCK = {
  goesOn: ', mute lock asked to end',
  terminated: ', mute lock terminated',
  notKnown: ', mute lock unknown',
} as const;

const ENTRY = {
  ended: ', mute on entry ended',
  wouldEnd: ', mute on entry would end',
  failed: ', mute on entry not ended',
} as const;

function muteLockOf({ muteLock }: ReleasedCall): string {
  return muteLock === undefined ? '' : MUTE_LOCK[muteLock];
}

function entryOf({ muteOnEntry }: ReleasedCall): string {
  return muteOnEntry === undefined ? '' : ENTRY[muteOnEntry];
}

function scopeOf({ tenantId, everywhere }: ReleaseFlags, callId: string | undefined): ReleaseScope {
  const scopes: ReleaseScope[] = [
    ...(callId === undefined ? [] : [{ callId }]),
    ...(tenantId === undefined ? [] : [{ tenantId }]),
    ...(everywhere ? [{ everywhere } as const] : []),
  ];
  const [scope] = scopes;
  if (scope === undefined || scopes.length > 1) {
    throw invalid(['give a CALL, --tenant-id, or --everywhere for every call that this application has muted']);
  }
  return scope;
}
