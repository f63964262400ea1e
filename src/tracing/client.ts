import { context, SpanKind } from '@opentelemetry/api';
import { WorkflowNotFoundError, type WorkflowClientInterceptor } from '@temporalio/client';
import { withActiveSpan } from './carrier.ts';
import { inSpan } from './span.ts';

/**
 * An interceptor for Temporal's client: the workflows that it starts and signals belong to the caller's trace. Without an
 * SDK of OpenTelemetry in the process it does nothing.
 *
 * @example
 * const client = new Client({ connection, interceptors: { workflow: [traceInterceptor] } });
 */
export const traceInterceptor: WorkflowClientInterceptor = {
  async startWithDetails(input, next) {
    const attributes = { 'temporal.workflow.id': input.options.workflowId };
    return await inSpan(
      `StartWorkflow:${input.workflowType}`,
      { kind: SpanKind.CLIENT, attributes },
      context.active(),
      async (span) => {
        const output = await next({ ...input, headers: withActiveSpan(input.headers) });
        span.setAttribute('temporal.run.id', output.runId);
        return output;
      },
    );
  },

  async signal(input, next) {
    const attributes = { 'temporal.workflow.id': input.workflowExecution.workflowId ?? '' };
    const options = { kind: SpanKind.PRODUCER, attributes };
    // That nobody runs who could take it is the usual case, and no failure.
    const notFound = await inSpan(`SignalWorkflow:${input.signalName}`, options, context.active(), async (span) => {
      try {
        await next({ ...input, headers: withActiveSpan(input.headers) });
        return undefined;
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        span.setAttribute('temporal.workflow.found', false);
        return error;
      }
    });
    if (notFound !== undefined) throw notFound;
  },
};
