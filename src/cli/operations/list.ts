import type { ListFilter } from '../../client/operations/records.ts';
import { canonicalId } from '../../contract/call-id.ts';
import { withClient } from '../client.ts';
import type { Context } from '../context.ts';
import { DONE, printJson, reporting } from '../exit.ts';
import { table } from '../table.ts';
import { take } from '../../lib/take.ts';

export interface ListFlags {
  call?: string;
  outcome?: string;
  tenantId?: string;
  limit: number;
  json: boolean;
}

/** `list`: operations, the latest first. */
export async function list(this: Context, { call, outcome, tenantId, limit, json }: ListFlags): Promise<void> {
  await reporting(this, json, async () => {
    const filter: ListFilter = {
      ...(call !== undefined && { callId: canonicalId(call) }),
      ...(outcome !== undefined && { outcome }),
      ...(tenantId !== undefined && { tenantId }),
    };
    const records = await withClient(this, async (moderation) => await take(moderation.list(filter), limit));
    if (json) printJson(this, records);
    else if (records.length === 0) this.process.stderr.write('No operations.\n');
    else {
      const rows = records.map((record) => [
        record.startedAt,
        record.target === undefined ? record.action : `${record.action} ${record.target}`,
        record.outcome,
        record.callId,
        record.runId,
      ]);
      this.process.stdout.write(table([['STARTED', 'ACTION', 'OUTCOME', 'CALL', 'RUN'], ...rows]));
    }
    return DONE;
  });
}
