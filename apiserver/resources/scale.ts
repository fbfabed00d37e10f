/** The `scale` of an object: how many pods it is to have, and has, without the rest of it (`kubectl scale`). */
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import { selectorText } from '../tables/label-text.ts';

/** Where a custom resource has these; as in its definition. */
export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}

const BUILT_IN: ScalePaths = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
const MOST_REPLICAS = 2 ** 31 - 1;

/** @param paths of a custom resource */
export function scaleOf(object: KubeObject, paths: ScalePaths = BUILT_IN): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = paths;
  const selector = labelSelectorPath === undefined ? selectorOf(object) : at(object, labelSelectorPath);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace !== undefined && { namespace }), uid, resourceVersion, creationTimestamp },
    spec: { replicas: countAt(object, specReplicasPath) },
    status: {
      replicas: countAt(object, statusReplicasPath),
      ...(typeof selector === 'string' && selector !== '' && { selector }),
    },
  };
}

/**
 * The object with the number of pods that a scale wants.
 * @throws StatusError 422 for what is no number of pods, 409 when the object is at another version than the scale
 */
export function withScale(object: KubeObject, scale: object, paths: ScalePaths = BUILT_IN): KubeObject {
  const { metadata = {}, spec = {} } = scale as {
    metadata?: { resourceVersion?: string };
    spec?: { replicas?: unknown } | null;
  };
  const { name, resourceVersion } = object.metadata;
  const wanted = spec?.replicas ?? 0;
  if (!Number.isInteger(wanted) || (wanted as number) < 0 || (wanted as number) > MOST_REPLICAS) {
    const message = `Invalid value: ${JSON.stringify(wanted)}: found this, wanted a number of pods from 0 to ${MOST_REPLICAS}`;
    throw StatusError.invalid('Scale.autoscaling', name, [
      { field: 'spec.replicas', reason: 'FieldValueInvalid', message },
    ]);
  }
  const version = metadata.resourceVersion ?? '';
  if (version !== '' && version !== resourceVersion)
    throw StatusError.conflict(
      'scales.autoscaling',
      name,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  return withValue(object, stepsOf(paths.specReplicasPath), wanted) as KubeObject;
}

/** A selector in one line; of a ReplicationController it is labels alone. */
function selectorOf(object: KubeObject): string {
  const { selector } = (object['spec'] ?? {}) as { selector?: Readonly<Record<string, unknown>> };
  if (selector === undefined) return '';
  const isWhole = 'matchLabels' in selector || 'matchExpressions' in selector;
  return selectorText(isWhole ? selector : { matchLabels: selector }, '');
}

const stepsOf = (path: string): string[] => path.split('.').filter((step) => step !== '');

function at(object: unknown, path: string): unknown {
  return stepsOf(path).reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Readonly<Record<string, unknown>>)[step]
        : undefined,
    object,
  );
}

function countAt(object: KubeObject, path: string): number {
  const found = at(object, path);
  return typeof found === 'number' ? found : 0;
}

function withValue(value: unknown, [step, ...rest]: readonly string[], wanted: unknown): unknown {
  if (step === undefined) return wanted;
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const inner = Object.hasOwn(fields, step) ? fields[step] : undefined;
  return { ...fields, [step]: withValue(inner, rest, wanted) };
}
