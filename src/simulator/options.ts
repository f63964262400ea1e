import type { Redelivery } from './delivery.ts';
import type { LogEntry } from './log.ts';
import type { Tls } from './server.ts';

export interface SimulatorOptions {
  host?: string;
  /** 0, the default, for a free one. */
  port?: number;
  /** Serves HTTPS, which Entra's own client libraries ask for. */
  tls?: Tls;
  appId?: string;
  clientSecret?: string;
  tenantId?: string;
  /** Roles in the tokens of the token endpoint; all of `CALL_ROLES` where absent. */
  roles?: readonly string[];
  /** A bearer token that is good for ever, for development. */
  fixedToken?: string;
  notificationIssuer?: string;
  redelivery?: Partial<Redelivery>;
  /** Hears of every entry of every log, when it is added and when it is filled in; of no call: an empty ID. */
  onEvent?: (callId: string, entry: LogEntry) => void;
}

export interface Addresses {
  /** Graph's root, without the version. */
  url: string;
  /** Entra's root, without the tenant. */
  authorityUrl: string;
  /** The document that leads to the keys of the notifications. */
  openIdUrl: string;
  appId: string;
  tenantId: string;
}
