/** What names, labels and annotations may be, of any object. */
import { isDnsLabel, isDnsSubdomain, isLabelValue, isQualifiedName } from '../../policy/validate/names.ts';
import { isList, isObject, type Plain, type PlainObject, textOf } from '../patch/plain.ts';
import type { Causes } from './causes.ts';

export const LABEL =
  "a lowercase RFC 1123 label: at most 63 lower case letters, digits and '-', a letter or digit at both ends";
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain: at most 253 lower case letters, digits, '-' and '.', a letter or digit at both ends";
const KEY = "a qualified name: at most 63 letters, digits, '-', '_' and '.', optionally behind a DNS subdomain and '/'";
const VALUE =
  "a valid label must be an empty string or at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends";
const MAX_ANNOTATIONS = 256 << 10; // bytes, of all

/** Kinds whose names become labels in DNS. */
const LABELS = new Set(['Namespace', 'Service']);
/** Kinds that have names of their own making. */
const FREE = /^(Role|ClusterRole|RoleBinding|ClusterRoleBinding)$/;

/** @param isNew its names are looked at: those of a live object do not change */
export function validateMetadata(kind: string, metadata: PlainObject, isNew: boolean, causes: Causes): void {
  const { generateName, labels, annotations, finalizers, ownerReferences } = metadata;
  const [name, namespace] = [textOf(metadata['name']), textOf(metadata['namespace'])];
  if (name === '')
    causes.required('metadata.name', generateName === undefined ? 'name or generateName is required' : '');
  else if (isNew) validateName(kind, name, causes);
  if (isNew && namespace !== '' && !isDnsLabel(namespace)) causes.invalid('metadata.namespace', namespace, LABEL);
  validateLabels('metadata.labels', labels, causes);
  validateAnnotations(annotations, causes);
  for (const [index, finalizer] of listOf(finalizers).entries())
    if (!isQualifiedName(textOf(finalizer))) causes.invalid(`metadata.finalizers[${index}]`, finalizer, KEY);
  for (const [index, owner] of listOf(ownerReferences).entries())
    for (const field of ['apiVersion', 'kind', 'name', 'uid'])
      if (textOf(objectOf(owner)[field]) === '')
        causes.invalid(`metadata.ownerReferences[${index}].${field}`, '', 'must not be empty');
}

function validateName(kind: string, name: string, causes: Causes): void {
  const field = 'metadata.name';
  if (FREE.test(kind)) {
    const isPath = name === '.' || name === '..' || /[/%]/.test(name);
    if (isPath) causes.invalid(field, name, "may not be '.' or '..', nor contain '/' or '%'");
  } else if (LABELS.has(kind)) {
    if (!isDnsLabel(name)) causes.invalid(field, name, LABEL);
  } else if (!isDnsSubdomain(name)) causes.invalid(field, name, SUBDOMAIN);
}

export function validateLabels(field: string, labels: Plain | undefined, causes: Causes): void {
  for (const [key, value] of Object.entries(objectOf(labels))) {
    if (!isQualifiedName(key)) causes.invalid(field, key, KEY);
    if (!isLabelValue(textOf(value))) causes.invalid(field, value, VALUE);
  }
}

function validateAnnotations(annotations: Plain | undefined, causes: Causes): void {
  const field = 'metadata.annotations';
  let size = 0;
  for (const [key, value] of Object.entries(objectOf(annotations))) {
    if (!isQualifiedName(key.toLowerCase())) causes.invalid(field, key, KEY);
    size += key.length + Buffer.byteLength(textOf(value));
  }
  if (size > MAX_ANNOTATIONS) causes.invalid(field, size, `must have at most ${MAX_ANNOTATIONS} bytes`);
}

export const listOf = (value: Plain | undefined): readonly Plain[] => (isList(value) ? value : []);
export const objectOf = (value: Plain | undefined): PlainObject => (isObject(value) ? value : {});
