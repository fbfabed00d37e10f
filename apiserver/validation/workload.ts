/** What workloads may be: their template, and a selector that fits it and does not change. */
import { isEqual, isObject, type Plain, type PlainObject, textOf } from '../patch/plain.ts';
import type { Causes } from './causes.ts';
import { listOf, objectOf, validateLabels } from './metadata.ts';
import { validatePodSpec } from './pod.ts';

/** Kind -> where its template stands in the spec. */
const TEMPLATES: Readonly<Record<string, string>> = {
  Deployment: 'template',
  ReplicaSet: 'template',
  StatefulSet: 'template',
  DaemonSet: 'template',
  ReplicationController: 'template',
  Job: 'template',
  CronJob: 'jobTemplate.spec.template',
};
/** Kinds whose pods live on. */
const LASTING = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'ReplicationController']);
const COUNTS = ['replicas', 'parallelism', 'completions', 'backoffLimit', 'revisionHistoryLimit', 'minReadySeconds'];

export const isWorkload = (kind: string) => Object.hasOwn(TEMPLATES, kind);

/** @param before undefined of one that is created */
export function validateWorkload(
  kind: string,
  object: PlainObject,
  before: PlainObject | undefined,
  causes: Causes,
): void {
  const spec = objectOf(object['spec']);
  let template = spec;
  for (const name of TEMPLATES[kind].split('.')) template = objectOf(template[name]);
  validateTemplate(kind, template, `spec.${TEMPLATES[kind]}`, causes);
  for (const name of COUNTS) causes.notNegative(`spec.${name}`, spec[name]);
  if (LASTING.has(kind)) validateSelector(kind, spec, template, causes);
  if (kind === 'Deployment') validateStrategy(objectOf(spec['strategy']), causes);
  if (before !== undefined) validateUpdate(kind, objectOf(before['spec']), spec, causes);
}

function validateTemplate(kind: string, template: PlainObject, path: string, causes: Causes): void {
  validateLabels(`${path}.metadata.labels`, objectOf(template['metadata'])['labels'], causes);
  const spec = objectOf(template['spec']);
  validatePodSpec(spec, `${path}.spec`, causes);
  const policy = textOf(spec['restartPolicy']);
  if (LASTING.has(kind) && policy !== '' && policy !== 'Always')
    causes.notSupported(`${path}.spec.restartPolicy`, policy, ['Always']);
  if (!LASTING.has(kind) && policy !== 'OnFailure' && policy !== 'Never')
    causes.required(`${path}.spec.restartPolicy`, 'valid values: "OnFailure", "Never"');
}

function validateSelector(kind: string, spec: PlainObject, template: PlainObject, causes: Causes): void {
  const { selector } = spec;
  if (!isObject(selector)) return; // said already, where it must be there
  const isMap = kind === 'ReplicationController';
  const labels = objectOf(objectOf(template['metadata'])['labels']);
  const wanted = isMap ? selector : objectOf(selector['matchLabels']);
  const expressions = isMap ? [] : listOf(selector['matchExpressions']);
  if (Object.keys(wanted).length === 0 && expressions.length === 0)
    causes.invalid('spec.selector', selector, `empty selector is invalid for ${kind.toLowerCase()}`);
  else if (!Object.entries(wanted).every(([key, value]) => labels[key] === value) || !doMatch(expressions, labels))
    causes.invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`');
}

function doMatch(expressions: readonly Plain[], labels: PlainObject): boolean {
  return expressions.every((expression) => {
    const { operator, values } = objectOf(expression);
    const value = labels[textOf(objectOf(expression)['key'])];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    const isIn = value !== undefined && listOf(values).includes(value);
    return operator === 'NotIn' ? !isIn : isIn;
  });
}

function validateStrategy({ type, rollingUpdate }: PlainObject, causes: Causes): void {
  const field = 'spec.strategy.rollingUpdate';
  if (type === 'Recreate' && rollingUpdate !== undefined)
    causes.forbidden(field, "may not be specified when strategy `type` is 'Recreate'");
  const isNothing = (value: Plain | undefined) => value === 0 || value === '0%' || value === '0';
  const { maxUnavailable, maxSurge } = objectOf(rollingUpdate);
  if (isNothing(maxUnavailable) && isNothing(maxSurge))
    causes.invalid(`${field}.maxUnavailable`, 0, 'may not be 0 when `maxSurge` is 0');
}

/** Of a StatefulSet may change: how many, and how they are made and replaced. */
const CHANGING = new Set([
  ...['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit'],
  ...['persistentVolumeClaimRetentionPolicy', 'minReadySeconds'],
]);

function validateUpdate(kind: string, before: PlainObject, after: PlainObject, causes: Causes): void {
  if (kind === 'StatefulSet') {
    const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    const changed = fields.filter((name) => !CHANGING.has(name) && !isEqual(before[name], after[name]));
    const may = [...CHANGING].map((name) => `'${name}'`).join(', ');
    const why = `updates to statefulset spec for fields other than ${may} are forbidden; found ${changed.join(', ')}`;
    if (changed.length > 0) causes.forbidden('spec', why);
  } else if (kind === 'Job') {
    for (const name of ['selector', 'template', 'completions', 'completionMode'])
      causes.immutable(`spec.${name}`, before[name], after[name]);
  } else if (LASTING.has(kind) && kind !== 'ReplicationController')
    causes.immutable('spec.selector', before['selector'], after['selector']);
}
