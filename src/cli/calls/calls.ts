import type { CallFilter, LabelChange } from '../../client/calls/calls.ts';
import type { CallState } from '../../contract/live-call.ts';
import { withClient } from '../client.ts';
import type { Context } from '../context.ts';
import { DONE, printJson, reporting } from '../exit.ts';
import { table } from '../table.ts';
import { take } from '../../lib/take.ts';

export interface CallsFlags {
  tenantId?: string;
  label?: string;
  state: CallState;
  limit: number;
  json: boolean;
}

/** `calls`: the active calls, the latest first. */
export async function calls(this: Context, { tenantId, label, state, limit, json }: CallsFlags): Promise<void> {
  await reporting(this, json, async () => {
    const filter: CallFilter = {
      state,
      ...(tenantId !== undefined && { tenantId }),
      ...(label !== undefined && { label }),
    };
    const records = await withClient(this, async (moderation) => await take(moderation.calls.list(filter), limit));
    if (json) printJson(this, records);
    else if (records.length === 0) this.process.stderr.write('No calls.\n');
    else {
      const rows = records.map((record) => [
        record.since,
        record.state,
        record.callId,
        record.tenantId ?? '',
        record.labels.join(' '),
      ]);
      this.process.stdout.write(table([['SINCE', 'STATE', 'CALL', 'TENANT', 'LABELS'], ...rows]));
    }
    return DONE;
  });
}

export interface LabelFlags {
  add?: readonly string[];
  remove?: readonly string[];
  json: boolean;
}

/** `label CALL`: adds and removes labels of a call. */
export async function labelCall(
  this: Context,
  { add = [], remove = [], json }: LabelFlags,
  callId: string,
): Promise<void> {
  await reporting(this, json, async () => {
    const change: LabelChange = { add: [...add], remove: [...remove] };
    await withClient(this, async (moderation) => await moderation.calls.label(callId, change));
    if (json) printJson(this, { callId, ...change });
    else this.process.stdout.write(`labelled ${callId}\n`);
    return DONE;
  });
}
