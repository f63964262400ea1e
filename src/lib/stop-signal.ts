/**
 * Settles when this process is told to stop, by whichever signal. Later signals change nothing, for by then it is
 * stopping: npm and tsx pass on what the terminal has sent to everyone already, so that Ctrl-C arrives twice.
 */
export async function stopSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve);
  });
}
