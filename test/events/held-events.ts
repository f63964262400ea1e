import { condition, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import type { ModerationEvent, OperationEvent } from '../../src/contract/event.ts';
import { SIGNAL, WORKFLOW } from '../../src/contract/names.ts';

/**
 * Holds the event of a mute until another operation has asked to take over. So that request always comes between the end of the mute
 * and the end of its run, which are a few ms apart otherwise.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let isToTakeOver = false;
  return {
    inbound: [
      {
        async handleSignal(input, next) {
          if (input.signalName === SIGNAL.supersede) isToTakeOver = true;
          await next(input);
        },
      },
    ],
    outbound: [
      {
        async startChildWorkflowExecution(input, next) {
          if (input.workflowType === WORKFLOW.publishEvent && isOfMute(input.options.args?.[0])) {
            await condition(() => isToTakeOver, '60 s');
          }
          return await next(input);
        },
      },
    ],
  };
};

function isOfMute(event: unknown): boolean {
  return ((event as ModerationEvent).data as Partial<OperationEvent>).action === 'mute';
}
