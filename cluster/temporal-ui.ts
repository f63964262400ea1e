import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Part } from './part.ts';

/** Temporal's UI, as a program of its own beside the server. */
export interface TemporalUiOptions {
  /** The folder of its program. */
  programs: string;
  /** For its configuration. */
  folder: string;
  temporalAddress: string;
  port: number;
  log: string;
  onProgress?: ((message: string) => void) | undefined;
}

export async function temporalUi(options: TemporalUiOptions): Promise<Part> {
  const { programs, folder, temporalAddress, port, log, onProgress } = options;
  const url = `http://127.0.0.1:${port}`;
  const config = [
    `temporalGrpcAddress: ${temporalAddress}`,
    'host: 127.0.0.1',
    `port: ${port}`,
    'enableUi: true',
    'defaultNamespace: default',
    'disableNewsFetch: true',
    'cors:',
    // Its cookie against forged requests asks for HTTPS otherwise.
    '  cookieInsecure: true',
    `  allowOrigins: ['${url}', 'http://localhost:${port}']`,
  ];
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'cluster.yaml'), `${config.join('\n')}\n`);
  return new Part({
    name: 'ui',
    command: join(programs, 'server'),
    args: ['--root', folder, '--config', '.', '--env', 'cluster', 'start'],
    env: {},
    cwd: folder,
    log,
    isReady: async () => (await fetch(`${url}/api/v1/settings`)).ok,
    onProgress,
  });
}
