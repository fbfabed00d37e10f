/** What some kinds have from the moment they are made, which their writers do not say. */
import { type KubeObject, type NewObject, timestamp } from '../storage/kube-object.ts';
import { DEFINITIONS, type DefinitionSpec } from './custom-resource.ts';

const POLICIES = ['ciliumnetworkpolicies.cilium.io', 'ciliumclusterwidenetworkpolicies.cilium.io'];

/** @param nowMs since the epoch */
export function begunObject(resource: string, object: NewObject, nowMs: number): NewObject {
  if (resource === 'namespaces') return namespace(object);
  if (POLICIES.includes(resource)) return policy(object, nowMs);
  return resource === DEFINITIONS ? definition(object, nowMs) : object;
}

/** It stays until its contents are gone, and can be selected by its name. */
function namespace(object: NewObject): NewObject {
  const { name = '', labels } = object.metadata ?? {};
  return {
    ...object,
    metadata: {
      ...object.metadata,
      ...(name !== '' && { labels: { ...labels, 'kubernetes.io/metadata.name': name } }),
    },
    spec: { ...(object['spec'] as object | undefined), finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
}

/** What is not valid is not stored. */
function policy(object: NewObject, nowMs: number): NewObject {
  const valid = { type: 'Valid', status: 'True', message: 'read without errors', lastTransitionTime: timestamp(nowMs) };
  return { ...object, status: { conditions: [valid] } };
}

/** It is served at once. */
function definition(object: NewObject, nowMs: number): NewObject {
  const { names, versions = [] } = object['spec'] as DefinitionSpec;
  const { kind, plural, singular = kind.toLowerCase(), listKind = `${kind}List` } = names;
  const accepted = { ...names, plural, kind, singular, listKind };
  const condition = (type: string, reason: string, message: string) => ({
    ...{ type, status: 'True', reason, message, lastTransitionTime: timestamp(nowMs) },
  });
  return {
    ...object,
    spec: { conversion: { strategy: 'None' }, ...(object['spec'] as object), names: accepted },
    status: {
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the names are accepted, and it is served'),
      ],
      acceptedNames: accepted,
      storedVersions: versions.filter(({ storage }) => storage === true).map(({ name }) => name),
    } satisfies Partial<KubeObject>,
  };
}
