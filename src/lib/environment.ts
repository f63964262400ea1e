/**
 * The environment as a whole, before any variable is read for its meaning.
 *
 * A value is canonical or refused: files, shells, compose files and dashboards leave white space, quotes and line
 * breaks around values, and some libraries would repeat such a value in their error. So
 *
 * - a variable that is set to nothing counts as not set
 * - what we read is trimmed; what another library reads from the process itself must be trimmed already
 * - quotes around a value, and control characters in it, are refused. No message quotes a value
 */

export type Environment = Readonly<Record<string, string | undefined>>;

/** Values by the variables' names: none is empty, and what we read is trimmed. */
export type Given = Readonly<Record<string, string>>;

const OURS = /^(MODERATION_|TEMPORAL_|AZURE_|OTEL_|LOG_LEVEL$)/;

/** PEM has lines. */
const OF_LINES = /^TEMPORAL_TLS_\w+_DATA$/;

export function trimEnvironment(env: Environment): Given {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => (entry[1] ?? '').trim() !== '');
  return Object.fromEntries(entries.map(([name, value]) => [name, OURS.test(name) ? value.trim() : value]));
}

/** What no variable of ours can be, whatever it means. */
export function malformedFaults(given: Given): string[] {
  return Object.entries(given).flatMap(([name, value]) => {
    if (!/^(MODERATION_|TEMPORAL_|OTEL_EXPORTER_|LOG_LEVEL$)/.test(name) && !OF_IDENTITY.test(name)) return [];
    if (/^(["'`]).*\1$/s.test(value)) return [`${name}: has quotes around its value; remove them`];
    // oxlint-disable-next-line no-control-regex
    if (!OF_LINES.test(name) && /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(value)) {
      return [`${name}: has a line break or another control character in its value; give it on one line`];
    }
    return [];
  });
}

/** Sent in headers, or compared byte by byte: printable ASCII without white space. */
export const IN_A_HEADER = /^[\u0021-\u007e]+$/;

/** Read by `@azure/identity` from the process itself. Passwords may have any character within. */
const OF_IDENTITY =
  /^(AZURE_(TENANT_ID|CLIENT_ID|CLIENT_SECRET|CLIENT_CERTIFICATE_PA(TH|SSWORD)|CLIENT_SEND_CERTIFICATE_CHAIN|USERNAME|PASSWORD|FEDERATED_TOKEN_FILE|AUTHORITY_HOST|TOKEN_CREDENTIALS|ADDITIONALLY_ALLOWED_TENANTS|POD_IDENTITY_AUTHORITY_HOST)|IDENTITY_(ENDPOINT|HEADER|SERVER_THUMBPRINT)|MSI_(ENDPOINT|SECRET)|IMDS_ENDPOINT)$/;

const SENT = /^(AZURE_CLIENT_SECRET|IDENTITY_HEADER|MSI_SECRET)$/;

/** Read by OpenTelemetry's SDK from the process itself. */
const OF_TRACES = /^OTEL_EXPORTER_OTLP_(TRACES_)?(ENDPOINT|HEADERS)$/;

/** Variables whose values reach a library untrimmed, and would fail there, or do something else. */
export function untrimmedFaults(env: Environment, reader: 'identity' | 'traces'): string[] {
  const names = reader === 'identity' ? OF_IDENTITY : OF_TRACES;
  return Object.entries(env).flatMap(([name, value = '']) => {
    if (!names.test(name) || value.trim() === '') return [];
    if (value !== value.trim()) {
      return [`${name}: has white space or a line break before or after its value; remove it`];
    }
    return SENT.test(name) && !IN_A_HEADER.test(value)
      ? [`${name}: must be printable ASCII without white space; copy it again`]
      : [];
  });
}

/** Variables of this service's prefix that it does not know: misspelt ones, most likely. */
export function unknownWarnings(given: Given, known: readonly string[]): string[] {
  const isKnown = new Set(known);
  return Object.keys(given)
    .filter((name) => name.startsWith('MODERATION_') && !isKnown.has(name) && !OF_KUBERNETES.test(name))
    .map((name) => {
      const closest = closestOf(name, known);
      const hint = closest === undefined ? 'remove it' : `did you mean ${closest}?`;
      return `${name.slice(0, 80)}: is not known, and does nothing; ${hint}`;
    });
}

/** Kubernetes sets these for a Service whose name begins with `moderation`. */
const OF_KUBERNETES = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/;

const MAX_EDITS = 4;

function closestOf(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((other) => ({ other, edits: editsBetween(name.slice(0, 80), other) }))
    .toSorted((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= MAX_EDITS ? best.other : undefined;
}

/** Levenshtein's distance. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [above, letter] of a.split('').entries()) {
    const next = [above + 1];
    for (const [left, other] of b.split('').entries()) {
      const replaced = (row[left] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[left + 1] ?? 0) + 1, (next[left] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
