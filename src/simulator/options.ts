import type { Redelivery } from './delivery.ts';
import type { LogEntry } from './log.ts';
import type { Tls } from './server.ts';

/** Options of `GraphSimulator.start`. */
export interface SimulatorOptions {
  /** @default '127.0.0.1' */
  host?: string;
  /**
   * 0 for a free one.
   *
   * @default 0
   */
  port?: number;
  /** Serves HTTPS, which Entra's own client libraries ask for. */
  tls?: Tls;
  /** The application's ID. There is one by default. */
  appId?: string;
  /** @default 'simulated-secret' */
  clientSecret?: string;
  /** The application's tenant. There is one by default. */
  tenantId?: string;
  /**
   * Roles in the tokens of the token endpoint.
   *
   * @default CALL_ROLES
   */
  roles?: readonly string[];
  /** A bearer token that never expires, for development. */
  fixedToken?: string;
  /** @default 'https://api.botframework.com' */
  notificationIssuer?: string;
  /** How often a notification is sent again that was not accepted. */
  redelivery?: Partial<Redelivery>;
  /** Called for each entry of each log, when it is added and when it is completed. The ID is empty if it is of no call. */
  onEvent?: (callId: string, entry: LogEntry) => void;
}

/** Where a simulator is, and as which application it knows its caller. */
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
