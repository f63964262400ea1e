/**
 * Settles when this process receives a signal to stop. Later signals change nothing, because it is already stopping:
 * npm and tsx pass on what the terminal has sent to everyone already, so that Ctrl-C arrives twice.
 */
export async function stopSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve);
  });
}
