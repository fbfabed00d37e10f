/** What is below an object and is no part of it: /scale, /binding, /eviction, /finalize. (/status is written as the object is.) */
import { pathName, type Resource } from '../resources/resource.ts';
import { StatusError } from '../storage/status-error.ts';
import type { Storage } from '../storage/storage.ts';
import { bodyDocument } from './body.ts';
import type { Answer, Call } from './call.ts';
import type { Writing } from './writing.ts';

type Method = (call: Call, parts: SubresourceParts) => Promise<Answer> | Answer;

interface SubresourceParts {
  readonly storage: Storage;
  readonly writing: Writing;
}

/** `METHOD subresource`. */
const METHODS: Readonly<Record<string, Method>> = {
  'PUT finalize': (call, { writing }) => writing.update(call),
  'POST eviction': evict,
};

/** @throws StatusError 405 */
export async function subresourceAnswer(call: Call, parts: SubresourceParts): Promise<Answer> {
  const key = `${call.method} ${call.path.subresource}`;
  if (!Object.hasOwn(METHODS, key)) throw unserved(call.resource, key);
  return await METHODS[key](call, parts);
}

/** Deletes the pod; there is no budget that could keep it. */
async function evict(call: Call, { writing }: SubresourceParts): Promise<Answer> {
  const { deleteOptions = {} } = ((await bodyDocument(call.request)) ?? {}) as { deleteOptions?: object };
  await writing.remove(call, deleteOptions);
  return { status: 201, document: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } };
}

function unserved(resource: Resource, key: string): StatusError {
  return StatusError.methodNotAllowed(`the server does not serve ${key} of ${pathName(resource)}`);
}
