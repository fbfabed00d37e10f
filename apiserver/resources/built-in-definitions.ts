/**
 * The kinds of cilium.io as the CustomResourceDefinitions that a cluster with Cilium has, for tools that look for these: `kubectl get crd`,
 * `kubectl wait --for=condition=established crd/ciliumnetworkpolicies.cilium.io`. They are shown, and what they say is not followed: the kinds
 * are built in, with or without a definition that somebody applied. Their schemas stand in OpenAPI (`kubectl explain`), and here take everything.
 */
import type { NewObject } from '../storage/kube-object.ts';
import type { Storage } from '../storage/storage.ts';
import { begunObject } from './begun.ts';
import { DEFINITIONS } from './custom-resource.ts';
import type { Resource } from './resource.ts';

/** Shows the definitions of those of `resources` that would have one in a cluster. */
export function showDefinitions(storage: Storage, resources: readonly Resource[]): void {
  const nowMs = Date.now();
  for (const resource of resources.filter(({ isCustom }) => isCustom)) {
    const metadata = { name: resource.name };
    storage.mirror(DEFINITIONS, { ...begunObject(DEFINITIONS, definitionOf(resource), nowMs), metadata }, nowMs);
  }
}

function definitionOf(resource: Resource): NewObject {
  const { group, kind, listKind, plural, singular, shortNames, categories, versions, subresources } = resource;
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const hasStatus = subresources.some((one) => one.name === 'status');
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    spec: {
      group,
      names: { kind, listKind, plural, singular, shortNames, categories },
      scope: resource.isNamespaced ? 'Namespaced' : 'Cluster',
      versions: versions.map((version, i) => ({
        name: version,
        served: true,
        storage: i === 0,
        schema: { openAPIV3Schema },
        ...(hasStatus && { subresources: { status: {} } }),
      })),
    },
  };
}
