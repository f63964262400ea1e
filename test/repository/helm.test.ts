import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadGatewayConfig } from '../../src/config/gateway.ts';
import { loadWebhookConfig } from '../../src/config/webhook.ts';
import { loadWorkerConfig } from '../../src/config/worker.ts';
import {
  CHART,
  componentOf,
  findHelm,
  helmOn,
  podsOf,
  refusal,
  template,
  type PodTemplate,
  type Rendered,
} from '../support/helm.ts';
import { KubernetesSchemas } from '../support/kubernetes-schemas.ts';

/**
 * The chart, without a cluster: Helm's own checks, what it renders against the published schemas, and what it sets against what
 * the processes read.
 */

const FILE = 'test/repository/helm.test.ts';
const helm = findHelm(FILE) ?? '';
const schemas = helm === '' ? undefined : await KubernetesSchemas.find(FILE);

/** The oldest that the chart allows, and the three newest. */
const KUBERNETES = ['1.30', '1.35', '1.36', '1.37'];

const read = (name: string): string => readFileSync(join(CHART, name), 'utf8');
const root = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

const example = (name: string): string => join(CHART, 'examples', `${name}.yaml`);
const examples = readdirSync(join(CHART, 'examples')).map((name) => basename(name, '.yaml'));

/** Values that go together in any way: each example has some of them. */
const EVERYWHERE = [
  'monitoring.serviceMonitor.enabled=true',
  'monitoring.prometheusRule.enabled=true',
  'monitoring.dashboard.enabled=true',
  'tracesEndpoint=https://collector.example.com',
  'graph.url=https://graph.example.com:8443',
  'worker.callStacks=true',
  'worker.nexusEndpoint=call-moderation',
  'worker.podAnnotations.note=kept',
  'webhook.nodeSelector.pool=moderation',
  'gateway.enabled=true',
  'gateway.audience=2f0c9e5b-7d64-4a0e-9a3f-1b6f5c8d7e20',
];
const CREDENTIALS: Record<string, string[]> = {
  workloadIdentity: [],
  managedIdentity: ['azure.managedIdentityClientId=8d7d2a5e-7a44-4f0e-9a35-0c9a2d8a5f21'],
  clientCertificate: ['azure.clientCertificate.name=application'],
  clientSecret: ['azure.clientSecret.name=application'],
};
const TEMPORALS: Record<string, string[]> = {
  plain: [],
  'API key': ['temporal.apiKeySecret.name=temporal'],
  'client certificate': ['temporal.tls.clientSecret=temporal', 'temporal.tls.caSecret.name=temporal'],
};
const ENTRANCES = ['webhook', 'gateway'].reduce<string[][]>(
  (entrances, name) => [
    [...(entrances[0] ?? []), `${name}.ingress.enabled=true`, `${name}.ingress.host=${name}.example.com`],
    [
      ...(entrances[1] ?? []),
      `${name}.httpRoute.enabled=true`,
      `${name}.httpRoute.parentRefs=[{"name":"public"}]`,
      `${name}.httpRoute.hostnames=["${name}.example.com"]`,
    ],
  ],
  [],
);

const combinations = ['none', 'cpu', 'backlog'].flatMap((scaling) =>
  [false, true].flatMap((isControlled) =>
    Object.entries(TEMPORALS).map(([temporal, ofTemporal], index) => {
      const [credential, ofCredential] = Object.entries(CREDENTIALS)[(index + Number(isControlled)) % 4] ?? ['', []];
      return {
        name: `${scaling}, ${isControlled ? 'builds' : 'a Deployment'}, Temporal with ${temporal}, ${credential}`,
        values: [
          example('minimal'),
          ...EVERYWHERE,
          `worker.autoscaling.type=${scaling}`,
          `worker.controller.enabled=${isControlled}`,
          ...ofTemporal,
          `azure.credential=${credential}`,
          'azure.tenantId=0d4f6d1e-3c55-4f3b-9d2b-0b8f5a4f7a10',
          ...ofCredential,
          ...(ENTRANCES[index % 2] ?? []),
        ],
      };
    }),
  ),
);

const cases = [...examples.map((name) => ({ name, values: [example(name)] })), ...combinations];

/** What each of the cases renders. */
const rendered = new Map<string, Rendered[]>();
const of = (name: string): Rendered[] => rendered.get(name) ?? [];
const everything = (): { object: Rendered; pods: PodTemplate | undefined }[] =>
  [...rendered.values()].flat().map((object) => ({ object, pods: podsOf(object) }));

function one(objects: readonly Rendered[], kind: string, component?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && (component === undefined || componentOf(object) === component),
  );
  expect(found, `${kind} ${component ?? ''}`).toHaveLength(1);
  return found[0] as Rendered;
}

const podsIn = (name: string, kind: string, component: string): PodTemplate =>
  podsOf(one(of(name), kind, component)) as PodTemplate;

/** A container's variables; `secret` stands for each that a Secret has, and files are left out, because they are not here. */
function environmentOf(pods: PodTemplate, secret: (name: string) => string): Record<string, string> {
  const entries = pods.spec.containers[0].env.map(({ name, value, valueFrom }) => [
    name,
    value ?? (valueFrom?.secretKeyRef === undefined ? '' : secret(name)),
  ]);
  return Object.fromEntries(entries.filter(([name = '']) => !name.endsWith('_PATH')));
}

const SECRET_VALUES: Record<string, string> = {
  MODERATION_PAYLOAD_KEYS: `2026-11:${Buffer.alloc(32, 7).toString('base64')}`,
  MODERATION_EVENTS_SECRETS: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
};
const planted = (name: string): string => SECRET_VALUES[name] ?? `planted-${name.toLowerCase()}`;

describe.skipIf(schemas === undefined)('the chart', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'call-moderation-helm-'));
    for (const { name, values } of cases) rendered.set(name, await template(helm, values));
  });
  afterAll(async () => await rm(folder, { recursive: true }));

  test('passes `helm lint --strict`, and is packaged with its files', async () => {
    await helmOn(helm, 'lint', ['--strict', CHART, '--values', example('minimal')]);
    await helmOn(helm, 'package', [CHART, '--destination', folder]);
    const { version } = JSON.parse(root('package.json')) as { version: string };
    const names = execFileSync('tar', ['-tzf', join(folder, `call-moderation-${version}.tgz`)], { encoding: 'utf8' });
    for (const name of ['files/alerts.yml', 'files/dashboard.json', 'values.schema.json', 'README.md']) {
      expect(names).toContain(`call-moderation/${name}\n`);
    }
    expect(names).not.toContain('examples');
  });

  test('has the version of the package, and names every example in its page', () => {
    const { version } = JSON.parse(root('package.json')) as { version: string };
    expect(parse(read('Chart.yaml'))).toMatchObject({ version, appVersion: version });
    const named = [...read('README.md').matchAll(/\]\(examples\/([\w-]+)\.yaml\)/g)].map(([, name = '']) => name);
    expect(named.toSorted()).toEqual(examples.toSorted());
  });

  test.each(cases)('renders what every Kubernetes takes: $name', async ({ name }) => {
    const objects = of(name);
    expect(objects.length).toBeGreaterThan(6);
    const faults: string[] = [];
    for (const version of KUBERNETES) {
      for (const object of objects) {
        faults.push(...((await schemas?.faultsOf(object.raw, version)) ?? []).map((fault) => `${version}: ${fault}`));
        // What the Worker Controller makes of its resources.
        for (const made of madeBy(object)) faults.push(...((await schemas?.faultsOf(made, version)) ?? []));
      }
    }
    expect(faults).toEqual([]);
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    // A server drops what is null, and with it what the Worker Controller looks for.
    for (const { raw } of objects) expect(JSON.stringify(raw)).not.toContain(':null');
    for (const { metadata } of objects) expect(metadata.namespace).toBe('prod');
  });

  test('is checked by schemas that refuse what they do not know', async () => {
    const objects = [...of('monitoring'), ...of('worker-controller'), ...of('backlog'), ...of('temporal-cloud')];
    const kinds = new Map(objects.map((object) => [object.kind, object]));
    for (const [kind, object] of kinds) {
      if (kind === 'ConfigMap' || kind === 'ServiceAccount') continue;
      const misspelt = { ...object.raw, spec: { ...object.spec, replica: 2 } };
      expect(await schemas?.faultsOf(misspelt, '1.37'), kind).not.toEqual([]);
    }
    const custom = objects.filter((object) => schemas?.isCustom(object)).map(({ kind }) => kind);
    expect([...new Set(custom)].toSorted()).toEqual([
      'Connection',
      'HTTPRoute',
      'PrometheusRule',
      'ScaledObject',
      'ServiceMonitor',
      'TriggerAuthentication',
      'WorkerDeployment',
      'WorkerResourceTemplate',
    ]);
  });

  test('is refused by a Kubernetes that cannot let a pod sleep before it ends', async () => {
    await expect(template(helm, [example('minimal')], '--kube-version', '1.29.9')).rejects.toThrow('1.30');
    await expect(template(helm, [example('minimal')], '--kube-version', '1.30.0')).resolves.toBeDefined();
  });

  test('runs nothing as root, with a capability, or on a disk that can be written', () => {
    const found = everything().filter(({ pods }) => pods !== undefined);
    expect(found.length).toBeGreaterThan(100);
    for (const { object, pods } of found) {
      const { spec } = pods as PodTemplate;
      const name = `${object.kind} ${componentOf(object)}`;
      expect(spec.securityContext, name).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.containers[0].securityContext, name).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect([spec.automountServiceAccountToken, spec.enableServiceLinks], name).toEqual([false, false]);
      expect(spec.volumes.map((volume) => volume.name).toSorted()).toEqual(
        spec.containers[0].volumeMounts.map((mount) => mount.name).toSorted(),
      );
    }
    expect(podsIn('minimal', 'Deployment', 'worker').spec.securityContext).toMatchObject({
      runAsUser: 1000,
      fsGroup: 1000,
    });
    expect(podsIn('openshift', 'Deployment', 'worker').spec.securityContext).not.toHaveProperty('runAsUser');
  });

  test("runs the image's commands", () => {
    expect(root('Dockerfile')).toContain('ENTRYPOINT ["node", "dist/cli/bin.js"]');
    const args = (kind: string, component: string): string[] =>
      podsIn('minimal', kind, component).spec.containers[0].args;
    expect(args('Deployment', 'worker')).toEqual(['worker']);
    expect(args('Deployment', 'webhook')).toEqual(['webhook']);
    expect(args('Job', 'setup')).toEqual(['setup']);
    expect(podsIn('gateway', 'Deployment', 'gateway').spec.containers[0].args).toEqual(['gateway']);
    expect(args('Pod', 'doctor')).toEqual(['doctor', '--webhook-url=http://cm-call-moderation-webhook:80/api/calls']);
    const image = (name: string): string => podsIn(name, 'Deployment', 'worker').spec.containers[0].image;
    expect(image('minimal')).toMatch(/^registry\.example\.com\/call-moderation:\d/);
    expect(image('client-secret')).toMatch(/@sha256:[0-9a-f]{64}$/);
  });

  test('has no secret in it, and gives each process no more than it needs', () => {
    for (const { object, pods } of everything()) {
      expect(object.kind).not.toBe('Secret');
      const { env = [] } = pods?.spec.containers[0] ?? {};
      for (const { name, value } of env) if (isSecret(name)) expect(value, name).toBeUndefined();
      const names = env.map(({ name }) => name);
      expect(new Set(names).size, names.join()).toBe(names.length);
      if (['webhook', 'setup'].includes(componentOf(object))) {
        expect(names.filter((name) => name.startsWith('AZURE_'))).toEqual([]);
      }
      // Where the callers' tokens come from, and no credential.
      if (componentOf(object) === 'gateway') {
        const ofEntra = names.filter((name) => name.startsWith('AZURE_'));
        expect(['AZURE_TENANT_ID', 'AZURE_AUTHORITY_HOST']).toEqual(expect.arrayContaining(ofEntra));
      }
      if (!['worker', 'doctor'].includes(componentOf(object))) {
        expect(pods?.metadata.labels ?? {}).not.toHaveProperty(['azure.workload.identity/use']);
      }
    }
    const account = one(of('minimal'), 'ServiceAccount', 'worker').metadata.annotations;
    expect(account).toEqual({ 'azure.workload.identity/client-id': '5b5b8a3f-1f83-4d3c-8b1d-6a1b2f5e7c11' });
    expect(one(of('minimal'), 'ServiceAccount', 'webhook').metadata.annotations).toEqual({});
    const { labels } = podsIn('minimal', 'Deployment', 'worker').metadata;
    expect(labels['azure.workload.identity/use']).toBe('true');
  });

  test('sets only variables that docs/configuration.md knows', () => {
    const page = root('docs/configuration.md');
    const names = new Set(
      everything().flatMap(({ pods }) => (pods?.spec.containers[0].env ?? []).map(({ name }) => name)),
    );
    expect(names.size).toBeGreaterThan(25);
    // Node's own, and one that the page names by its beginning.
    const others = new Set(['NODE_OPTIONS', 'OTEL_EXPORTER_OTLP_HEADERS']);
    const unknown = [...names].filter(
      (name) => !page.includes(`\`${name}\``) && !name.startsWith('TEMPORAL_TLS') && !others.has(name),
    );
    expect(unknown).toEqual([]);
    // And the other way round: what has no value of its own is for development, or goes into extraEnv.
    const ours = [...page.matchAll(/^\| `((?:MODERATION|LOG)_\w+)`/gm)].map(([, name = '']) => name);
    expect(ours.filter((name) => !names.has(name) && !/TEMPORAL_(CLI|TEST)/.test(name)).toSorted()).toEqual([
      'MODERATION_BUILD_ID',
      'MODERATION_DEPLOYMENT_NAME',
      'MODERATION_GRAPH_TOKEN',
      'MODERATION_MAX_ACTIVITIES',
    ]);
  });

  test.each(cases)('gives the processes a configuration that they take: $name', ({ name }) => {
    const objects = of(name);
    const isControlled = objects.some(({ kind }) => kind === 'WorkerDeployment');
    const worker = podsOf(one(objects, isControlled ? 'WorkerDeployment' : 'Deployment', 'worker')) as PodTemplate;
    const config = loadWorkerConfig({ ...environmentOf(worker, planted), ...addedByController(objects) });
    expect(config.health).toEqual({ host: '0.0.0.0', port: 9_465 });
    expect(config.taskQueue).toBe('call-moderation');
    expect(config.version).toEqual(
      isControlled ? { deploymentName: 'prod/cm-call-moderation-worker', buildId: 'main-5d7f' } : undefined,
    );
    if (objects.some((object) => componentOf(object) === 'gateway')) {
      const gateway = loadGatewayConfig(environmentOf(podsIn(name, 'Deployment', 'gateway'), planted));
      expect(gateway).toMatchObject({
        listen: { host: '0.0.0.0', port: 3_980 },
        health: { host: '0.0.0.0', port: 9_465 },
        authentication: {
          audience: '2f0c9e5b-7d64-4a0e-9a3f-1b6f5c8d7e20',
          role: 'CallModeration.Mute',
          tenants: ['0d4f6d1e-3c55-4f3b-9d2b-0b8f5a4f7a10'],
        },
        homeTenant: '0d4f6d1e-3c55-4f3b-9d2b-0b8f5a4f7a10',
        requestsPerSecond: 50,
      });
      expect(gateway.publicUrl).toMatch(/^https:\/\/(gateway|moderation)\.example\.com$/);
      expect(gateway.temporal).toEqual(
        loadWebhookConfig(environmentOf(podsIn(name, 'Deployment', 'webhook'), planted)).temporal,
      );
    }
    if (name === 'workers-only') return;
    const webhook = podsOf(one(objects, 'Deployment', 'webhook')) as PodTemplate;
    const { listen, health, path, temporal } = loadWebhookConfig(environmentOf(webhook, planted));
    expect({ listen, health, path }).toEqual({
      listen: { host: '0.0.0.0', port: 3_978 },
      health: { host: '0.0.0.0', port: 9_465 },
      path: '/api/calls',
    });
    expect(temporal.connectionOptions.address).toBe(config.temporal.connectionOptions.address);
    expect(temporal.namespace).toBe(config.temporal.namespace);
  });

  test('lets variables of its own be replaced, each once', async () => {
    const values = [
      example('minimal'),
      'extraEnv=[{"name":"LOG_LEVEL","value":"debug"},{"name":"MODERATION_CALL_STACKS","value":"false"}]',
      'worker.extraEnv=[{"name":"LOG_LEVEL","value":"trace"}]',
    ];
    const objects = await template(helm, values);
    const level = (kind: string, component: string): unknown[] =>
      (podsOf(one(objects, kind, component)) as PodTemplate).spec.containers[0].env
        .filter(({ name }) => name === 'LOG_LEVEL')
        .map(({ value }) => value);
    expect(level('Deployment', 'worker')).toEqual(['trace']);
    expect(level('Deployment', 'webhook')).toEqual(['debug']);
  });

  test("probes the processes' own health, and lets them end as docs/deploy.md says", () => {
    const worker = podsIn('minimal', 'Deployment', 'worker');
    const webhook = podsIn('minimal', 'Deployment', 'webhook');
    const gateway = podsIn('gateway', 'Deployment', 'gateway');
    for (const { spec } of [worker, webhook, gateway]) {
      const [{ livenessProbe, readinessProbe, ports }] = spec.containers;
      expect(livenessProbe?.httpGet).toEqual({ path: '/livez', port: 'health' });
      expect(readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'health' });
      expect(ports.find(({ name }) => name === 'health')?.containerPort).toBe(9_465);
    }
    expect(worker.spec.terminationGracePeriodSeconds).toBe(30);
    for (const { spec } of [webhook, gateway]) {
      const sleep = spec.containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
      expect(sleep).toBe(10);
      expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(sleep + 12);
    }
    // The bot is served while Temporal is away.
    const inFront = podsIn('in-front-of-the-bot', 'Deployment', 'webhook').spec.containers[0];
    expect(inFront.readinessProbe?.httpGet.path).toBe('/readyz?exclude=temporal');
  });

  test('has a gateway only if it is asked for, with the root that its callers use', async () => {
    expect(of('minimal').filter((object) => componentOf(object) === 'gateway')).toEqual([]);
    const kinds = of('gateway')
      .filter((object) => componentOf(object) === 'gateway')
      .map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual([
      'Deployment',
      'HorizontalPodAutoscaler',
      'Ingress',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
      'Service',
      'ServiceAccount',
      'ServiceMonitor',
    ]);
    const urlWith = async (...values: string[]): Promise<string | undefined> => {
      const objects = await template(helm, [example('gateway'), ...values]);
      const { env } = (podsOf(one(objects, 'Deployment', 'gateway')) as PodTemplate).spec.containers[0];
      return env.find(({ name }) => name === 'MODERATION_GATEWAY_URL')?.value;
    };
    expect(await urlWith()).toBe('https://moderation.example.com');
    expect(await urlWith('gateway.url=https://example.com/moderation')).toBe('https://example.com/moderation');
    // The request's own `Host` then.
    expect(await urlWith('gateway.ingress.enabled=false')).toBeUndefined();
  });

  test('runs a gateway alone', async () => {
    const values = [example('gateway'), 'worker.enabled=false', 'webhook.enabled=false', 'setup.enabled=false'];
    const components = (await template(helm, values)).map((object) => componentOf(object));
    expect([...new Set(components)]).toEqual(['gateway']);
  });

  test('gives Node four fifths of the memory', async () => {
    const heapWith = async (...values: string[]): Promise<string | undefined> => {
      const objects = await template(helm, [example('minimal'), ...values]);
      const { env } = (podsOf(one(objects, 'Deployment', 'worker')) as PodTemplate).spec.containers[0];
      return env.find(({ name }) => name === 'NODE_OPTIONS')?.value;
    };
    expect(await heapWith()).toBe('--max-old-space-size=819');
    expect(await heapWith('worker.resources.limits.memory=4Gi')).toBe('--max-old-space-size=3276');
    expect(await heapWith('worker.resources.limits.memory=1500M')).toBeUndefined();
    expect(await heapWith('worker.resources={"limits":null}')).toBeUndefined();
  });

  test('monitors with the files of the repository', async () => {
    const objects = of('monitoring');
    expect(one(objects, 'PrometheusRule').spec).toEqual(parse(read('files/alerts.yml')));
    const { data } = one(objects, 'ConfigMap').raw as { data: Record<string, string> };
    expect(JSON.parse(data['call-moderation.json'] ?? '')).toEqual(JSON.parse(read('files/dashboard.json')));
    // The same files are what Compose mounts, and test/operators/metrics.test.ts plays.
    const compose = root('docker-compose.yml');
    for (const name of ['alerts.yml', 'dashboard.json']) {
      expect(compose).toContain(`./deploy/helm/call-moderation/files/${name}:`);
    }
    // The jobs' names come from a label of the Services.
    for (const job of ['worker', 'webhook', 'gateway']) {
      expect(read('files/alerts.yml')).toContain(`up{job="${job}"}`);
      const monitored = job === 'gateway' ? of('gateway') : objects;
      const { jobLabel, selector, endpoints } = one(monitored, 'ServiceMonitor', job).spec;
      const service = monitored.find(({ metadata }) => metadata.name === `cm-call-moderation-${job}-health`);
      expect(service?.metadata.labels[String(jobLabel)]).toBe(job);
      expect(service?.metadata.labels).toMatchObject((selector as { matchLabels: object }).matchLabels);
      expect(endpoints).toEqual([{ port: 'health', path: '/metrics', interval: '30s' }]);
      expect(service?.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    }
  });

  test('selects the pods that it makes', () => {
    for (const objects of rendered.values()) {
      const labels = new Map(
        objects.flatMap((object) => {
          const pods = podsOf(object);
          return pods === undefined ? [] : [[componentOf(object), pods.metadata.labels]];
        }),
      );
      for (const object of objects) {
        if (!['Service', 'PodDisruptionBudget', 'Deployment', 'NetworkPolicy'].includes(object.kind)) continue;
        const { selector, podSelector } = object.spec as {
          selector?: { matchLabels?: object };
          podSelector?: { matchLabels: object };
        };
        const wanted = podSelector?.matchLabels ?? selector?.matchLabels ?? selector;
        expect(labels.get(componentOf(object)), object.metadata.name).toMatchObject(wanted ?? { none: true });
      }
    }
  });

  describe('allows', () => {
    interface Rule {
      ports: { port: number; protocol: string }[];
      from?: unknown[];
      to?: unknown[];
    }
    /** `PORT` of each rule, with `*` if every peer is allowed. */
    const portsOf = (objects: readonly Rendered[], component: string, direction: 'ingress' | 'egress'): string[] => {
      const rules = one(objects, 'NetworkPolicy', component).spec[direction] as Rule[];
      return rules.flatMap(({ ports, from, to }) =>
        ports.map(({ port, protocol }) => `${protocol} ${port}${(from ?? to) === undefined ? ' *' : ''}`),
      );
    };
    const DNS = ['UDP 53 *', 'TCP 53 *'];

    test('the traffic that docs/deploy.md lists, and no other', () => {
      const objects = [...of('minimal'), ...of('gateway').filter((object) => componentOf(object) === 'gateway')];
      const both = (component: string): string[][] => [
        portsOf(objects, component, 'ingress'),
        portsOf(objects, component, 'egress'),
      ];
      expect(both('worker')).toEqual([['TCP 9465 *'], [...DNS, 'TCP 7233 *', 'TCP 443 *']]);
      expect(both('webhook')).toEqual([
        ['TCP 9465 *', 'TCP 3978 *'],
        [...DNS, 'TCP 7233 *', 'TCP 443 *'],
      ]);
      expect(both('gateway')).toEqual([
        ['TCP 9465 *', 'TCP 3980'],
        [...DNS, 'TCP 7233 *', 'TCP 443 *'],
      ]);
      expect(both('setup')).toEqual([[], [...DNS, 'TCP 7233 *']]);
      expect(both('doctor')).toEqual([[], [...DNS, 'TCP 7233 *', 'TCP 443 *', 'TCP 3978']]);
      for (const { kind, spec } of objects) {
        if (kind === 'NetworkPolicy') expect(spec['policyTypes']).toEqual(['Ingress', 'Egress']);
      }
    });

    test('what else an address needs', () => {
      expect(portsOf(of('in-front-of-the-bot'), 'webhook', 'egress')).toEqual([
        ...DNS,
        'TCP 7233 *',
        'TCP 443 *',
        'TCP 8080 *',
        'TCP 4318 *',
      ]);
      expect(portsOf(of('managed-identity'), 'worker', 'egress')).toEqual([
        ...DNS,
        'TCP 7233 *',
        'TCP 80',
        'TCP 3128 *',
      ]);
      expect(portsOf(of('managed-identity'), 'webhook', 'egress')).toEqual([...DNS, 'TCP 7233 *', 'TCP 3128 *']);
    });

    test('only peers that are listed, if they are', () => {
      const objects = of('locked-down');
      expect(portsOf(objects, 'webhook', 'ingress')).toEqual(['TCP 9465', 'TCP 3978']);
      expect(portsOf(objects, 'webhook', 'egress')).toEqual(['UDP 53', 'TCP 53', 'TCP 7233', 'TCP 443', 'TCP 3128']);
      // Graph is behind the proxy.
      expect(portsOf(objects, 'worker', 'egress')).toEqual(['UDP 53', 'TCP 53', 'TCP 7233', 'TCP 3128']);
    });

    test('everything, if there are to be no policies', async () => {
      const objects = await template(helm, [example('minimal'), 'networkPolicy.enabled=false']);
      expect(objects.filter(({ kind }) => kind === 'NetworkPolicy')).toEqual([]);
    });
  });

  describe("with Temporal's Worker Controller", () => {
    test('leaves to it what it owns', () => {
      const deployment = one(of('worker-controller'), 'WorkerDeployment');
      expect(deployment.spec).not.toHaveProperty('replicas');
      expect(one(of('worker-controller-connection'), 'WorkerDeployment').spec).toMatchObject({
        replicas: 4,
        workerOptions: { connectionRef: { name: 'production' }, temporalNamespace: 'default' },
        rollout: { strategy: 'Manual' },
      });
      expect(of('worker-controller-connection').filter(({ kind }) => kind === 'Connection')).toEqual([]);
      const names = podsIn('worker-controller', 'WorkerDeployment', 'worker').spec.containers[0].env.map(
        ({ name }) => name,
      );
      for (const name of ['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'MODERATION_BUILD_ID']) {
        expect(names).not.toContain(name);
      }
      // Each change of the template is a new build, so nothing in it changes with a release that changes nothing.
      const { labels } = podsOf(deployment)?.metadata ?? {};
      expect(Object.keys(labels ?? {})).not.toContain('helm.sh/chart');
    });

    test('scales each build by itself', () => {
      const templateOf = (name: string): unknown => one(of(name), 'WorkerResourceTemplate').spec['template'];
      expect(templateOf('worker-controller')).toMatchObject({
        kind: 'HorizontalPodAutoscaler',
        spec: { scaleTargetRef: {}, minReplicas: 2 },
      });
      expect(templateOf('worker-controller')).not.toHaveProperty('metadata');
      expect(templateOf('worker-controller-backlog')).toMatchObject({
        kind: 'ScaledObject',
        spec: {
          scaleTargetRef: {},
          triggers: [{ metadata: { namespace: '', workerDeploymentName: '', workerDeploymentBuildId: '' } }],
        },
      });
      expect(of('worker-controller').filter(({ kind }) => kind === 'HorizontalPodAutoscaler')).toEqual([]);
    });
  });

  test('scales a Deployment, which then has no number of its own', () => {
    for (const name of ['cpu', 'backlog']) {
      expect(one(of(name), 'Deployment', 'worker').spec).not.toHaveProperty('replicas');
    }
    const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'cm-call-moderation-worker' };
    expect(one(of('cpu'), 'HorizontalPodAutoscaler', 'worker').spec).toMatchObject({ scaleTargetRef: target });
    const { triggers, ...scaled } = one(of('backlog'), 'ScaledObject').spec;
    expect(scaled).toMatchObject({ scaleTargetRef: target });
    expect(triggers).toEqual([
      {
        type: 'temporal',
        metadata: {
          endpoint: 'temporal.example.com:7233',
          namespace: 'default',
          taskQueue: 'call-moderation',
          queueTypes: 'workflow,activity',
          targetQueueSize: '50',
          tlsServerName: 'temporal.internal',
        },
        authenticationRef: { name: 'cm-call-moderation-worker' },
      },
    ]);
  });

  test('sets a namespace up before its workers start, unless it may not', () => {
    expect(one(of('minimal'), 'Job', 'setup').metadata.annotations['helm.sh/hook']).toBe('pre-install,pre-upgrade');
    // Hooks run before the release's own service accounts are there.
    expect(podsIn('minimal', 'Job', 'setup').spec.serviceAccountName).toBe('default');
    expect(of('temporal-cloud').filter(({ kind }) => kind === 'Job')).toEqual([]);
  });

  test('shows only the notifications to the outside', () => {
    expect(one(of('minimal'), 'Ingress').spec['rules']).toMatchObject([
      { host: 'calls.example.com', http: { paths: [{ path: '/api/calls', pathType: 'Prefix' }] } },
    ]);
    expect(one(of('temporal-cloud'), 'HTTPRoute').spec['rules']).toMatchObject([
      { matches: [{ method: 'POST', path: { type: 'PathPrefix', value: '/api/calls' } }] },
    ]);
    // Health and metrics of the gateway are its own.
    const shown = ['/v1.0', '/beta', '/openapi.json'];
    expect(one(of('gateway'), 'Ingress', 'gateway').spec['rules']).toMatchObject([
      { host: 'moderation.example.com', http: { paths: shown.map((path) => ({ path, pathType: 'Prefix' })) } },
    ]);
    const routed = [...rendered.values()]
      .flat()
      .find(({ kind, metadata }) => kind === 'HTTPRoute' && metadata.name.endsWith('gateway'));
    expect(routed?.spec['rules']).toMatchObject([
      { matches: shown.map((value) => ({ path: { type: 'PathPrefix', value } })) },
    ]);
    const { ports } = one(of('minimal'), 'Service', 'webhook').spec as { ports: { name: string }[] };
    expect(ports.map(({ name }) => name)).toEqual(['http']);
  });

  test('runs under a parent chart, and under names of any length', async () => {
    const long = 'a'.repeat(60);
    const objects = await template(helm, [example('monitoring'), 'global.registry=x', `fullnameOverride=${long}`]);
    for (const { metadata } of objects) expect(metadata.name.length).toBeLessThanOrEqual(63);
  });
});

describe.skipIf(schemas === undefined)('a value', () => {
  const minimal = example('minimal');

  test.each([
    ['image.repository=', '/image/repository'],
    ['image.digest=abc', '/image/digest'],
    ['temporal.address=https://temporal.example.com', '/temporal/address'],
    ['temporal.address=temporal', '/temporal/address'],
    ['temporal.taskQueue=/_sys/x', '/temporal/taskQueue'],
    ['temporal.apiKeySecret=key', '/temporal/apiKeySecret'],
    ['temporal.apiKey=planted', "'apiKey'"],
    ['azure.clientId=application', '/azure/clientId'],
    ['azure.credential=password', '/azure/credential'],
    ['azure.credential=clientSecret', '/azure/clientSecret/name'],
    ['azure.credential=clientCertificate', '/azure/tenantId'],
    ['azure.credential=managedIdentity', '/azure/managedIdentityClientId'],
    ['graph.cloud=china', '/graph/cloud'],
    ['graph.cloud=usgov-l4', '/webhook/openIdUrl'],
    ['graph.url=http://graph.example.com', '/graph/url'],
    ['tenants=["contoso"]', '/tenants/0'],
    ['logLevel=verbose', '/logLevel'],
    ['events.url=http://backend.example.com/events', '/events/url'],
    ['proxy.https=http://user:planted@proxy.example.com', '/proxy/https'],
    ['extraEnv=[{"name":"HTTPS_PROXY","value":"http://user:planted@proxy"}]', '/extraEnv/0/value'],
    ['extraEnv=[{"name":"LOG_LEVEL"}]', '/extraEnv/0'],
    ['proxy.grpc=https://proxy.example.com', '/proxy/grpc'],
    ['worker.replicas=two', '/worker/replicas'],
    ['worker.replicas=0', '/worker/replicas'],
    ['worker.autoscaling.type=memory', '/worker/autoscaling/type'],
    ['worker.autoscaling.minReplicas=20', 'worker.autoscaling.maxReplicas'],
    ['worker.terminationGracePeriodSeconds=10', '/worker/terminationGracePeriodSeconds'],
    ['worker.maxActivitiesPerSecond=0', '/worker/maxActivitiesPerSecond'],
    ['worker.resources.limits.memory=much', '/worker/resources/limits/memory'],
    ['worker.controller.rollout.strategy=Fast', '/worker/controller/rollout/strategy'],
    ['worker.controller.rollout.steps=[]', '/worker/controller/rollout/steps'],
    [
      'worker.controller.rollout.steps=[{"rampPercentage":100,"pauseDuration":"5m"}]',
      '/worker/controller/rollout/steps/0',
    ],
    [
      'worker.controller.rollout.steps=[{"rampPercentage":50,"pauseDuration":"5s"}]',
      '/worker/controller/rollout/steps/0/pauseDuration',
    ],
    ['worker.controller.sunset.deleteDelay=tomorrow', '/worker/controller/sunset/deleteDelay'],
    ['worker.enabel=false', "'enabel'"],
    ['webhook.path=api/calls', '/webhook/path'],
    ['webhook.path=/readyz', '/webhook/path'],
    ['webhook.forwardUrl=bot', '/webhook/forwardUrl'],
    ['webhook.service.type=Internal', '/webhook/service/type'],
    ['webhook.ingress.host=', '/webhook/ingress/host'],
    ['webhook.httpRoute.enabled=true', '/webhook/httpRoute/hostnames'],
    ['webhook.autoscaling.type=backlog', '/webhook/autoscaling/type'],
    ['webhook.drainSeconds=30', 'webhook.terminationGracePeriodSeconds'],
    ['gateway.enabled=true', '/gateway/audience'],
    ['gateway.audience=api://gateway', '/gateway/audience'],
    ['gateway.role=Call Moderation', '/gateway/role'],
    ['gateway.requestsPerSecond=0', '/gateway/requestsPerSecond'],
    ['gateway.url=https://example.com/?a=b', '/gateway/url'],
    ['gateway.ingress.enabled=true', '/gateway/ingress/host'],
    ['gateway.httpRoute.enabled=true', '/gateway/httpRoute/hostnames'],
    ['gateway.autoscaling.type=backlog', '/gateway/autoscaling/type'],
    ['gateway.autoscaling.minReplicas=20', 'gateway.autoscaling.maxReplicas'],
    ['gateway.drainSeconds=30', 'gateway.terminationGracePeriodSeconds'],
    ['gateway.forwardUrl=https://bot.example.com', "'forwardUrl'"],
    ['networkPolicy.gatewayFrom=[{"host":"backend"}]', '/networkPolicy/gatewayFrom/0'],
    ['podDisruptionBudget.maxUnavailable=half', '/podDisruptionBudget/maxUnavailable'],
    ['topologySpread.zone=Sometimes', '/topologySpread/zone'],
    ['security.runAsUser=0', '/security/runAsUser'],
    ['networkPolicy.httpsTo=[{"host":"graph.microsoft.com"}]', '/networkPolicy/httpsTo/0'],
    ['monitoring.serviceMonitor.interval=often', '/monitoring/serviceMonitor/interval'],
    ['workers.replicas=3', "'workers'"],
  ])('is refused by its name: %s', async (value, name) => {
    expect(await refusal(helm, [minimal, value])).toContain(name);
  });

  test.each([
    [['worker.enabled=false', 'webhook.enabled=false'], 'worker.enabled'],
    [['temporal.tls.enabled=true', 'worker.autoscaling.type=backlog'], 'worker.autoscaling.type: backlog needs'],
    [['temporal.tls.enabled=true', 'worker.controller.enabled=true'], 'temporal.tls.serverName: required'],
    [
      ['temporal.tls.clientSecret=a', 'temporal.apiKeySecret.name=b', 'worker.controller.enabled=true'],
      'temporal.apiKeySecret: the Worker Controller',
    ],
    [['worker.serviceAccount.create=false'], 'worker.serviceAccount.name: required'],
    [
      ['gateway.enabled=true', 'gateway.audience=2f0c9e5b-7d64-4a0e-9a3f-1b6f5c8d7e20'],
      'tenants: required with gateway.enabled',
    ],
    [
      ['gateway.enabled=true', 'gateway.audience=2f0c9e5b-7d64-4a0e-9a3f-1b6f5c8d7e20', 'azure.tenantId=contoso.com'],
      'tenants: required with gateway.enabled',
    ],
    [['events.url=https://backend.example.com/events'], 'events.secret.name: required'],
  ])('is refused with another that it cannot go with: %s', async (values, message) => {
    expect(await refusal(helm, [minimal, ...values])).toContain(message);
  });

  test('is asked for by its name if there is no default', async () => {
    const said = await refusal(helm, []);
    for (const name of ['/image/repository', '/temporal/address', '/azure/clientId']) expect(said).toContain(name);
  });

  test('that is a secret is refused, wherever docs/configuration.md has it', async () => {
    const listed = [...root('docs/configuration.md').matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name);
    const secrets = [...new Set(listed)].filter(isSecret);
    expect(secrets).toContain('TEMPORAL_API_KEY');
    expect(secrets.length).toBeGreaterThan(3);
    for (const name of secrets) {
      for (const where of ['extraEnv', 'worker.extraEnv', 'webhook.extraEnv', 'gateway.extraEnv']) {
        const said = await refusal(helm, [minimal, `${where}=[{"name":"${name}","value":"planted"}]`]);
        expect(said, name).toContain(`/${where.replace('.', '/')}/0`);
        expect(said).not.toContain('planted');
      }
    }
    const reference = '{"secretKeyRef":{"name":"a","key":"b"}}';
    const given = [minimal, `extraEnv=[{"name":"AZURE_CLIENT_SECRET","valueFrom":${reference}}]`];
    expect(await refusal(helm, given)).toBe('not refused');
  });

  test('has a default that its page explains, and a schema', () => {
    const { properties } = JSON.parse(read('values.schema.json')) as { properties: Schema };
    const { definitions } = JSON.parse(read('values.schema.json')) as { definitions: Schema };
    const inSchema = pathsOf({ properties }, definitions).filter((path) => path !== 'global');
    const defaults = parse(read('values.yaml')) as Record<string, unknown>;
    const missing = inSchema.filter((path) => valueAt(defaults, path) === undefined);
    expect(missing).toEqual([]);
    expect(inSchema.length).toBeGreaterThan(120);
  });
});

type Schema = Record<string, { $ref?: string; properties?: Schema }>;

/** The paths of a schema's values, as `--set` has them. */
function pathsOf({ properties = {} }: { properties?: Schema }, definitions: Schema): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const found = schema.$ref === undefined ? schema : (definitions[schema.$ref.split('/').at(-1) ?? ''] ?? {});
    // Resources and peers are Kubernetes' own.
    const inner = (schema.$ref ?? '').endsWith('resources') ? [] : pathsOf(found, definitions);
    return [name, ...inner.map((path) => `${name}.${path}`)];
  });
}

function valueAt(values: unknown, path: string): unknown {
  return path.split('.').reduce((at, name) => (at as Record<string, unknown> | undefined)?.[name], values);
}

function isSecret(name: string): boolean {
  return /SECRET|PASSWORD|TOKEN$|API_KEY|PAYLOAD_KEYS|_HEADERS/.test(name);
}

/** The variables that the Worker Controller adds to the pods of a build. */
function addedByController(objects: readonly Rendered[]): Record<string, string> {
  const deployment = objects.find(({ kind }) => kind === 'WorkerDeployment');
  if (deployment === undefined) return {};
  const connection = objects.find(({ kind }) => kind === 'Connection')?.spec as
    | { hostPort: string; apiKeySecretRef?: object }
    | undefined;
  const { temporalNamespace } = deployment.spec['workerOptions'] as { temporalNamespace: string };
  return {
    TEMPORAL_ADDRESS: connection?.hostPort ?? 'temporal.example.com:7233',
    TEMPORAL_NAMESPACE: temporalNamespace,
    TEMPORAL_DEPLOYMENT_NAME: `prod/${deployment.metadata.name}`,
    TEMPORAL_WORKER_BUILD_ID: 'main-5d7f',
    ...(connection?.apiKeySecretRef !== undefined && { TEMPORAL_API_KEY: 'planted' }),
  };
}

/** The objects that the Worker Controller makes of an object, whose templates its own schemas leave open. */
function madeBy({ kind, metadata, spec }: Rendered): Record<string, unknown>[] {
  if (kind === 'WorkerDeployment') {
    const labels = { 'temporal.io/build-id': 'main-5d7f' };
    const pods = spec['template'];
    return [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: { selector: { matchLabels: labels }, template: pods },
      },
    ];
  }
  if (kind !== 'WorkerResourceTemplate') return [];
  const made = spec['template'] as Record<string, unknown>;
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'cm-call-moderation-worker-main-5d7f' };
  return [
    { ...made, metadata: { name: metadata.name }, spec: { ...(made['spec'] as object), scaleTargetRef: target } },
  ];
}
