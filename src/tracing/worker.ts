import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context, type SpanOptions } from '@opentelemetry/api';
import type { Context as ActivityContext } from '@temporalio/activity';
import type { ActivityInterceptors, InjectedSinks } from '@temporalio/worker';
import type { WorkflowInfo } from '@temporalio/workflow';
import { idsOf, type Carrier } from '../contract/trace.ts';
import type { TraceSinks } from '../workflows/runtime/trace.ts';
import { contextIn, contextOf } from './carrier.ts';
import { withIds } from './ids.ts';
import { inSpan, tracer } from './span.ts';

/**
 * The spans of a worker: one for each run, one for each attempt of an activity, one for each signal that came with a
 * trace. A run that nobody's trace has begun has one of its own, whose ID is the run's without the dashes.
 */

/** Each attempt, below the run's span. */
export function activityInterceptors({ info }: ActivityContext): ActivityInterceptors {
  const { workflowExecution, activityType, attempt } = info;
  const { workflowId = '', runId = '' } = workflowExecution ?? {};
  const options = {
    attributes: { 'temporal.workflow.id': workflowId, 'temporal.run.id': runId, 'temporal.activity.attempt': attempt },
  };
  return {
    inbound: {
      async execute(input, next) {
        const parent = contextIn(input.headers);
        // Begun before anything else can begin a span.
        const ids = parent === undefined ? { traceId: idsOf(runId).traceId } : {};
        return await withIds(ids, () =>
          inSpan(`RunActivity:${activityType}`, options, parent ?? ROOT_CONTEXT, async () => {
            return await withIds({}, () => next(input));
          }),
        );
      },
    },
  };
}

/** Called by the workflows' side (`src/workflows/runtime/trace.ts`), not while they replay. */
export const traceSinks: InjectedSinks<TraceSinks> = {
  trace: {
    ended: {
      fn: (info, { caller, failure }) => {
        const { workflowType, runId, runStartTime } = info;
        const options = { kind: SpanKind.SERVER, attributes: attributesOf(info), startTime: runStartTime };
        withIds(idsOf(runId), () => {
          const span = tracer.startSpan(`RunWorkflow:${workflowType}`, options, parentOf(caller));
          // Deliverable over to another run, it has not failed.
          if (failure !== undefined) span.setAttribute('temporal.workflow.closed_with', failure);
          if (failure !== undefined && failure !== 'ContinueAsNew') {
            span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
          }
          span.end();
        });
      },
    },
    signalled: {
      fn: (info, { caller, name, sender }) => {
        // The sender's trace is another one, such as that of the notification: each names the other's span.
        const link = trace.getSpanContext(contextOf(sender));
        const options: SpanOptions = {
          kind: SpanKind.CONSUMER,
          attributes: attributesOf(info),
          ...(link !== undefined && { links: [{ context: link }] }),
        };
        const { traceId, spanId } = idsOf(info.runId);
        const run = parentOf(caller);
        const parent = caller === undefined ? run : below(run, spanId);
        withIds({ traceId }, () => tracer.startSpan(`HandleSignal:${name}`, options, parent).end());
      },
    },
  },
};

function attributesOf({ workflowId, runId }: WorkflowInfo): Record<string, string> {
  return { 'temporal.workflow.id': workflowId, 'temporal.run.id': runId };
}

function parentOf(caller: Carrier | undefined): Context {
  return caller === undefined ? ROOT_CONTEXT : contextOf(caller);
}

/** The same trace, below the span of the run. */
function below(parent: Context, spanId: string): Context {
  const span = trace.getSpanContext(parent);
  return span === undefined ? parent : trace.setSpanContext(parent, { ...span, spanId });
}
