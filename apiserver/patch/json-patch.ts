/**
 * JSON patch (RFC 6902), with Kubernetes' messages, and as it does it: an index below zero counts from the end, and a patch has at most
 * 10,000 operations. What copies may add up to is bounded too: each may double what was there before.
 */
import { StatusError } from '../storage/status-error.ts';
import { checkPlain, isEqual, isList, isObject, type Plain, type PlainObject, reservedName, textOf } from './plain.ts';

const MAX_OPERATIONS = 10_000;
const MAX_COPIED = 3 << 20; // characters

type Draft = Record<string, Plain> | Plain[];
type Step = (document: Plain, operation: PlainObject) => Plain;

/**
 * @param document is left as it is
 * @param patch the body of the request
 * @throws StatusError 400 for what is no patch, 413 for too much, 422 for what does not apply
 */
export function applyJsonPatch<T extends object>(document: T, patch: unknown): T {
  checkPlain(patch, 'JSON patch');
  if (!isList(patch) || !patch.every(isObject))
    throw StatusError.badRequest('read JSON patch: found something else, wanted a list of operations');
  if (patch.length > MAX_OPERATIONS)
    throw tooLarge(`The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`);
  let result = structuredClone(document) as unknown as Plain;
  let copied = 0;
  for (const operation of patch) {
    const name = textOf(operation['op']);
    const step = Object.hasOwn(STEPS, name) ? STEPS[name] : undefined;
    if (step === undefined) throw unprocessable(`Unexpected kind: ${textOf(operation['op']) || 'unknown'}`);
    if (operation['op'] === 'copy') {
      copied += sizeAt(result, operation);
      if (copied > MAX_COPIED) throw tooLarge(`a JSON patch may copy ${MAX_COPIED} bytes, got more`);
    }
    result = step(result, operation);
  }
  checkPlain(result, 'patched object');
  if (!isObject(result)) throw unprocessable('the patch leaves no object');
  return result as T;
}

const STEPS: Readonly<Record<string, Step>> = {
  add: (document, operation) => {
    const path = pathOf(operation, 'add');
    add(
      containerOf(document, path, `add operation does not apply: doc is missing path: "${path}"`),
      path,
      value(operation),
    );
    return document;
  },
  remove: (document, operation) => {
    const path = pathOf(operation, 'remove');
    remove(
      containerOf(document, path, `remove operation does not apply: doc is missing path: "${path}"`),
      path,
      'remove',
    );
    return document;
  },
  replace: (document, operation) => {
    const path = pathOf(operation, 'replace');
    if (path === '') return value(operation);
    const container = containerOf(document, path, `replace operation does not apply: doc is missing path: ${path}`);
    const key = lastOf(path);
    // A field that is not there may be replaced, against the RFC: so Kubernetes does, and patches count on it.
    if (!isList(container)) add(container, path, value(operation));
    else if (read(container, key) === undefined) throw wrongIndex('replace', path, key);
    else container[indexOf(key, container.length)] = value(operation);
    return document;
  },
  move: (document, operation) => {
    const [path, from] = [pathOf(operation, 'move'), fromOf(operation, 'move')];
    if (`${path}/`.startsWith(`${from}/`) && path !== from)
      throw unprocessable(`error in move for path: '${path}': it lies in what is moved`);
    const source = containerOf(document, from, `move operation does not apply: doc is missing from path: ${from}`);
    const moved = read(source, lastOf(from));
    remove(source, from, 'move');
    const missingText = `move operation does not apply: doc is missing destination path: ${path}`;
    add(containerOf(document, path, missingText), path, moved as Plain);
    return document;
  },
  copy: (document, operation) => {
    const [path, from] = [pathOf(operation, 'copy'), fromOf(operation, 'copy')];
    const found = readAt(document, from);
    if (found === undefined) throw missing(`copy operation does not apply: doc is missing from path: ${from}`);
    const missingText = `copy operation does not apply: doc is missing destination path: ${path}`;
    add(containerOf(document, path, missingText), path, structuredClone(found));
    return document;
  },
  test: (document, operation) => {
    const path = pathOf(operation, 'test');
    if (path !== '') containerOf(document, path, `test operation does not apply: is missing path: ${path}`);
    const found = readAt(document, path);
    // A field that is not there is null to a test, as it is in Kubernetes.
    if (!isEqual(found ?? null, operation['value'] ?? null))
      throw unprocessable(`testing value ${path} failed: test failed`);
    return document;
  },
};

function pathOf(operation: PlainObject, name: string): string {
  const { path } = operation;
  if (typeof path !== 'string' || (path !== '' && !path.startsWith('/')))
    throw missing(`${name} operation failed to decode path: operation missing path field`);
  return path;
}

function fromOf(operation: PlainObject, name: string): string {
  const { from } = operation;
  if (typeof from !== 'string' || !from.startsWith('/'))
    throw missing(`${name} operation failed to decode from: operation, missing from field`);
  return from;
}

function value(operation: PlainObject): Plain {
  // Each application has a copy of its own: a later operation may change it.
  if (Object.hasOwn(operation, 'value')) return structuredClone(operation['value']);
  throw missing('operation, missing value field');
}

const decode = (segment: string) => segment.replaceAll('~1', '/').replaceAll('~0', '~');
const lastOf = (path: string) => decode(path.slice(path.lastIndexOf('/') + 1));

function readAt(document: Plain, path: string): Plain | undefined {
  let at: Plain | undefined = document;
  for (const segment of path.split('/').slice(1)) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = read(at as Draft, decode(segment));
  }
  return at;
}

/** What holds the last step of a path. @param missingText what is said when there is no such thing */
function containerOf(document: Plain, path: string, missingText: string): Draft {
  const found = path === '' ? undefined : readAt(document, path.slice(0, path.lastIndexOf('/')));
  if (typeof found !== 'object' || found === null) throw missing(missingText);
  return found as Draft;
}

function read(container: Draft, key: string): Plain | undefined {
  if (isList(container)) return container[indexOf(key, container.length)];
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

/** @returns -1 for what is no index; below zero it counts from the end */
function indexOf(key: string, length: number): number {
  if (!/^-?\d{1,9}$/.test(key)) return -1;
  return Number(key) < 0 ? Number(key) + length : Number(key);
}

function add(container: Draft, path: string, added: Plain): void {
  const key = lastOf(path);
  if (key === '__proto__') throw reservedName('JSON patch');
  if (!isList(container)) {
    container[key] = added;
    return;
  }
  const index = key === '-' ? container.length : indexOf(key, container.length + 1);
  if (index < 0 || index > container.length) throw wrongIndex('add', path, key);
  container.splice(index, 0, added);
}

function remove(container: Draft, path: string, name: string): void {
  const key = lastOf(path);
  if (isList(container)) {
    const index = indexOf(key, container.length);
    if (index < 0 || index >= container.length) throw wrongIndex(name, path, key);
    container.splice(index, 1);
    return;
  }
  if (!Object.hasOwn(container, key))
    throw missing(`error in ${name} for path: '${path}': Unable to remove nonexistent key: ${key}`);
  delete container[key];
}

function wrongIndex(name: string, path: string, key: string): StatusError {
  const what = /^-?\d+$/.test(key)
    ? `Unable to access invalid index: ${key}: invalid index referenced`
    : `value was not a proper array index: '${key}'`;
  return unprocessable(`error in ${name} for path: '${path}': ${what}`);
}

function sizeAt(document: Plain, operation: PlainObject): number {
  const found = readAt(document, textOf(operation['from']));
  return found === undefined ? 0 : JSON.stringify(found).length;
}

const missing = (message: string) => unprocessable(`${message}: missing value`);
const unprocessable = (message: string) => new StatusError(422, 'Invalid', message);
const tooLarge = (message: string) => new StatusError(413, 'RequestEntityTooLarge', message);
