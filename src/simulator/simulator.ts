import { AccessTokens, type TokenRequest } from './access-tokens.ts';
import { ApiTokens, type ApiTokenRequest } from './api-tokens.ts';
import type { CallState } from './call.ts';
import { serveControl } from './control.ts';
import { DEFAULT_REDELIVERY, Delivery } from './delivery.ts';
import { describe, truthOf, type CallTruth, type ParticipantTruth } from './describe.ts';
import { serveEntra } from './entra.ts';
import { Exchange } from './exchange.ts';
import { FaultScript, serviceFaults, type Faults } from './faults.ts';
import type { FormChange } from './form.ts';
import { newGate, type Counts } from './gate.ts';
import { serveGraph } from './graph-api.ts';
import { plainId } from './ids.ts';
import { Lifetime } from './lifetime.ts';
import { CallLog, type LogEntry } from './log.ts';
import { newCall, type App, type NewCall } from './new-call.ts';
import { NotificationKeys, type TokenOverrides } from './notification-keys.ts';
import { callNotification, type Notification } from './notification.ts';
import { Notifier } from './notifier.ts';
import type { Addresses, SimulatorOptions } from './options.ts';
import { OPENID_PATH, serveOpenId } from './openid.ts';
import { participantChange, type Participant, type ParticipantChange } from './participant.ts';
import { check, Problem } from './problem.ts';
import { bindServer, type BoundServer } from './server.ts';
import { callEnd, tale, type CallEnd, type FakeNotification } from './fake-notification.ts';
import { World } from './world.ts';

/**
 * Microsoft Graph's cloud communications on this machine: the API, Entra's token endpoint, the notifications and the
 * keys that sign them, over real HTTP. A method that changes a call changes it at once; its promise resolves when the
 * notification of the change was answered, given up, dropped or delayed, and does not reject because of that.
 *
 * @throws {Problem} each method that names a call, if there is none, and each that takes an input, if it is invalid
 *
 * @example
 * const graph = await GraphSimulator.start();
 * const { id } = graph.createCall({ callbackUri: 'http://127.0.0.1:3978/api/calls' });
 * await graph.addParticipants(id, 2);
 * await graph.endCall(id);
 * await graph.close();
 */
export class GraphSimulator {
  /** Where the simulator is, and as which application it knows its caller. */
  readonly addresses: Addresses;
  /** How often its token, OpenID and key endpoints were asked. */
  readonly counts: Counts;
  /** Requests about no call: creations, and calls that do not exist. */
  readonly serviceLog: CallLog;
  readonly #server: BoundServer;
  readonly #lifetime: Lifetime;
  readonly #delivery: Delivery;
  readonly #keys: NotificationKeys;
  readonly #tokens: AccessTokens;
  readonly #apiTokens: ApiTokens;
  readonly #world: World;
  #serviceFaults = new FaultScript();
  #closed: Promise<void> | undefined;

  private constructor(
    options: SimulatorOptions,
    server: BoundServer,
    keys: NotificationKeys,
    apiTokens: ApiTokens,
    app: App,
  ) {
    this.#apiTokens = apiTokens;
    const { url } = server;
    const { onEvent = () => undefined } = options;
    this.addresses = { url, authorityUrl: url, openIdUrl: url + OPENID_PATH, appId: app.appId, tenantId: app.tenantId };
    this.counts = { token: 0, openid: 0, jwks: 0 };
    this.#server = server;
    this.#keys = keys;
    this.#lifetime = new Lifetime();
    this.#delivery = new Delivery(this.#lifetime, keys, { ...DEFAULT_REDELIVERY, ...options.redelivery });
    this.#world = new World(app, new Notifier(this.#delivery, this.#lifetime), this.#lifetime, onEvent);
    this.serviceLog = new CallLog(this.#lifetime, (entry) => {
      onEvent('', entry);
    });
    this.#tokens = new AccessTokens({
      url,
      ...app,
      ...(options.fixedToken !== undefined && { fixedToken: options.fixedToken }),
      ...(options.roles && { roles: options.roles }),
    });
  }

  /**
   * Starts a simulator.
   *
   * @example
   * const graph = await GraphSimulator.start({ port: 9000, fixedToken: 'development' });
   */
  static async start(options: SimulatorOptions = {}): Promise<GraphSimulator> {
    const { appId = '2891555a-92ff-42e6-80fa-6e1300c6b5c6', tenantId = 'aa67bd4c-8475-432d-bd41-39f255720e0a' } =
      options;
    const { host = '127.0.0.1', port = 0, tls, clientSecret = 'simulated-secret' } = options;
    const keys = await NotificationKeys.create(options.notificationIssuer ?? 'https://api.botframework.com', appId);
    const server = await bindServer({ host, port, ...(tls && { tls }) });
    const apiTokens = new ApiTokens({ url: server.url, appId, tenantId });
    const graph = new GraphSimulator(options, server, keys, apiTokens, { appId, tenantId });
    await graph.#serve(clientSecret);
    return graph;
  }

  /** Graph's root, without the version. */
  get url(): string {
    return this.addresses.url;
  }

  /** The OpenID document of the keys that sign notifications. */
  get openIdUrl(): string {
    return this.addresses.openIdUrl;
  }

  /** Entra's root, without the tenant. */
  get authorityUrl(): string {
    return this.addresses.authorityUrl;
  }

  /** A token as the token endpoint would give it. */
  async issueToken(request: TokenRequest = {}): Promise<string> {
    return this.#tokens.issue(request);
  }

  /** A token of Entra's for an API other than Graph. */
  async issueApiToken(request: ApiTokenRequest): Promise<string> {
    return await this.#apiTokens.issue(request);
  }

  /** A notification's token; `overrides` make it invalid. */
  async signNotification({ tenantId, ...overrides }: TokenOverrides & { tenantId?: string } = {}): Promise<string> {
    return this.#keys.token(tenantId ?? this.addresses.tenantId, overrides);
  }

  /** Signs notifications with a new key from now on, and returns its `kid`. Without `keepOld` the old one is no longer listed. */
  async rotateKeys(options: { keepOld?: boolean } = {}): Promise<string> {
    return this.#keys.rotate(options);
  }

  /** Creates a call, `established` by default. It sends no notification. */
  createCall(given: NewCall): { id: string; myParticipantId: string } {
    const call = this.#world.create(check(newCall, given, 'call'));
    return { id: call.id, myParticipantId: call.self.id };
  }

  /** All calls, also those that have ended. */
  calls(): CallTruth[] {
    return this.#world.calls.map(describe);
  }

  /** The call as it is, whatever faults and forms make Graph return. */
  describe(callId: string): CallTruth {
    return describe(this.#world.get(callId));
  }

  /** The requests, notifications and changes of a call, in order. */
  log(callId: string): readonly LogEntry[] {
    return this.#world.get(callId).log.entries;
  }

  /**
   * Waits for the first entry of a call's log, past or to come, that the predicate accepts. See `CallLog.waitFor`.
   *
   * @example
   * await graph.waitFor(callId, (entry) => entry.type === 'request' && entry.action === 'mute');
   */
  async waitFor<T extends LogEntry>(
    callId: string,
    predicate: ((entry: LogEntry) => entry is T) | ((entry: LogEntry) => boolean),
    timeoutMs?: number,
  ): Promise<T> {
    return this.#world.get(callId).log.waitFor(predicate, timeoutMs);
  }

  /** Replaces the call's faults. */
  setFaults(callId: string, given: Faults): void {
    this.#world.setFaults(this.#world.get(callId), given);
  }

  /** Removes the call's faults, and sends the notifications that a `hold` kept back. */
  async clearFaults(callId: string): Promise<void> {
    await this.#world.clearFaults(this.#world.get(callId));
  }

  /** Faults of requests that no call's own faults match, and of the token, OpenID and key endpoints. */
  setServiceFaults(given: Pick<Faults, 'requests'>): void {
    const { requests } = check(serviceFaults, given, 'faults');
    this.#serviceFaults = new FaultScript({ requests, notifications: [], unmutes: [], hideSelf: false });
  }

  /** Changes how Graph spells what it returns about the call. */
  setForm(callId: string, given: FormChange): void {
    this.#world.setForm(this.#world.get(callId), given);
  }

  /** Sets the call's state, and sends the notification of it. */
  async setCallState(callId: string, state: CallState): Promise<void> {
    await this.#world.setState(this.#world.get(callId), state).send();
  }

  /** Ends the call, and sends the notification of it: from now on Graph answers 404. */
  async endCall(callId: string, reason: CallEnd = {}): Promise<void> {
    await this.#world.end(this.#world.get(callId), check(callEnd, reason, 'reason')).send();
  }

  /** Adds people to the call, or to its lobby, from which `setParticipant` with `isInLobby: false` admits them. */
  async addParticipants(callId: string, count: number, { isInLobby = false } = {}): Promise<void> {
    await this.#world.add(this.#world.get(callId), count, isInLobby).send();
  }

  /** Changes a participant, as an organizer or the person would. */
  async setParticipant(callId: string, participantId: string, given: ParticipantChange): Promise<void> {
    const change = check(participantChange, given, 'participant');
    await this.#world.change(this.#world.get(callId), this.#member(callId, participantId), change).send();
  }

  /** Removes a participant. `reason` is part of the notification. */
  async removeParticipant(callId: string, participantId: string, reason?: string): Promise<void> {
    await this.#world.remove(this.#world.get(callId), this.#member(callId, participantId), reason).send();
  }

  /** A participant as they are, also if a fault hides them. */
  participant(callId: string, participantId: string): ParticipantTruth {
    return truthOf(this.#member(callId, participantId));
  }

  /** Sends a notification although nothing happened: the roster or the call as it is, or any other body. */
  async notify(callId: string, given: FakeNotification = {}): Promise<void> {
    const { kind, body, token } = check(tale, given, 'notification');
    const call = this.#world.get(callId);
    const notification: Notification | undefined =
      kind === 'other'
        ? { body, about: { kind } }
        : kind === 'call'
          ? callNotification(call)
          : this.#world.wholeRoster(call);
    if (notification) await this.#world.tell(call, notification, token).send();
  }

  /** Resolves once no delivery, late effect or answer is under way. */
  async settled(): Promise<void> {
    await this.#lifetime.settled();
  }

  /** Ends everything at once: deliveries, pauses, hanging requests and open connections. */
  async close(): Promise<void> {
    this.#closed ??= this.#shut();
    await this.#closed;
  }

  async #shut(): Promise<void> {
    await Promise.all([this.#lifetime.end(), this.#server.close()]);
    await this.#delivery.close();
  }

  #member(callId: string, participantId: string): Participant {
    const found = this.#world
      .get(callId)
      .all()
      .find(({ id }) => id === plainId(participantId));
    if (found === undefined) throw new Problem(404, 'ResourceNotFound', 'Participant not found.');
    return found;
  }

  async #serve(clientSecret: string): Promise<void> {
    const { app, url } = this.#server;
    const faults = (): FaultScript => this.#serviceFaults;
    const gate = newGate(this.counts, faults, this.#lifetime);
    const exchange = new Exchange({
      world: this.#world,
      tokens: this.#tokens,
      lifetime: this.#lifetime,
      serviceLog: this.serviceLog,
      serviceFaults: faults,
    });
    const graphApi = { world: this.#world, exchange, url };
    for (const [prefix, version] of [
      ['/v1.0/communications', 'v1.0'],
      ['/beta/communications', 'beta'],
      // Deprecated, but still on the beta reference pages.
      ['/beta/app', 'beta'],
    ] as const) {
      await app.register(
        async (scope) => {
          serveGraph(scope, graphApi, version);
        },
        { prefix },
      );
    }
    const { appId } = this.addresses;
    await app.register(async (scope) => {
      serveEntra(scope, { url, appId, clientSecret, tokens: this.#tokens, gate, apiTokens: this.#apiTokens });
    });
    await app.register(async (scope) => {
      serveOpenId(scope, url, this.#keys, gate);
    });
    await app.register(
      async (scope) => {
        serveControl(scope, this);
      },
      { prefix: '/simulator' },
    );
    await this.#server.open();
  }
}
