import { ConfigError } from '../../config/config-error.ts';
import { loadClientConfig } from '../../config/common.ts';
import { listenOn } from '../../http/listen.ts';
import { createLogger } from '../../lib/logger.ts';
import { stopSignal } from '../../lib/stop-signal.ts';
import { createCodecServer } from '../../temporal/codec-server.ts';
import type { Context } from '../context.ts';
import { DONE, reporting } from '../exit.ts';

export interface CodecFlags {
  port: number;
  ui: string;
}

const HOST = '127.0.0.1';

/** `codec`: until it receives a signal to stop. */
export async function codec(this: Context, { port, ui }: CodecFlags): Promise<void> {
  await reporting(this, false, async () => {
    const { payloadKeys: keys, logLevel } = loadClientConfig(this.process.env);
    if (keys === undefined) {
      throw new ConfigError(['MODERATION_PAYLOAD_KEYS: required: without keys, nothing can be decrypted']);
    }
    const server = createCodecServer({ keys, uiOrigin: ui, log: createLogger(logLevel, 'codec') });
    const stopped = stopSignal();
    const address = { host: HOST, port };
    const url = await listenOn(address, '--port', async () => await server.listen(address));
    this.process.stdout.write(
      `Decrypting at ${url} for the UI at ${ui}: enter this address in the UI as the codec endpoint (Data Encoder), or pass it to Temporal's CLI with --codec-endpoint.\n`,
    );
    await stopped;
    await server.close();
    return DONE;
  });
}
