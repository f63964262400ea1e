import { loadGatewayConfig } from '../../src/config/gateway.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { startGateway, type RunningGateway } from '../../src/gateway.ts';
import type { ApiTokenRequest } from '../../src/simulator/api-tokens.ts';
import { log, type Service } from '../support/service.ts';

export const AUDIENCE = '7d1f0f0c-1d5e-4c2b-9c0a-9f6f5f0f3c11';
export const CALLER = 'b5a1c2d3-0000-4000-8000-00000000c0de';
export const HOME = 'aa67bd4c-8475-432d-bd41-39f255720e0a';
export const OTHER = 'bb67bd4c-8475-432d-bd41-39f255720e0b';

/** The gateway as it is deployed, beside the service; with authentication unless `overrides` take it away. */
export async function gatewayOf(service: Service, overrides: Environment = {}): Promise<RunningGateway> {
  const config = loadGatewayConfig({
    LOG_LEVEL: 'silent',
    TEMPORAL_ADDRESS: service.env['TEMPORAL_ADDRESS'],
    MODERATION_TASK_QUEUE: service.taskQueue,
    MODERATION_GATEWAY_HOST: '127.0.0.1',
    MODERATION_GATEWAY_PORT: '0',
    MODERATION_GATEWAY_AUDIENCE: AUDIENCE,
    MODERATION_TENANTS: `${HOME},${OTHER}`,
    AZURE_AUTHORITY_HOST: service.graph.authorityUrl,
    AZURE_TENANT_ID: HOME,
    ...overrides,
  });
  return await startGateway({ config, log });
}

export interface Told {
  status: number;
  headers: Headers;
  // What the service answers is what the tests look at.
  body: {
    id?: string;
    status?: string;
    clientContext?: string | null;
    '@odata.type'?: string;
    resultInfo?: { code: number; message: string } | null;
    error?: { code: string; message: string; innerError: Record<string, unknown> };
  };
}

export interface Ask {
  method?: string;
  token?: string | undefined;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
}

export async function ask(
  url: string,
  { method = 'POST', token, headers = {}, body, signal }: Ask = {},
): Promise<Told> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body }),
    ...(signal !== undefined && { signal }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
}

export async function tokenOf(
  service: Pick<Service, 'graph'>,
  request: Partial<ApiTokenRequest> = {},
): Promise<string> {
  return await service.graph.issueApiToken({ audience: AUDIENCE, appId: CALLER, ...request });
}
