import { pino, type Logger } from 'pino';
import type { LogLevel } from './config.ts';

export type { Logger } from 'pino';

/**
 * JSON lines on standard error, so that standard output stays for results. Nothing that is logged carries a token; the
 * redaction is for what a library might hand over one day.
 */
export function createLogger(level: LogLevel, process: 'worker' | 'webhook' | 'codec'): Logger {
  const paths = ['authorization', '*.authorization', 'headers.authorization', '*.headers.authorization'];
  return pino(
    { level, base: { process }, redact: { paths, censor: '[redacted]' } },
    pino.destination({ dest: 2, sync: true }),
  );
}
