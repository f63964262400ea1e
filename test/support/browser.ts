import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** An installed Chromium or Chrome: `CHROMIUM` names one, else the search path has one. None is downloaded. */
export async function findBrowser(): Promise<string | undefined> {
  const named = process.env['CHROMIUM'];
  if (named !== undefined) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  for (const candidate of candidates) {
    if (await isThere(candidate)) return candidate;
  }
  return undefined;
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}

export async function launch(executablePath: string): Promise<Browser> {
  // It speaks to this machine only: nothing of its own goes out.
  const args = [
    ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    ...['--disable-component-update', '--disable-sync'],
  ];
  return await chromium.launch({ executablePath, args });
}
