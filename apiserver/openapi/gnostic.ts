/**
 * An OpenAPI 2 document as the protobuf messages of gnostic (openapiv2/OpenAPIv2.proto), which kubectl before 1.27 asks for. Only the parts
 * that our documents have; what is none of them is an extension, whose value is a text of YAML there (JSON is YAML).
 *
 * A message is its fields one after the other: key (number and wire type), then a varint, or a length and as many bytes.
 */
import type { Schema } from './schemas.ts';

/** A field of a message, encoded. */
type Part = Uint8Array;

export function encodeDocument({ swagger, info, paths, definitions }: Schema): Uint8Array {
  return message(
    text(1, swagger),
    part(2, message(text(1, (info as Schema)['title']), text(2, (info as Schema)['version']))),
    part(8, message(...named(2, paths, pathItem))),
    part(9, message(...named(1, definitions, schema))),
  );
}

const METHODS = { get: 2, put: 3, post: 4, delete: 5, options: 6, head: 7, patch: 8 };

function pathItem(item: Schema): Part {
  return message(
    ...Object.entries(METHODS).flatMap(([method, number]) =>
      item[method] === undefined ? [] : [part(number, operation(item[method] as Schema))],
    ),
    ...parameters(9, item['parameters']),
  );
}

function operation(one: Schema): Part {
  return message(
    text(3, one['description']),
    ...texts(6, one['produces']),
    ...texts(7, one['consumes']),
    ...parameters(8, one['parameters']),
    part(9, message(...named(1, one['responses'], response))),
    ...extensions(13, one),
  );
}

/** ResponseValue { response } { Response { description, schema } } */
function response(one: Schema): Part {
  const answer = one['schema'] === undefined ? [] : [part(2, message(part(1, schema(one['schema'] as Schema))))];
  return message(part(1, message(text(1, one['description']), ...answer)));
}

/** ParametersItem { parameter } { Parameter { body | other } } */
function parameters(number: number, list: unknown): Part[] {
  return ((list ?? []) as Schema[]).map((one) => part(number, message(part(1, parameter(one)))));
}

function parameter(one: Schema): Part {
  if (one['in'] === 'body') {
    const body = [text(2, one['name']), text(3, 'body'), truth(4, true), part(5, schema(one['schema'] as Schema))];
    return message(part(1, message(...body)));
  }
  const isPath = one['in'] === 'path';
  // Of a path, `uniqueItems` and `type` have other numbers than of a query.
  const own = isPath
    ? message(truth(1, true), text(2, 'path'), text(4, one['name']), text(5, one['type']), truth(19, true))
    : message(text(2, 'query'), text(4, one['name']), text(6, one['type']), truth(20, true));
  return message(part(2, message(part(isPath ? 4 : 3, own))));
}

function schema(one: Schema): Part {
  const { items, additionalProperties, properties, required } = one;
  return message(
    text(1, one['$ref']),
    text(2, one['format']),
    text(4, one['description']),
    ...texts(19, required),
    ...((one['enum'] ?? []) as unknown[]).map((word) => part(20, any(word))),
    ...(additionalProperties === undefined ? [] : [part(21, message(part(1, schema(additionalProperties as Schema))))]),
    ...(one['type'] === undefined ? [] : [part(22, message(text(1, one['type'])))]),
    ...(items === undefined ? [] : [part(23, message(part(1, schema(items as Schema))))]),
    ...(properties === undefined ? [] : [part(25, message(...named(1, properties, schema)))]),
    ...extensions(31, one),
  );
}

/** Any { yaml } */
const any = (value: unknown): Part => message(text(2, JSON.stringify(value)));

function extensions(number: number, one: Schema): Part[] {
  return Object.entries(one)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => part(number, message(text(1, name), part(2, any(value)))));
}

/** A map: NamedX { name, value } for each. */
function named(number: number, map: unknown, encode: (one: Schema) => Part): Part[] {
  return Object.entries(map as Record<string, Schema>).map(([name, value]) =>
    part(number, message(text(1, name), part(2, encode(value)))),
  );
}

const NOTHING = new Uint8Array(0);
const BYTES = 2;

function message(...parts: readonly Part[]): Part {
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

function part(number: number, content: Uint8Array): Part {
  return Buffer.concat([varint((number << 3) | BYTES), varint(content.length), content]);
}

/** A text that is not there is no field. */
function text(number: number, value: unknown): Part {
  return typeof value === 'string' && value !== '' ? part(number, Buffer.from(value)) : NOTHING;
}

function texts(number: number, values: unknown): Part[] {
  return ((values ?? []) as string[]).map((value) => text(number, value));
}

function truth(number: number, value: boolean): Part {
  return Buffer.concat([varint(number << 3), Uint8Array.of(value ? 1 : 0)]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
