import { context, propagation, ROOT_CONTEXT, type Context } from '@opentelemetry/api';
import { defaultPayloadConverter } from '@temporalio/client';
import type { Headers } from '@temporalio/common';
import { toCarrier, TRACE_HEADER, type Carrier } from '../contract/trace.ts';

/** Between Temporal's headers and OpenTelemetry's contexts. */

/** The headers with the active span in them; as they are where there is none, as without an SDK. */
export function withActiveSpan(headers: Headers): Headers {
  const carrier = toCarrier(activeCarrier());
  return carrier === undefined ? headers : { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
}

function activeCarrier(): object {
  const carrier = {};
  propagation.inject(context.active(), carrier);
  return carrier;
}

export function contextOf(carrier: Carrier): Context {
  return propagation.extract(ROOT_CONTEXT, carrier);
}

/** The span that has sent these headers, if one has. */
export function contextIn(headers: Headers): Context | undefined {
  const payload = headers[TRACE_HEADER];
  if (payload === undefined || payload === null) return undefined;
  try {
    const carrier = toCarrier(defaultPayloadConverter.fromPayload(payload));
    return carrier === undefined ? undefined : contextOf(carrier);
  } catch {
    return undefined;
  }
}
