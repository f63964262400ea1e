/**
 * Which test runs in which suite. Every test file is in exactly one: a new one is in `service`, until it is named here.
 *
 * - `unit` needs no server and no other process, and answers in seconds.
 * - `service` runs against a real Temporal server, the simulator of Graph and real clients: what a change needs before its commit.
 * - `faults` takes long: crashes, fuzzers, skipped time, storms, browsers, and commands that run as processes of their own.
 */

export const UNIT = [
  'test/api/types.test.ts',
  'test/graph/{client,participant-list,resources,tokens}.test.ts',
  'test/input/{configuration,contract,input,reason}.test.ts',
  'test/operation/{participant-mutes,roster}.test.ts',
  'test/repository/{audit,client-package,compose,docs,layers}.test.ts',
  'test/simulator/*.test.ts',
  'test/standing/{mute-lock-looks,mute-lock-outcome,newcomers}.test.ts',
  'test/temporal/{codec-server,payload-message}.test.ts',
  'test/webhook/{arrival-order,call-queues,forward,health,http,mount,notification,token}.test.ts',
];

export const FAULTS = [
  'test/calls/release-broken.test.ts',
  'test/faults/**/*.test.ts',
  'test/gateway/clients.test.ts',
  'test/input/{foreign-clients,secrets-hostile}.test.ts',
  'test/nexus/crash.test.ts',
  'test/operators/{commands,dev,doctor,setup,start-up,ui}.test.ts',
  'test/policy/{policies-many,policy-commands,quiet-hours-end}.test.ts',
  'test/repository/{helm,light-client}.test.ts',
  'test/standing/{limits,mute-locks-crash,mute-locks-stream,mute-on-entry-crash,mute-on-entry-stream,waits}.test.ts',
  'test/temporal/{encryption,encryption-rolling,long-lived,proxies}.test.ts',
];

/** They have configurations of their own: `npm run test:cluster` and `npm run test:simulation`. */
export const ELSEWHERE = ['test/cluster/**', 'test/simulation/**'];
