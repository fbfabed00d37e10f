/** What is below an object and is no part of it: /scale, /binding, /eviction, /finalize, /ephemeralcontainers. (/status is written as the object is.) */
import type { Writes } from '../patch/writes.ts';
import { bound } from '../resources/binding.ts';
import { DEFINITIONS } from '../resources/custom-resource.ts';
import { pathName } from '../resources/resource.ts';
import type { Resources } from '../resources/resources.ts';
import { type ScalePaths, scaleOf, withScale } from '../resources/scale.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import type { Storage } from '../storage/storage.ts';
import { bodyBytes, bodyDocument, parseJson } from './body.ts';
import type { Answer, Call } from './call.ts';
import { contentTypeOf } from './media-types.ts';
import type { Reading } from './reading.ts';
import { shown } from './shown.ts';
import { objectOf } from './write-body.ts';
import { writeOptions, type Writing } from './writing.ts';

interface SubresourceParts {
  readonly storage: Storage;
  readonly resources: Resources;
  readonly reading: Reading;
  readonly writing: Writing;
  readonly writes: Writes;
}

type Method = (call: Call, parts: SubresourceParts) => Promise<Answer> | Answer;

const SCALE = { apiVersion: 'autoscaling/v1', kind: 'Scale' };
const BINDING = { apiVersion: 'v1', kind: 'Binding' };

/** `METHOD subresource`. */
const METHODS: Readonly<Record<string, Method>> = {
  'GET scale': (call, { reading, storage }) => ({ document: scaleOf(reading.found(call), pathsOf(call, storage)) }),
  'PUT scale': replaceScale,
  'PATCH scale': patchScale,
  'POST binding': async (call, parts) =>
    await bind(call, objectOf(call, await bodyDocument(call.request), BINDING), parts),
  'PUT finalize': (call, { writing }) => writing.update(call),
  'POST eviction': evict,
  'GET ephemeralcontainers': (call, { reading, storage }) => ({ document: shown(call, reading.found(call), storage) }),
  'PUT ephemeralcontainers': (call, { writing }) => writing.update(call),
  'PATCH ephemeralcontainers': (call, { writing }) => writing.patch(call),
};

/** @throws StatusError 405 */
export async function subresourceAnswer(call: Call, parts: SubresourceParts): Promise<Answer> {
  const key = `${call.method} ${call.path.subresource}`;
  if (Object.hasOwn(METHODS, key)) return await METHODS[key](call, parts);
  throw StatusError.methodNotAllowed(`the server does not serve ${key} of ${pathName(call.resource)}`);
}

/** A Binding that is posted by itself, and not below its pod. */
export async function boundAnswer(call: Call, parts: SubresourceParts): Promise<Answer> {
  const pods = parts.resources.named('pods');
  const body = objectOf(call, await bodyDocument(call.request), BINDING);
  const { name = '' } = body.metadata ?? {};
  if (pods === undefined || name === '') throw StatusError.badRequest('bind: found no name of a pod in the metadata');
  const path = { ...call.path, plural: pods.plural, name, subresource: 'binding' };
  return await bind({ ...call, resource: pods, path }, body, parts);
}

async function bind(call: Call, binding: object, { writing }: SubresourceParts): Promise<Answer> {
  await writing.change(call, (pod) => ({ object: bound(pod, binding, Date.now()), warnings: [] }), '');
  return { status: 201, document: SUCCESS };
}

/** Deletes the pod; there is no budget that could keep it. */
async function evict(call: Call, { writing }: SubresourceParts): Promise<Answer> {
  const { deleteOptions } = ((await bodyDocument(call.request)) ?? {}) as { deleteOptions?: object };
  await writing.remove(call, deleteOptions);
  return { status: 201, document: SUCCESS };
}

const SUCCESS = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

async function replaceScale(call: Call, parts: SubresourceParts): Promise<Answer> {
  const body = objectOf(call, await bodyDocument(call.request), SCALE);
  return await scaled(call, () => body, parts);
}

async function patchScale(call: Call, parts: SubresourceParts): Promise<Answer> {
  const type = contentTypeOf(call.request.headers['content-type']);
  const patch = parseJson((await bodyBytes(call.request)).toString('utf8'));
  const options = { ...writeOptions(call), subresource: '' };
  return await scaled(call, (scale) => parts.writes.patch(scale, type, patch, options).object, parts);
}

/** @param wanted makes the scale to be of the one that is */
async function scaled(call: Call, wanted: (scale: KubeObject) => object, parts: SubresourceParts): Promise<Answer> {
  const paths = pathsOf(call, parts.storage);
  const rule = (live: KubeObject) =>
    parts.writes.replace(live, withScale(live, wanted(scaleOf(live, paths)), paths), writeOptions(call));
  return { document: scaleOf(await parts.writing.change(call, rule, ''), paths) };
}

interface ScaledVersions {
  readonly versions?: readonly { readonly name: string; readonly subresources?: { readonly scale?: ScalePaths } }[];
}

/** Of a custom resource, as its definition has them. */
function pathsOf({ resource, path }: Call, storage: Storage): ScalePaths | undefined {
  const { versions = [] } = (storage.get(DEFINITIONS, '', resource.name)?.['spec'] ?? {}) as ScaledVersions;
  return versions.find(({ name }) => name === path.version)?.subresources?.scale;
}
