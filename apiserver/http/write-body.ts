/** The body of a write, held against its path: one object, of the right kind and version, of the name and namespace that the path has. */
import { apiVersionOf } from '../resources/resource.ts';
import type { NewObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import type { Call } from './call.ts';
import { coreEvent, EVENTS_GROUP } from './event-forms.ts';

/** What is wanted of the body. */
interface Expected {
  readonly apiVersion: string;
  readonly kind: string;
}

/** @param expected the kind, when it is not that of the path's resource @throws StatusError 400 */
export function objectOf(call: Call, body: unknown, expected: Expected = kindOf(call)): NewObject {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw StatusError.badRequest(`read body: found no object, wanted a ${expected.kind}`);
  const { apiVersion = expected.apiVersion, kind = expected.kind, metadata = {} } = body as NewObject;
  if (apiVersion !== expected.apiVersion)
    throw StatusError.badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected.apiVersion})`,
    );
  if (kind !== expected.kind)
    throw StatusError.badRequest(`the kind in the data (${kind}) does not match the expected kind (${expected.kind})`);
  checkMetadata(metadata);
  return placed(call, { ...(body as NewObject), apiVersion, kind, metadata });
}

/** As it is stored: in the core's form of events, in the stored version. */
export function stored({ path, resource }: Call, object: NewObject): NewObject {
  const event = path.group === EVENTS_GROUP ? coreEvent(object) : object;
  return path.group === EVENTS_GROUP ? event : { ...event, apiVersion: apiVersionOf(resource) };
}

function kindOf({ path, resource }: Call): Expected {
  return { apiVersion: apiVersionOf(resource, path.version), kind: resource.kind };
}

/** With the name and the namespace of the path. */
function placed({ path, resource }: Call, object: NewObject): NewObject {
  const { name = '', namespace = '' } = object.metadata ?? {};
  if (path.name !== '' && name !== '' && name !== path.name)
    throw StatusError.badRequest(`the name of the object (${name}) does not match the name on the URL (${path.name})`);
  if (resource.isNamespaced && namespace !== '' && namespace !== path.namespace)
    throw StatusError.badRequest(
      `the namespace of the provided object does not match the namespace sent on the request: found ${namespace}, wanted ${path.namespace}`,
    );
  const metadata: Record<string, unknown> = { ...object.metadata };
  delete metadata['namespace'];
  const wanted = {
    ...metadata,
    ...(path.name !== '' && path.subresource === '' && { name: path.name }),
    ...(resource.isNamespaced && { namespace: path.namespace }),
  };
  return { ...object, metadata: wanted };
}

/** Whatever the kind, code that reads objects relies on these. @throws StatusError 400 */
function checkMetadata(metadata: unknown): void {
  if (!isMap(metadata)) throw wrong('metadata', 'a map');
  const { name, namespace, generateName, labels, annotations, finalizers, ownerReferences } = metadata;
  for (const [field, value] of Object.entries({ name, namespace, generateName }))
    if (value !== undefined && value !== null && typeof value !== 'string')
      throw wrong(`metadata.${field}`, 'a string');
  for (const [field, value] of Object.entries({ labels, annotations })) {
    const isWrong = !isMap(value ?? {}) || Object.values(value ?? {}).some((one) => typeof one !== 'string');
    if (isWrong) throw wrong(`metadata.${field}`, 'a map of strings');
  }
  if (!isListOf(finalizers, (one) => typeof one === 'string')) throw wrong('metadata.finalizers', 'a list of strings');
  if (!isListOf(ownerReferences, isOwner))
    throw wrong('metadata.ownerReferences', 'references with kind, name and uid');
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, isOne: (one: unknown) => boolean): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.every(isOne));
}

function isOwner(value: unknown): boolean {
  return isMap(value) && ['apiVersion', 'kind', 'name', 'uid'].every((field) => typeof value[field] === 'string');
}

function wrong(field: string, wanted: string): StatusError {
  return StatusError.badRequest(`read body: found another thing in ${field}, wanted ${wanted}`);
}
