/**
 * Which test runs in which suite. Every test file is in exactly one: a new one is in `service`, until it is named here.
 *
 * - `unit` needs no server and no other process, and answers in seconds. Its files share their modules (`isolate: false`), so a
 *   test undoes what it changes in the process: mocks, timers, environment.
 * - `service` runs against a real Temporal server, the simulator of Graph and real clients: what a change needs before its commit.
 * - `faults` takes long: crashes, fuzzers, skipped time, storms, browsers, limits of a minute, and commands that run as processes
 *   of their own.
 */

export const UNIT = [
  'test/api/types.test.ts',
  'test/gateway/pure.test.ts',
  'test/graph/{client,participant-list,resources,tokens}.test.ts',
  'test/input/{configuration,contract,input,reason}.test.ts',
  'test/operation/{first-attempt,participant-mutes,priorities,roster}.test.ts',
  'test/policy/{dates,known-policies,quiet-hours,spec}.test.ts',
  'test/repository/{client-package,compose,docs,layers}.test.ts',
  'test/simulator/{control,faults,graph,notifications,tokens,types}.test.ts',
  'test/standing/{mute-lock-looks,mute-lock-outcome,newcomers}.test.ts',
  'test/temporal/{codec-server,payload-message}.test.ts',
  'test/webhook/{arrival-order,call-queues,forward,health,http,mebibytes,mount,notification,token}.test.ts',
];

export const FAULTS = [
  'test/calls/release-broken.test.ts',
  'test/faults/**/*.test.ts',
  'test/gateway/clients.test.ts',
  'test/input/{foreign-clients,hostile-forms,secrets-hostile}.test.ts',
  'test/nexus/crash.test.ts',
  'test/operation/time-limits.test.ts',
  'test/operators/{commands,dev,doctor,setup,start-up,ui}.test.ts',
  'test/policy/{policies-many,policy-commands,quiet-hours-end}.test.ts',
  'test/repository/{helm,light-client}.test.ts',
  'test/standing/{limits,mute-locks-crash,mute-locks-stream,mute-on-entry-crash,mute-on-entry-stream,waits}.test.ts',
  'test/temporal/{encryption,encryption-rolling,long-lived,proxies}.test.ts',
];

/** They have configurations of their own: `npm run test:cluster` and `npm run test:simulation`. */
export const ELSEWHERE = ['test/cluster/**', 'test/simulation/**'];
