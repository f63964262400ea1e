import { readFileSync } from 'node:fs';

interface Package {
  name: string;
  version: string;
}

const { name, version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Package;

export const VERSION = version;

export const USER_AGENT = `${name}/${version}`;
