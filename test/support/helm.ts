import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { builtPrograms, HELM } from '../../cluster/go-programs.ts';
import { missing } from './programs.ts';

/** Helm itself, and what it makes of the chart. */

export const CHART = fileURLToPath(new URL('../../deploy/helm/call-moderation', import.meta.url));

const run = promisify(execFile);

/** The path of the version that we pin. A test does not wait minutes for a build: without it the tests of `file` are skipped. */
export function findHelm(file: string): string | undefined {
  const folder = builtPrograms(HELM);
  if (folder !== undefined) return join(folder, 'helm');
  missing(file, 'Helm, which `npm run helm -- version` builds,');
  return undefined;
}

const kubernetesObject = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z
    .object({
      name: z.string(),
      namespace: z.string().optional(),
      labels: z.record(z.string(), z.string()).default({}),
      annotations: z.record(z.string(), z.string()).default({}),
    })
    .loose(),
  spec: z.record(z.string(), z.unknown()).default({}),
});

export type KubernetesObject = z.infer<typeof kubernetesObject>;

/** An object as it was rendered, and the part of it that tests read. */
export interface Rendered extends KubernetesObject {
  raw: Record<string, unknown>;
}

const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) }).loose();

const container = z
  .object({
    name: z.string(),
    image: z.string(),
    args: z.array(z.string()),
    env: z.array(
      z.object({
        name: z.string(),
        value: z.string().optional(),
        valueFrom: z.object({ secretKeyRef: z.object({ name: z.string(), key: z.string() }).optional() }).optional(),
      }),
    ),
    ports: z.array(z.object({ name: z.string(), containerPort: z.number() }).loose()).default([]),
    livenessProbe: probe.optional(),
    readinessProbe: probe.optional(),
    lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }).optional(),
    resources: z.object({
      requests: z.record(z.string(), z.string()).optional(),
      limits: z.record(z.string(), z.string()).optional(),
    }),
    securityContext: z.unknown(),
    volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() }).loose()),
  })
  .loose();

const podTemplate = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()) }).loose(),
  spec: z
    .object({
      serviceAccountName: z.string(),
      automountServiceAccountToken: z.boolean(),
      enableServiceLinks: z.boolean(),
      terminationGracePeriodSeconds: z.number().optional(),
      securityContext: z.unknown(),
      containers: z.tuple([container]),
      volumes: z.array(z.object({ name: z.string() }).loose()),
    })
    .loose(),
});

export type PodTemplate = z.infer<typeof podTemplate>;

/** `values` are files, or `NAME=VALUE` for `--set`. */
export async function template(helm: string, values: readonly string[], ...flags: string[]): Promise<Rendered[]> {
  const { stdout } = await helmOn(helm, 'template', ['cm', CHART, '--namespace', 'prod', ...given(values), ...flags]);
  return parseAllDocuments(stdout).flatMap((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    const raw = document.toJS() as Record<string, unknown> | null;
    return raw === null ? [] : [{ ...kubernetesObject.parse(raw), raw }];
  });
}

/** What Helm says as it refuses these values. */
export async function refusal(helm: string, values: readonly string[]): Promise<string> {
  try {
    await helmOn(helm, 'template', ['cm', CHART, ...given(values)]);
    return 'not refused';
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
}

export async function helmOn(helm: string, command: string, args: readonly string[]): Promise<{ stdout: string }> {
  return await run(helm, [command, ...args], { maxBuffer: 32 * 1024 * 1024 });
}

function given(values: readonly string[]): string[] {
  return values.flatMap((value) =>
    value.endsWith('.yaml')
      ? ['--values', value]
      : [value.includes('={') || value.includes('=[') ? '--set-json' : '--set', value],
  );
}

/** The template of an object's pods; `undefined` if it has none. */
export function podsOf({ kind, raw }: Rendered): PodTemplate | undefined {
  const spec = raw['spec'] as Record<string, unknown> | undefined;
  if (kind === 'Pod') return podTemplate.parse(raw);
  return ['Deployment', 'WorkerDeployment', 'Job'].includes(kind) ? podTemplate.parse(spec?.['template']) : undefined;
}

export const componentOf = (object: KubernetesObject): string =>
  object.metadata.labels['app.kubernetes.io/component'] ?? '';
