/**
 * What the API refuses although its shape is right. Light: what would do harm, or what people know to be refused; policies, Services and
 * Namespaces are read by the agent besides, which has the last word on what it enforces.
 */
import { isEqual, isObject, type PlainObject, textOf } from '../patch/plain.ts';
import type { StatusCause } from '../storage/status-error.ts';
import { Causes } from './causes.ts';
import { objectOf, validateMetadata } from './metadata.ts';
import { validateEphemeral } from './ephemeral.ts';
import { validatePodSpec, validatePodUpdate } from './pod.ts';
import { validateService } from './service.ts';
import { isWorkload, validateWorkload } from './workload.ts';

/** Names of the values of ConfigMaps and Secrets. */
const KEY = /^[-._a-zA-Z0-9]{1,253}$/;
const MAX_DATA = 1 << 20; // bytes, of one object
/** The subresource of pods. */
export const EPHEMERAL = 'ephemeralcontainers';
const GROUPS = new Set(['v1', 'apps/v1', 'batch/v1']);

/** @param before undefined of an object that is created. @param subresource '' of the object itself */
export function validate(object: PlainObject, before: PlainObject | undefined, subresource: string): StatusCause[] {
  const causes = new Causes();
  const kind = textOf(object['kind']);
  validateMetadata(kind, objectOf(object['metadata']), before === undefined, causes);
  if (subresource === EPHEMERAL && before !== undefined) validateEphemeral(before, object, causes);
  if (subresource !== '' || !GROUPS.has(textOf(object['apiVersion']))) return causes.all;
  if (kind === 'Pod') {
    if (before === undefined) validateNewPod(objectOf(object['spec']), causes);
    else validatePodUpdate(before, object, causes);
  } else if (kind === 'Service') validateService(object, before, causes);
  else if (isWorkload(kind)) validateWorkload(kind, object, before, causes);
  else if (kind === 'ConfigMap' || kind === 'Secret') validateData(kind, object, before, causes);
  return causes.all;
}

function validateNewPod(spec: PlainObject, causes: Causes): void {
  validatePodSpec(spec, 'spec', causes);
  const { ephemeralContainers } = spec;
  if (Array.isArray(ephemeralContainers) && ephemeralContainers.length > 0)
    causes.forbidden('spec.ephemeralContainers', 'cannot be set on create');
}

const FIELDS = ['data', 'binaryData'];
const FROZEN = 'field is immutable when `immutable` is set';

function validateData(kind: string, object: PlainObject, before: PlainObject | undefined, causes: Causes): void {
  let size = 0;
  for (const field of FIELDS) {
    const values = object[field];
    for (const [key, value] of isObject(values) ? Object.entries(values) : []) {
      if (!KEY.test(key) || key === '.' || key.startsWith('..'))
        causes.invalid(`${field}[${key}]`, key, "a valid config key consists of letters, digits, '-', '_' and '.'");
      size += key.length + textOf(value).length;
    }
  }
  if (size > MAX_DATA) causes.invalid('', size, `must have at most ${MAX_DATA} bytes`);
  if (before === undefined) return;
  if (kind === 'Secret') causes.immutable('type', before['type'], object['type']);
  if (before['immutable'] !== true) return;
  if (object['immutable'] !== true) causes.forbidden('immutable', FROZEN);
  for (const field of FIELDS) if (!isEqual(before[field], object[field])) causes.forbidden(field, FROZEN);
}
