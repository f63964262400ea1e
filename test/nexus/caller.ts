import { ApplicationFailure, NexusOperationFailure } from '@temporalio/common';
import { createNexusServiceClient, isCancellation } from '@temporalio/workflow';
import { moderation } from '../../src/nexus/contract.ts';

/** A workflow of another team, in another namespace. Of our package it imports the contract of the Nexus service alone. */

export interface Asked {
  endpoint: string;
  operation: keyof typeof moderation.operations;
  input: unknown;
}

/** How the Nexus operation ended, as its caller sees it. */
export type Ended =
  | { result: unknown }
  | { cancelled: true; message: string }
  | { type: string; message: string; details: unknown };

/** Cancelling it cancels the Nexus operation. */
export async function callModeration({ endpoint, operation, input }: Asked): Promise<Ended> {
  const client = createNexusServiceClient({ service: moderation, endpoint });
  try {
    return { result: await client.executeOperation(operation, input as never) };
  } catch (error) {
    if (!(error instanceof NexusOperationFailure)) throw error;
    const { cause } = error;
    if (isCancellation(error)) return { cancelled: true, message: cause?.message ?? '' };
    if (!(cause instanceof ApplicationFailure)) throw error;
    return { type: cause.type ?? '', message: cause.message, details: cause.details?.[0] };
  }
}
