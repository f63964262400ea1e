import { z } from 'zod';

/**
 * What the gateway takes and answers, in Graph's shapes. The schemas of requests validate the requests; those of answers are
 * what the answers' types are made of. `/openapi.json` is generated from both.
 */

const id = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ -, as Graph gave it')
  .meta({ examples: ['57dab8b1-894c-409a-b240-bd8beae78896'] });

export const callPath = z.object({ callId: id.describe("The call's ID.") });
export const participantPath = callPath.extend({
  participantId: id.describe('The ID of the participant, as a roster shows it.'),
});
export const operationPath = callPath.extend({ operationId: z.string().max(128).describe("The operation's ID.") });

export const muteBody = z
  .strictObject({
    clientContext: z
      .string()
      .max(256, 'must be at most 256 characters')
      .nullish()
      .describe('Comes back with the operation, at most 256 characters.'),
  })
  .meta({ id: 'muteBody', description: 'May be left out.' });

export const commsOperation = z
  .object({
    '@odata.context': z.string(),
    '@odata.type': z.enum(['#microsoft.graph.muteParticipantOperation', '#microsoft.graph.unmuteParticipantOperation']),
    id: z.string().describe('To be used in the path of operations.'),
    status: z
      .enum(['running', 'completed', 'failed'])
      .describe("`completed` only once the call's roster has confirmed it."),
    clientContext: z.string().nullable(),
    resultInfo: z
      .object({
        '@odata.type': z.literal('#microsoft.graph.resultInfo'),
        code: z.int().describe('The HTTP status of the failure.'),
        subcode: z.int(),
        message: z.string(),
      })
      .nullable()
      .describe('Of a failed operation.'),
    error: z
      .lazy(() => publicError)
      .optional()
      .describe('Of a failed operation: the same as in the body of an error.'),
  })
  .meta({ id: 'commsOperation' });
export type CommsOperation = z.output<typeof commsOperation>;

export const innerError = z
  .object({
    date: z.string().describe('UTC, without a zone, as Graph writes it.'),
    'request-id': z.string(),
    'client-request-id': z.string(),
    restored: z.boolean().optional().describe('Whether the call was put back as it was before.'),
    issues: z.array(z.string()).optional().describe('Everything that is invalid.'),
    graphStatus: z.int().optional().describe("The HTTP status of Graph's refusal."),
    graphCode: z.string().optional().describe("The code of Graph's refusal."),
    graphRequestId: z.string().optional().describe('To be named in a support request to Microsoft.'),
  })
  .meta({ id: 'innerError' });
export type InnerError = z.output<typeof innerError>;

export const publicError = z
  .object({
    code: z.string().describe('The type of the failure.'),
    message: z.string(),
    innerError,
  })
  .meta({ id: 'publicError' });

export const errorBody = z.object({ error: publicError }).meta({ id: 'errorBody' });
export type ErrorBody = z.output<typeof errorBody>;
