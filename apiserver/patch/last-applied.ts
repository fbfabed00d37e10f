/** kubectl's annotation with what it applied last, from before there were managed fields. */
import { LAST_APPLIED } from '../../policy/document/secret.ts';
import type { Structure } from '../openapi/structure.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import type { FieldSet } from './field-set.ts';
import { isObject, type Plain, type PlainObject, without } from './plain.ts';
import { unmanaged } from './track-update.ts';
import { compare } from './typed-compare.ts';
import { typeFault } from './typed-check.ts';
import { toFieldSet } from './typed-fields.ts';

/** @returns the fields that the annotation holds and that are still as it says; undefined without a useful annotation */
export function lastAppliedFields(live: KubeObject, structure: Structure): FieldSet | undefined {
  const last = parse(live.metadata.annotations?.[LAST_APPLIED]);
  if (last === undefined || last['apiVersion'] !== live.apiVersion || typeFault(last, structure) !== undefined)
    return undefined;
  const { added, modified, removed } = compare(last, unmanaged(live), structure);
  return toFieldSet(last, structure).difference(modified).difference(added).difference(removed);
}

/** @returns the object, whose annotation, if it has one, says what has been applied now */
export function keepLastApplied(object: PlainObject, applied: PlainObject): PlainObject {
  const annotations = annotationsOf(object);
  if (typeof annotations[LAST_APPLIED] !== 'string' || annotations[LAST_APPLIED] === '') return object;
  const others = without(annotationsOf(applied), LAST_APPLIED);
  const metadata = applied['metadata'] as PlainObject | undefined;
  const now = {
    ...applied,
    ...(metadata?.['annotations'] != null && { metadata: { ...metadata, annotations: others } }),
  };
  const kept = { ...annotations, [LAST_APPLIED]: `${JSON.stringify(inOrder(now))}\n` };
  return { ...object, metadata: { ...(object['metadata'] as PlainObject), annotations: kept } };
}

/** As Go writes objects: their fields by name. */
function inOrder(value: Plain): Plain {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isObject(value)) return value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, inner]) => [name, inOrder(inner)]));
}

function annotationsOf({ metadata }: PlainObject): PlainObject {
  const annotations = isObject(metadata) ? metadata['annotations'] : undefined;
  return isObject(annotations) ? annotations : {};
}

function parse(text: string | undefined): PlainObject | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
