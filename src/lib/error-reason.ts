import { isForPeople } from './operator-error.ts';

/**
 * Why something failed, in fixed words of ours.
 *
 * The message of another library's error may quote what it was given: gRPC quotes a header's value, undici an
 * authorization, a TOML parser the line with the key. So such a message is matched and never repeated. An operator
 * gets the kind, our hint where there is one, and the address or variable that the caller names.
 */

const WORDS = {
  refused: 'connection refused',
  broken: 'connection broken',
  name: 'the host name is not found',
  route: 'the host cannot be reached',
  late: 'no answer in time',
  cancelled: 'the request was cancelled',
  certificate: 'the TLS certificate is not trusted',
  tls: 'TLS failed',
  pem: 'the TLS certificate or key cannot be read',
  header: 'a header has a character that HTTP does not allow',
  taken: 'the address is taken',
  absent: 'this machine does not have the address',
  permission: 'permission denied',
  file: 'no such file',
  json: 'the answer is not JSON',
  size: 'the answer is too large',
  unauthenticated: 'the credentials are refused',
  namespace: 'the namespace is not found',
  notFound: 'not found',
  exists: 'it exists already',
  invalid: 'the request is called invalid',
  precondition: 'it is not possible in this state',
  limited: 'a limit is reached',
  unimplemented: 'the server does not know this request',
  server: 'the server failed',
  unavailable: 'the server is unavailable',
} as const;

type Kind = keyof typeof WORDS;

/** `grpc.status`. Unavailable is not here: why shows in the words (`MATCHES`). */
const GRPC: Readonly<Record<number, Kind>> = {
  1: 'cancelled',
  3: 'invalid',
  4: 'late',
  5: 'notFound',
  6: 'exists',
  7: 'permission',
  8: 'limited',
  9: 'precondition',
  10: 'precondition',
  12: 'unimplemented',
  13: 'server',
  15: 'server',
  16: 'unauthenticated',
};
const UNAVAILABLE = 14;

/**
 * Codes of Node and undici, names of errors, and the words of gRPC's and Core's messages; the first that matches
 * counts.
 */
const MATCHES: readonly (readonly [RegExp, Kind])[] = [
  [/\bECONNREFUSED\b|ConnectionRefused|connection refused/i, 'refused'],
  [/\b(ENOTFOUND|EAI_AGAIN)\b|name resolution|dns error|failed to lookup/i, 'name'],
  [/\b(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)\b|(Host|Network)Unreachable/, 'route'],
  [/\bNamespaceNotFound|namespace .*not found/i, 'namespace'],
  [/PrivateKeyParse|CertificateParse|no start line|\bERR_OSSL_(PEM|ASN1|X509)|bad decrypt|PEM routines/i, 'pem'],
  [
    /\bCERT_|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME_INVALID|UnknownIssuer|InvalidCertificate|certificate/i,
    'certificate',
  ],
  [/\b(EPROTO|ERR_SSL\w*|ERR_TLS\w*)\b|wrong version number|\bTLS\b|corrupt message/i, 'tls'],
  [/\b(ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT|TimeoutError|DEADLINE_EXCEEDED)\b|deadline|timed out/i, 'late'],
  [/\b(ECONNRESET|EPIPE|UND_ERR_SOCKET|ECONNABORTED)\b|socket hang up|connection dropped|ConnectionReset/i, 'broken'],
  [/\b(AbortError|ERR_CANCELED|UND_ERR_ABORTED)\b/, 'cancelled'],
  [/\bERR_INVALID_CHAR\b|illegal characters|invalid (HTTP )?header|is an invalid header value/i, 'header'],
  [/\bEADDRINUSE\b/, 'taken'],
  [/\bEADDRNOTAVAIL\b/, 'absent'],
  [/\b(EACCES|EPERM)\b/, 'permission'],
  [/\b(ENOENT|ENOTDIR|EISDIR)\b/, 'file'],
  [/\bUND_ERR_RES_EXCEEDED/, 'size'],
  [/\bSyntaxError\b.*\bJSON\b/, 'json'],
];

/** Errors that are looked at, causes and lists of errors included; the innermost that is known counts. */
const MAX_LOOKED_AT = 20;

/** Of a message that is matched. */
const MAX_MATCHED = 2_000;

/** In a few words: of an error of ours its message, of any other its kind. */
export function reasonOf(error: unknown): string {
  if (isForPeople(error)) return error.message;
  const words = wordsOf(error);
  if (words === undefined) return `unexpected (${nameOf(error)})`;
  const code = fieldOf(error, 'code');
  return isWord(code) ? `${words}, ${code}` : words;
}

/** The kind alone, without any message: for answers to whoever asks. */
export function kindOf(error: unknown): string | undefined {
  return wordsOf(error);
}

/** The kind that a library's text tells of. */
export function kindOfText(text: string): string {
  return wordsOf({ message: text }) ?? 'unexpected';
}

function wordsOf(error: unknown, seen = new Set<unknown>()): string | undefined {
  if (typeof error !== 'object' || error === null || seen.has(error) || seen.size >= MAX_LOOKED_AT) return undefined;
  seen.add(error);
  const kind = keyOf(error);
  const below = [fieldOf(error, 'cause'), ...listOf(fieldOf(error, 'errors'))];
  for (const inner of below) {
    const words = wordsOf(inner, seen);
    if (words !== undefined) return words;
  }
  return kind === undefined ? undefined : WORDS[kind];
}

function keyOf(error: object): Kind | undefined {
  const code = fieldOf(error, 'code');
  const grpc = typeof code === 'number' && 'details' in error ? code : undefined;
  if (grpc !== undefined && grpc !== UNAVAILABLE) {
    const said = textOf(fieldOf(error, 'details'));
    // Where the metadata itself cannot be sent, gRPC reports a failure of the server.
    if (/illegal characters/i.test(said)) return 'header';
    return GRPC[grpc] === 'notFound' && /namespace/i.test(said) ? 'namespace' : (GRPC[grpc] ?? 'server');
  }
  const told = [code, fieldOf(error, 'name'), fieldOf(error, 'message'), fieldOf(error, 'details')]
    .map((value) => textOf(value))
    .join(' ');
  const found = MATCHES.find(([pattern]) => pattern.test(told))?.[1];
  return found ?? (grpc === UNAVAILABLE ? 'unavailable' : undefined);
}

/** The name of an error's class: a word of a program, never of its input. */
export function classNameOf(error: unknown): string {
  const name = fieldOf(error, 'name');
  return isWord(name) ? name : 'Error';
}

/** The same with its code, if it has one. */
function nameOf(error: unknown): string {
  const code = fieldOf(error, 'code');
  return isWord(code) ? `${classNameOf(error)}, ${code}` : classNameOf(error);
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z_]\w{0,63}$/.test(value);
}

/** What a log may say of an error: its class, why, where, and the same of what caused it. */
export interface ToldError {
  type: string;
  reason: string;
  /** Frames of the stack, without the message that is above them. */
  at?: readonly string[];
  cause?: ToldError;
}

const MAX_FRAMES = 12;

export function toldOf(error: unknown, depth = 0): ToldError {
  const cause = fieldOf(error, 'cause');
  const at = framesOf(error);
  return {
    type: nameOf(error),
    reason: reasonOf(error),
    ...(at.length > 0 && { at }),
    ...(cause instanceof Error && depth < 3 && { cause: toldOf(cause, depth + 1) }),
  };
}

const FRAME = /^ {4}at (?:[\w.$<>[\] #]+ \()?(?:file:\/\/|node:|\/|[A-Za-z]:\\)[^\s()]*:\d+:\d+\)?$/;

export function framesOf(error: unknown): string[] {
  const stack = textOf(fieldOf(error, 'stack'), 20_000);
  const message = textOf(fieldOf(error, 'message'), 20_000);
  // A message may have lines that look like frames.
  const below = message === '' ? 0 : stack.indexOf(message) + message.length;
  return stack
    .slice(below)
    .split('\n')
    .filter((line) => FRAME.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim());
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, 10) : [];
}

function textOf(value: unknown, most = MAX_MATCHED): string {
  return typeof value === 'string' ? value.slice(0, most) : '';
}
