import { pino, type Logger } from 'pino';
import type { LogLevel } from './log-level.ts';
import { kindOfText, toldOf } from './error-reason.ts';

export type { Logger } from 'pino';

/**
 * JSON lines on standard error, so that standard output stays for results. Nothing that is logged carries a token; the
 * redaction is for what a library might hand over one day. An error is logged by its class and its kind: the message of
 * another library's may quote what it was given (`src/lib/error-reason.ts`).
 */
export function createLogger(level: LogLevel, process: 'worker' | 'webhook' | 'gateway' | 'codec'): Logger {
  const paths = ['authorization', '*.authorization', 'headers.authorization', '*.headers.authorization'];
  return pino(
    {
      level,
      base: { process },
      redact: { paths, censor: '[redacted]' },
      serializers: { err: toldErrorsIn, error: toldErrorsIn },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

function toldErrorsIn(value: unknown): unknown {
  if (value instanceof Error) return toldOf(value);
  // Temporal's Core logs its errors as text.
  return typeof value === 'string' ? kindOfText(value) : value;
}
