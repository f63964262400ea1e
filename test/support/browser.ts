import { chromium, type Browser } from 'playwright-core';
import { findProgram } from './programs.ts';

/** An installed Chromium or Chrome: `CHROMIUM` names one, else the search path has one. None is downloaded. */
export async function findBrowser(): Promise<string | undefined> {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  return await findProgram(names, process.env['CHROMIUM']);
}

export async function launch(executablePath: string): Promise<Browser> {
  // It speaks to this machine only: nothing of its own goes out.
  const args = [
    ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    ...['--disable-component-update', '--disable-sync'],
  ];
  return await chromium.launch({ executablePath, args });
}
