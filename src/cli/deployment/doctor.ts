import type { Finding } from '../../doctor/check.ts';
import { examine } from '../../doctor/doctor.ts';
import type { Context } from '../context.ts';
import { DONE, FAILED, printJson, reporting } from '../exit.ts';

export interface DoctorFlags {
  webhookUrl?: string;
  tenantId?: string;
  json: boolean;
}

/** `doctor`: checks what a deployment needs, one line each; code 1 if a check fails. */
export async function doctor(this: Context, { webhookUrl, tenantId, json }: DoctorFlags): Promise<void> {
  await reporting(this, json, async () => {
    const findings = await examine(this.process.env, { webhookUrl, tenantId });
    const isHealthy = findings.every(({ state }) => state !== 'failed');
    if (json) printJson(this, { isHealthy, findings });
    else for (const finding of findings) this.process.stdout.write(`${lineOf(finding)}\n`);
    return isHealthy ? DONE : FAILED;
  });
}

function lineOf({ check, state, said, remedy }: Finding): string {
  const line = `${state.padEnd(7)}  ${check}: ${said}`;
  return remedy === undefined ? line : `${line}. ${remedy}`;
}
