/** Envelopes as messages of the API: GetFlowsResponse of observer.proto. */
import { createRegistry, type DescMessage, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import { AnySchema, StringValueSchema } from '@bufbuild/protobuf/wkt';
import type { Envelope } from '../flow.ts';
import { readEnvelope } from '../decode/read-envelope.ts';
import {
  GetAgentEventsResponseSchema,
  type GetFlowsResponse,
  GetFlowsResponseSchema,
} from '../proto/observer/observer_pb.ts';
import { compileEncoder } from './encoder.ts';

/** How messages become JSON as Hubble writes it. */
export const JSON_OPTIONS = { registry: createRegistry(StringValueSchema), useProtoFieldName: true } as const;

const encode = compileEncoder(GetFlowsResponseSchema);

/** An envelope as a GetFlowsResponse. @returns bytes that nobody else has */
export function encodeEnvelope({ flow, lost_events, node_name, time }: Envelope): Uint8Array {
  return encode({ flow, lost_events, node_name, time }); // whatever object it was, with its members its own
}

const encodeAgent = compileEncoder(GetAgentEventsResponseSchema);

/** An envelope with an event of the agent as a GetAgentEventsResponse. */
export function encodeAgentEvent({ agent_event, node_name, time }: Envelope): Uint8Array {
  return encodeAgent({ agent_event, node_name, time });
}

/** A GetFlowsResponse as an envelope, its members in the order of the proto files. */
export function envelopeOf(response: GetFlowsResponse): Envelope {
  const json = toJson(GetFlowsResponseSchema, response, JSON_OPTIONS);
  return readEnvelope(inOrder(GetFlowsResponseSchema, json)) ?? {};
}

/** The same from bytes, for tests. @throws Error for bytes that are no GetFlowsResponse */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  return envelopeOf(fromBinary(GetFlowsResponseSchema, bytes));
}

/** The runtime writes members in the order of their numbers; Hubble writes them in the order of the file. */
function inOrder(schema: DescMessage, value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => inOrder(schema, one));
  if (schema.typeName === AnySchema.typeName) return { '@type': value['@type'], ...value };
  const ordered: Record<string, JsonValue> = {};
  for (const { name, message } of schema.fields) {
    const member = value[name];
    if (member !== undefined) ordered[name] = message === undefined ? member : inOrder(message, member);
  }
  return ordered;
}
