/** The body of a request: at most 3 MiB, as Kubernetes'; JSON, YAML, or protobuf. */
import type { IncomingMessage } from 'node:http';
import { parse } from 'yaml';
import { BodyError, readBody } from '../../linux/request-body.ts';
import { depthFault } from '../../policy/document/nesting.ts';
import { decodeObject } from '../protobuf/decode.ts';
import { StatusError } from '../storage/status-error.ts';
import { contentTypeOf } from './media-types.ts';

const BODY_LIMIT = 3 * 1024 * 1024;
const BODY_MS = 30_000;
/** Levels of objects and lists. */
const DEPTH_LIMIT = 100;
/** Of a YAML text; JSON is read by V8, which takes a tenth of the time. */
const YAML_LIMIT = 1024 * 1024;
/** How often anchors may be used; a text can be made to grow by them without end. */
const ALIASES_LIMIT = 100;
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const BODY_TYPES = ['application/json', 'application/yaml', PROTOBUF];

/** @throws StatusError 400, 408, 413 */
export async function bodyBytes(request: IncomingMessage): Promise<Buffer> {
  try {
    return await readBody(request, { limit: BODY_LIMIT, ms: BODY_MS });
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    const reason = { 400: 'BadRequest', 408: 'Timeout', 413: 'RequestEntityTooLarge' }[error.status];
    throw new StatusError(error.status, reason, error.message);
  }
}

/** The document of a body, in the form that its Content-Type says. @throws StatusError 400, 408, 413, 415 */
export async function bodyDocument(request: IncomingMessage): Promise<unknown> {
  const type = contentTypeOf(request.headers['content-type']);
  if (!BODY_TYPES.includes(type))
    throw StatusError.unsupportedMediaType(
      `the body of the request was in an unknown format (${type.slice(0, 100)}): accepted are ${BODY_TYPES.join(', ')}`,
    );
  const bytes = await bodyBytes(request);
  if (bytes.length === 0) return undefined;
  if (type === PROTOBUF) return checked(decodeObject(bytes));
  return type === 'application/yaml' ? parseYaml(bytes.toString('utf8')) : parseJson(bytes.toString('utf8'));
}

function checked(value: unknown): unknown {
  checkDepth(value);
  return value;
}

/** @throws StatusError 400 */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw StatusError.badRequest(`read body: found no JSON: ${(error as Error).message}`);
  }
  checkDepth(value);
  return value;
}

/** Of JSON as well. @throws StatusError 400 */
export function parseYaml(text: string): unknown {
  if (text.trimStart().startsWith('{')) return parseJson(text);
  if (text.length > YAML_LIMIT) throw StatusError.badRequest(`read body: found more than ${YAML_LIMIT} bytes of YAML`);
  if (depthFault(text) !== undefined) throw tooDeep();
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: ALIASES_LIMIT, schema: 'core', logLevel: 'silent' });
  } catch (error) {
    throw StatusError.badRequest(`read body: found no YAML: ${(error as Error).message.split('\n', 1)[0]}`);
  }
  checkDepth(value);
  return value;
}

/** Level by level, so that no text is too deep for it. */
function checkDepth(value: unknown): void {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_LIMIT) throw tooDeep();
    const below: unknown[] = [];
    for (const one of level) {
      if (typeof one !== 'object' || one === null) continue;
      if (Object.hasOwn(one, '__proto__')) throw StatusError.badRequest('read body: found a field __proto__');
      for (const inner of Object.values(one)) if (typeof inner === 'object' && inner !== null) below.push(inner);
    }
    level = below;
  }
}

function tooDeep(): StatusError {
  return StatusError.badRequest(`read body: found more than ${DEPTH_LIMIT} levels`);
}
