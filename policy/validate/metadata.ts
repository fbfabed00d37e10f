/** What the API server refuses in the metadata of any object, and annotations of ours that mean nothing where they stand. */
import { ANNOTATIONS, annotationsOf, isOurs, SWITCHES } from '../document/annotations.ts';
import { joinPath } from '../document/document-path.ts';
import type { Reader } from '../document/reader.ts';
import { nearest, quote } from '../rule/problems.ts';
import { isDnsLabel, isDnsSubdomain, isLabelValue, isQualifiedName } from './names.ts';

interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const WANTED = {
  label: "at most 63 lower-case letters, digits and '-'",
  subdomain: "at most 253 lower-case letters, digits, '-' and '.', each part between letters or digits",
  key: "up to 63 letters, digits, '-', '_' or '.', optionally behind a DNS prefix and '/'",
  value: "up to 63 letters, digits, '-', '_' or '.'",
};

/** Kinds whose names become labels or parts of names in DNS. */
const SHORT_NAMES = new Set(['Namespace', 'Service']);

interface KindTraits {
  readonly kind: string;
  /** Its objects lie in a namespace. */
  readonly isNamespaced: boolean;
  /** Of a workload: where its pods are described, with annotations of their own. */
  readonly template?: string | undefined;
}

export function checkMetadata(metadata: Metadata, traits: KindTraits, reader: Reader): void {
  const { name, namespace } = metadata;
  const { kind, isNamespaced } = traits;
  const isShort = SHORT_NAMES.has(kind);
  if (name !== undefined && !(isShort ? isDnsLabel(name) : isDnsSubdomain(name)))
    wrongName('metadata.name', name, isShort ? WANTED.label : WANTED.subdomain, reader);
  if (isNamespaced && namespace !== undefined && namespace !== '' && !isDnsLabel(namespace))
    wrongName('metadata.namespace', namespace, WANTED.label, reader);
  if (!isNamespaced && namespace !== undefined && namespace !== '') {
    const message = `read namespace: found ${quote(namespace)}, wanted none: this kind has no namespace`;
    reader.warn('metadata.namespace', 'cluster-scoped', message, 'it is ignored');
  }
  checkLabels(traits, metadata, 'metadata', reader);
}

const POD: KindTraits = { kind: 'Pod', isNamespaced: true };

/** The labels and annotations that a workload gives its pods. */
export function checkTemplate(object: object, { template }: Pick<KindTraits, 'template'>, reader: Reader): void {
  if (template === undefined) return;
  let value: unknown = object;
  for (const name of [...template.split('.'), 'metadata'])
    value = (value as Record<string, unknown> | undefined)?.[name];
  checkLabels(POD, value ?? {}, `${template}.metadata`, reader);
}

function wrongName(path: string, found: string, wanted: string, reader: Reader): void {
  reader.problem(path, 'name', `read ${path.split('.')[1]}: found ${quote(found)}, wanted ${wanted}`);
}

function checkLabels(
  traits: KindTraits,
  { labels = {}, annotations = {} }: Metadata,
  path: string,
  reader: Reader,
): void {
  for (const [key, value] of Object.entries(labels)) {
    const place = joinPath(`${path}.labels`, key);
    if (!isQualifiedName(key))
      reader.problem(place, 'label-key', `read label key: found ${quote(key)}, wanted ${WANTED.key}`);
    if (!isLabelValue(value))
      reader.problem(place, 'label-value', `read label: found value ${quote(value)}, wanted ${WANTED.value}`);
  }
  for (const [key, value] of Object.entries(annotations)) {
    const place = joinPath(`${path}.annotations`, key);
    // Their case does not matter to the API server.
    if (!isQualifiedName(key.toLowerCase()))
      reader.problem(place, 'annotation', `read annotation key: found ${quote(key)}, wanted ${WANTED.key}`);
    else if (isOurs(key.toLowerCase())) checkOurs(traits, { key, value, place }, reader);
  }
}

function checkOurs(
  { kind, template }: KindTraits,
  at: { key: string; value: string; place: string },
  reader: Reader,
): void {
  const { key, value, place } = at;
  const known = annotationsOf(kind);
  if (SWITCHES.has(key) && known.includes(key) && value !== 'true' && value !== 'false') {
    const message = `read annotation ${key}: found ${quote(value)}, wanted "true" or "false"`;
    const isAudit = key === ANNOTATIONS.audit;
    reader.problem(place, 'annotation', message, isAudit ? 'nothing else puts it on trial' : undefined);
  }
  if (known.includes(key)) return;
  const near = nearest(key, known);
  const elsewhere =
    template === undefined ? 'it means nothing there' : `write it in ${template}.metadata, for the pods`;
  const hint = near === undefined ? elsewhere : `did you mean ${quote(near)}?`;
  const wanted = known.length === 0 ? `none of ours on a ${kind}` : `one of ${known.join(', ')}`;
  reader.warn(place, 'unknown-annotation', `read annotation: found ${quote(key)}, wanted ${wanted}`, hint);
}
