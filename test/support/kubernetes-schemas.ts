import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { goModuleFolder } from '../../cluster/go-programs.ts';
import { wheel } from '../../src/dev/fetched-program.ts';
import { missing } from './programs.ts';

/**
 * The published schemas of Kubernetes' objects, from a wheel of PyPI, and those of custom resources, from the Go modules of their
 * controllers. Both are made strict: a field that the schema does not know is a fault, though a server would only drop it. The
 * rules in CEL that some custom resources have are not evaluated.
 */

const WHEEL = wheel('kubernetes-validate==1.37.0', 'kubernetes-validate', 'kubernetes-validate-1.37.0');

const crds = 'helm/temporal-worker-controller-crds/templates/temporal.io';
const CUSTOM = [
  {
    name: "Temporal's Worker Controller",
    path: 'github.com/temporalio/temporal-worker-controller',
    version: '1.8.1',
    files: [`${crds}_connections.yaml`, `${crds}_workerdeployments.yaml`, `${crds}_workerresourcetemplates.yaml`],
  },
  {
    name: 'KEDA',
    path: 'github.com/kedacore/keda/v2',
    version: '2.21.0',
    files: ['config/crd/bases/keda.sh_scaledobjects.yaml', 'config/crd/bases/keda.sh_triggerauthentications.yaml'],
  },
  {
    name: 'the Prometheus Operator',
    path: 'github.com/prometheus-operator/prometheus-operator',
    version: '0.85.0',
    files: ['servicemonitors', 'prometheusrules'].map(
      (name) => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`,
    ),
  },
  {
    name: 'Gateway API',
    path: 'sigs.k8s.io/gateway-api',
    version: '1.6.3',
    files: ['config/crd/standard/gateway.networking.k8s.io_httproutes.yaml'],
  },
];

type Schema = Record<string, unknown>;

interface Definition {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
}

export class KubernetesSchemas {
  readonly #folder: string;
  readonly #custom: ReadonlyMap<string, ValidateFunction>;
  readonly #versions = new Map<string, Ajv2020>();

  private constructor(folder: string, custom: ReadonlyMap<string, ValidateFunction>) {
    this.#folder = folder;
    this.#custom = custom;
  }

  /** If they cannot be had, the tests of `file` are skipped, or fail in CI. */
  static async find(file: string): Promise<KubernetesSchemas | undefined> {
    try {
      const folder = join(homedir(), '.cache', 'call-moderation', WHEEL.folder);
      if (!existsSync(folder)) await WHEEL.fetch(folder, process.env['PATH']);
      return new KubernetesSchemas(
        join(folder, 'kubernetes_validate', 'kubernetes-json-schema'),
        await customSchemas(),
      );
    } catch (error) {
      missing(file, `Kubernetes' schemas (${String(error)})`);
      return undefined;
    }
  }

  /** What is wrong with an object on a version of Kubernetes, such as 1.37. */
  async faultsOf(object: Schema, version: string): Promise<string[]> {
    const [apiVersion, kind] = [String(object['apiVersion']), String(object['kind'])];
    const isValid = this.#custom.get(`${apiVersion}/${kind}`) ?? (await this.#builtIn(apiVersion, kind, version));
    if (isValid(object)) return [];
    return (isValid.errors ?? []).map(
      ({ instancePath, message, params }) => `${kind} ${instancePath}: ${message} ${JSON.stringify(params)}`,
    );
  }

  isCustom({ apiVersion, kind }: { apiVersion: string; kind: string }): boolean {
    return this.#custom.has(`${apiVersion}/${kind}`);
  }

  async #builtIn(apiVersion: string, kind: string, version: string): Promise<ValidateFunction> {
    const folder = join(this.#folder, `v${version}.0-local-strict`);
    let ajv = this.#versions.get(version);
    if (ajv === undefined) {
      ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
      ajv.addSchema(await json(join(folder, '_definitions.json')), '/api/_definitions.json');
      this.#versions.set(version, ajv);
    }
    // networking.k8s.io/v1 is networking-v1 there.
    const name = `${kind}-${apiVersion.replace(/^([^./]*)[^/]*\//, '$1-')}`.toLowerCase();
    const known = ajv.getSchema(`/api/${name}.json`);
    if (known !== undefined) return known;
    const schema = await json(join(folder, `${name}.json`));
    return ajv.compile({ ...schema, $id: `/api/${name}.json` });
  }
}

async function customSchemas(): Promise<Map<string, ValidateFunction>> {
  const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
  const found = new Map<string, ValidateFunction>();
  for (const { files, ...module } of CUSTOM) {
    const folder = await goModuleFolder(module);
    for (const file of files) {
      const { spec } = parse(await readFile(join(folder, file), 'utf8')) as Definition;
      for (const { name, schema } of spec.versions) {
        const key = `${spec.group}/${name}/${spec.names.kind}`;
        found.set(key, ajv.compile(strict(schema.openAPIV3Schema) as Schema));
      }
    }
  }
  return found;
}

/** The same schema, which refuses fields that it does not know. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  // Go's way to ignore the case is none of JavaScript's.
  const entries = Object.entries(schema).filter(
    ([name, value]) => name !== 'pattern' || !String(value).includes('(?i)'),
  );
  const { type, ...rest } = Object.fromEntries(
    entries.map(([name, value]) => [name, name === 'default' || name === 'enum' ? value : strict(value)]),
  );
  const isOpen =
    rest['properties'] === undefined ||
    rest['additionalProperties'] !== undefined ||
    rest['x-kubernetes-preserve-unknown-fields'] === true;
  return {
    ...rest,
    ...(type !== undefined && { type }),
    ...(type === 'object' && !isOpen && { additionalProperties: false }),
  };
}

async function json(file: string): Promise<Schema> {
  return JSON.parse(await readFile(file, 'utf8')) as Schema;
}
