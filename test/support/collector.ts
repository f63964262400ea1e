import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import protobuf from 'protobufjs';

/** As much of OTLP as is looked at. https://github.com/open-telemetry/opentelemetry-proto */
const PROTO = `
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; } }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5;
    repeated KeyValue attributes = 9; repeated Link links = 13; Status status = 15;
  }`;

const { root } = protobuf.parse(PROTO, { keepCase: true });
const Request = root.lookupType('Request');

export interface Span {
  service: string;
  traceId: string;
  spanId: string;
  /** Empty for the first one. */
  parentId: string;
  name: string;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  isFailed: boolean;
}

interface Told {
  resource_spans?: {
    resource?: { attributes?: KeyValue[] };
    scope_spans?: { spans?: ToldSpan[] }[];
  }[];
}
interface KeyValue {
  key: string;
  value?: Record<string, unknown>;
}
interface ToldSpan {
  trace_id?: string;
  span_id?: string;
  parent_span_id?: string;
  name?: string;
  attributes?: KeyValue[];
  links?: { trace_id?: string; span_id?: string }[];
  status?: { code?: number };
}

/** A collector of traces that takes OTLP over HTTP, in protobuf, and keeps what it gets. */
export class Collector {
  readonly spans: Span[] = [];
  /** The bytes as they came, as text. */
  raw = '';
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') this.#take(Buffer.concat(chunks));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });

  static async start(): Promise<Collector> {
    const collector = new Collector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  /** What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  named(name: string): Span[] {
    return this.spans.filter((span) => span.name === name);
  }

  #take(body: Buffer): void {
    this.raw += body.toString('latin1');
    const told = Request.toObject(Request.decode(body), { bytes: String, longs: Number }) as Told;
    for (const { resource, scope_spans: scopes = [] } of told.resource_spans ?? []) {
      const service = String(valuesOf(resource?.attributes)['service.name']);
      for (const span of scopes.flatMap(({ spans = [] }) => spans)) this.spans.push(toSpan(service, span));
    }
  }
}

function toSpan(service: string, told: ToldSpan): Span {
  return {
    service,
    traceId: hex(told.trace_id),
    spanId: hex(told.span_id),
    parentId: hex(told.parent_span_id),
    name: told.name ?? '',
    attributes: valuesOf(told.attributes),
    links: (told.links ?? []).map((link) => ({ traceId: hex(link.trace_id), spanId: hex(link.span_id) })),
    isFailed: told.status?.code === 2,
  };
}

function valuesOf(attributes: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value = {} }) => [key, Object.values(value)[0]]));
}

function hex(base64 = ''): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
