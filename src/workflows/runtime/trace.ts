import {
  proxySinks,
  workflowInfo,
  type ActivityInput,
  type ContinueAsNewInput,
  type Headers,
  type Next,
  type SignalInput,
  type Sinks,
  type WorkflowExecuteInput,
  type WorkflowInboundCallsInterceptor,
  type WorkflowInterceptors,
  type WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import { SIGNAL } from '../../contract/names.ts';
import { below, toCarrier, TRACE_HEADER, type Carrier } from '../../contract/trace.ts';
import { payloadConverter } from './payload-converter.ts';

/**
 * Hands a trace on, from whoever has started the run to its activities and to the run that it continues as. It only
 * copies headers, so histories with and without traces replay alike, and no library of OpenTelemetry runs in here: the
 * worker is told what has happened and makes the spans, where it makes any (`src/tracing/worker.ts`).
 */
export interface TraceSinks extends Sinks {
  trace: {
    ended: (run: EndedRun) => void;
    signalled: (signal: SeenSignal) => void;
  };
}

export interface EndedRun {
  caller?: Carrier | undefined;
  /** What the run has closed with: a failure's type, `ContinuedAsNew`, or nothing where it has completed. */
  failure?: string;
}

export interface SeenSignal {
  caller?: Carrier | undefined;
  name: string;
  /** The span that has sent it. */
  sender: Carrier;
}

class Trace implements WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor {
  #caller: Carrier | undefined;
  #successor: Carrier | undefined;

  async execute(input: WorkflowExecuteInput, next: Next<WorkflowInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    this.#caller = carrierIn(input.headers);
    try {
      const result = await next(input);
      tell(({ trace }) => trace.ended({ caller: this.#caller }));
      return result;
    } catch (error) {
      tell(({ trace }) => trace.ended({ caller: this.#caller, failure: failureOf(error) }));
      throw error;
    }
  }

  async handleSignal(input: SignalInput, next: Next<WorkflowInboundCallsInterceptor, 'handleSignal'>): Promise<void> {
    const sender = carrierIn(input.headers);
    if (sender !== undefined) {
      // The latest wins, as it does in the saga.
      if (input.signalName === SIGNAL.supersede) this.#successor = sender;
      tell(({ trace }) => trace.signalled({ caller: this.#caller, name: input.signalName, sender }));
    }
    await next(input);
  }

  async scheduleActivity(
    input: ActivityInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>,
  ): Promise<unknown> {
    const own = this.#caller === undefined ? undefined : below(this.#caller, workflowInfo().runId);
    return await next({ ...input, headers: withCarrier(input.headers, own) });
  }

  async continueAsNew(
    input: ContinueAsNewInput,
    next: Next<WorkflowOutboundCallsInterceptor, 'continueAsNew'>,
  ): Promise<never> {
    return await next({ ...input, headers: withCarrier(input.headers, this.#successor ?? this.#caller) });
  }
}

export function interceptors(): WorkflowInterceptors {
  const trace = new Trace();
  return { inbound: [trace], outbound: [trace] };
}

/** A replay tells nothing. */
function tell(what: (sinks: TraceSinks) => void): void {
  if (!workflowInfo().unsafe.isReplaying) what(proxySinks<TraceSinks>());
}

function carrierIn(headers: Headers): Carrier | undefined {
  const payload = headers[TRACE_HEADER];
  return payload === undefined ? undefined : toCarrier(payloadConverter.fromPayload(payload));
}

function withCarrier(headers: Headers, carrier: Carrier | undefined): Headers {
  return carrier === undefined ? headers : { ...headers, [TRACE_HEADER]: payloadConverter.toPayload(carrier) };
}

function failureOf(error: unknown): string {
  if (error instanceof Error && 'type' in error && typeof error.type === 'string') return error.type;
  return error instanceof Error ? error.name : 'unknown';
}
