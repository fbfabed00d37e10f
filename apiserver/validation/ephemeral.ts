/** What may be added to a pod that runs: containers that others look into it with. They are added, and never changed or taken away. */
import { isEqual, isObject, type Plain, type PlainObject, textOf } from '../patch/plain.ts';
import type { Causes } from './causes.ts';
import { listOf, objectOf } from './metadata.ts';
import { validatePodSpec } from './pod.ts';

const PATH = 'spec.ephemeralContainers';
/** What Kubernetes does not let an ephemeral container have: it is not restarted, and nobody waits for it or connects to it. */
const NOT_THEIRS = [
  ...['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resources', 'resizePolicy'],
  ...['restartPolicy', 'restartPolicyRules'],
];

export function validateEphemeral(before: PlainObject, after: PlainObject, causes: Causes): void {
  const [old, now] = [objectOf(before['spec']), objectOf(after['spec'])];
  const [known, wanted] = [listOf(old['ephemeralContainers']), listOf(now['ephemeralContainers'])];
  for (const container of known) {
    const name = nameOf(container);
    const same = wanted.find((one) => nameOf(one) === name);
    if (same === undefined)
      causes.forbidden(PATH, `existing ephemeral containers ${JSON.stringify(name)} may not be removed`);
    else if (!isEqual(same, container))
      causes.forbidden(PATH, `existing ephemeral containers ${JSON.stringify(name)} may not be changed`);
  }
  const names = new Set(known.map(nameOf));
  for (const [index, container] of wanted.entries())
    if (isObject(container) && !names.has(nameOf(container))) validateAdded(container, now, { index, causes });
  validatePodSpec(now, 'spec', causes);
}

interface Place {
  readonly index: number;
  readonly causes: Causes;
}

function validateAdded(container: PlainObject, spec: PlainObject, { index, causes }: Place): void {
  const path = `${PATH}[${index}]`;
  if (nameOf(container) === '') causes.required(`${path}.name`);
  for (const field of NOT_THEIRS)
    if (isGiven(container[field])) causes.forbidden(`${path}.${field}`, 'cannot be set for an Ephemeral Container');
  for (const [i, mount] of listOf(container['volumeMounts']).entries())
    for (const field of ['subPath', 'subPathExpr'])
      if (textOf(objectOf(mount)[field]) !== '')
        causes.forbidden(`${path}.volumeMounts[${i}].${field}`, 'cannot be set for an Ephemeral Container');
  const target = textOf(container['targetContainerName']);
  const targets = [...listOf(spec['containers']), ...listOf(spec['initContainers'])].map(nameOf);
  if (target !== '' && !targets.includes(target)) causes.notFound(`${path}.targetContainerName`, target);
}

/** Defaults leave empty objects and lists. */
function isGiven(value: Plain | undefined): boolean {
  if (value === undefined || value === null) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

const nameOf = (container: Plain) => textOf(objectOf(container)['name']);
