import {
  connect,
  createServer,
  constants,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { temporal } from '@temporalio/proto';

const { ListWorkflowExecutionsRequest } = temporal.api.workflowservice.v1;

/** gRPC's status codes that tests ask for. */
export const GRPC = { notFound: 5, internal: 13, unavailable: 14, resourceExhausted: 8, permissionDenied: 7 } as const;

/** A request to Temporal, as far as a fault looks at it. */
export interface TemporalCall {
  /** Such as `DescribeWorkflowExecution`. */
  method: string;
  /** Whether its message contains a text, such as a workflow ID. */
  contains: (text: string) => boolean;
}

/**
 * A proxy in front of Temporal, for clients and workers alike, that makes Temporal's answers worse:
 *
 * - `lists`: `sound`; `down`, every list is refused; `{ lagMs }`, lists leave out runs that were started within that time, as
 *   a store does that shows writes late
 * - `refuse`: the gRPC status that a request is refused with, or `hang` if it is never answered
 *
 * Everything else is passed on byte by byte.
 */
export class TemporalProxy {
  lists: 'sound' | 'down' | { lagMs: number } = 'sound';
  refuse: (call: TemporalCall) => number | 'hang' | undefined = () => undefined;
  /** How often each method was asked for. */
  readonly asked = new Map<string, number>();
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #address: string;

  private constructor(address: string) {
    this.#address = address;
    this.#server = createServer();
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      const upstream = connect(`http://${this.#address}`);
      upstream.on('error', () => session.destroy());
      session.on('error', () => undefined);
      session.on('close', () => {
        this.#sessions.delete(session);
        upstream.destroy();
      });
      session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        stream.on('error', () => undefined);
        this.#serve(stream, headers, upstream).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
      });
    });
  }

  static async before(address: string): Promise<TemporalProxy> {
    const proxy = new TemporalProxy(address);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** What `TEMPORAL_ADDRESS` is to be. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
  }

  async #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, upstream: ReturnType<typeof connect>) {
    const body = await buffer(stream);
    const method = (headers[':path'] ?? '').split('/').at(-1) ?? '';
    this.asked.set(method, (this.asked.get(method) ?? 0) + 1);
    const refused = this.#refusal({ method, contains: (text) => messageOf(body).includes(text) });
    if (refused === 'hang') return;
    if (refused !== undefined) {
      const status = { 'grpc-status': String(refused), 'grpc-message': 'the test refuses it' };
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true });
      return;
    }
    const onward = upstream.request({ ...headers, ':authority': this.#address });
    stream.on('close', () => onward.close(constants.NGHTTP2_CANCEL));
    onward.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    let trailers: IncomingHttpHeaders = {};
    onward.on('response', (answer, flags) => {
      if (stream.closed || stream.destroyed) return;
      const isEnd = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      stream.respond(answer, isEnd ? { endStream: true } : { waitForTrailers: true });
    });
    onward.on('trailers', (told) => {
      trailers = told;
    });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    onward.on('data', (bytes: Buffer) => {
      if (stream.writable) stream.write(bytes);
    });
    onward.on('end', () => {
      if (stream.writable) stream.end();
    });
    onward.end(method === 'ListWorkflowExecutions' ? this.#lagging(body) : body);
  }

  #refusal(call: TemporalCall): number | 'hang' | undefined {
    const isList = call.method === 'ListWorkflowExecutions' || call.method === 'CountWorkflowExecutions';
    return isList && this.lists === 'down' ? GRPC.unavailable : this.refuse(call);
  }

  #lagging(body: Buffer): Buffer {
    if (typeof this.lists === 'string') return body;
    const request = ListWorkflowExecutionsRequest.decode(messageOf(body));
    const until = new Date(Date.now() - this.lists.lagMs).toISOString();
    const asked = request.query === '' ? '' : `(${request.query}) AND `;
    request.query = `${asked}StartTime < '${until}'`;
    const message = ListWorkflowExecutionsRequest.encode(request).finish();
    const head = Buffer.alloc(HEAD);
    head.writeUInt32BE(message.length, 1);
    return Buffer.concat([head, message]);
  }
}

/** Before each message of gRPC: one byte that says whether it is compressed, and four of its length. */
const HEAD = 5;

function messageOf(body: Buffer): Buffer {
  const message = body.subarray(HEAD);
  return body[0] === 1 ? gunzipSync(message) : message;
}
