import { z } from 'zod';
import { VERSION } from '../lib/version.ts';
import {
  callPath,
  commsOperation,
  errorBody,
  innerError,
  muteBody,
  publicError,
  operationPath,
  participantPath,
} from './schemas.ts';

/** The OpenAPI 3.1 document. Its schemas are those that the requests are validated with. */

type Fields = Record<string, unknown>;

const REF = (name: string): Fields => ({ $ref: `#/components/schemas/${name}` });

export function openApiOf(): Fields {
  const registry = z.registry<{ id?: string }>();
  for (const schema of [muteBody, commsOperation, errorBody, publicError, innerError]) {
    registry.add(schema, { id: z.globalRegistry.get(schema)?.id ?? '' });
  }
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` });
  return {
    openapi: '3.1.0',
    info: {
      title: 'call-moderation',
      version: VERSION,
      description:
        "Mute and unmute in group calls, in Graph's shapes. An operation is completed once the roster has confirmed it.",
    },
    security: [{ entra: [] }],
    paths: Object.fromEntries(
      ['v1.0', 'beta'].flatMap((version) => ['communications', 'app'].flatMap((root) => pathsOf(version, root))),
    ),
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, componentOf(schema)])),
      securitySchemes: { entra: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}

/** A schema of a document names neither its dialect nor itself. */
function componentOf(schema: object): Fields {
  const { $schema: _dialect, $id: _id, ...rest } = schema as Fields;
  return rest;
}

function pathsOf(version: string, root: string): [string, Fields][] {
  const name = `${version}.${root}`;
  const call = `/${version}/${root}/calls/{callId}`;
  return [
    [`${call}/mute`, { post: postOf(`${name}.mute`, 'Mute the application', callPath) }],
    [`${call}/unmute`, { post: postOf(`${name}.unmute`, 'Unmute the application', callPath) }],
    [
      `${call}/participants/{participantId}/mute`,
      { post: postOf(`${name}.participantMute`, 'Mute a participant', participantPath) },
    ],
    [
      `${call}/operations/{operationId}`,
      {
        get: {
          operationId: `${name}.operation`,
          summary: 'An operation, and what has become of it',
          parameters: parametersOf(operationPath),
          responses: { 200: jsonOf('The operation.', 'commsOperation'), ...ERRORS },
        },
      },
    ],
  ];
}

function postOf(operationId: string, summary: string, path: z.ZodObject): Fields {
  return {
    operationId,
    summary,
    parameters: [...parametersOf(path), ...HEADERS],
    requestBody: { required: false, content: { 'application/json': { schema: REF('muteBody') } } },
    responses: {
      200: { ...jsonOf('The roster has confirmed it.', 'commsOperation'), headers: LOCATION },
      202: { ...jsonOf('It is running; ask for it at Location.', 'commsOperation'), headers: LOCATION },
      ...ERRORS,
    },
  };
}

function parametersOf(path: z.ZodObject): Fields[] {
  return Object.entries(path.shape).map(([name, schema]) => ({
    name,
    in: 'path',
    required: true,
    schema: componentOf(z.toJSONSchema(schema as z.ZodType)),
  }));
}

const HEADERS: readonly Fields[] = [
  ['Prefer', '`respond-async`, or `wait=N` with the seconds to wait for the outcome (RFC 7240).'],
  ['Idempotency-Key', 'The same key on the same call is the same operation.'],
  ['client-request-id', 'Comes back.'],
].map(([name, description]) => ({ name, in: 'header', required: false, description, schema: { type: 'string' } }));

const LOCATION: Fields = {
  Location: { description: 'Where to ask for the operation again.', schema: { type: 'string', format: 'uri' } },
};

const ERRORS: Fields = { default: jsonOf('Why there is no such operation.', 'errorBody') };

function jsonOf(description: string, schema: string): Fields {
  return { description, content: { 'application/json': { schema: REF(schema) } } };
}
