/** Kubernetes documents other than policies and pods, as the cluster wants them. */
import { ANNOTATIONS } from './annotations.ts';
import { type EndpointsObject, isNodeAddress, type NodeObject, type SliceObject } from './address.ts';
import type { Document } from './document.ts';
import type { CidrGroupSpec, EndpointSliceSpec, NamespaceSpec, NodeSpec, ServiceSpec } from '../rule/spec.ts';

export function namespaceFromDocument({ name, labels, annotations }: Document): NamespaceSpec {
  return { name, labels, audit: annotations[ANNOTATIONS.audit] === 'true' };
}

export function nodeFromDocument({ name, labels, object }: Document): NodeSpec {
  const { status } = object as NodeObject;
  const addresses = status?.addresses ?? [];
  return { name, labels, ips: addresses.filter(isNodeAddress).map(({ address = '' }) => address) };
}

export function cidrGroupFromDocument({ name, labels, object }: Document): CidrGroupSpec {
  const { spec } = object as { spec?: { externalCIDRs?: string[] } };
  return { name, labels, cidrs: spec?.externalCIDRs ?? [] };
}

export function serviceFromDocument({ namespace, name, labels, object }: Document): ServiceSpec {
  const { spec } = object as { spec?: { selector?: Record<string, string> } };
  return { namespace, name, labels, selector: spec?.selector ?? {} };
}

/** EndpointSlice, or the older Endpoints. */
export function endpointSliceFromDocument(document: Document): EndpointSliceSpec {
  const { namespace, name, labels, object } = document;
  if (document.kind === 'Endpoints') {
    const { subsets = [] } = object as EndpointsObject;
    const addresses = subsets.flatMap((subset) => (subset.addresses ?? []).map(({ ip = '' }) => ip)).filter(isSaid);
    return { namespace, name: `endpoints/${name}`, service: name, addresses };
  }
  const { endpoints = [] } = object as SliceObject;
  const isNamed = (object as SliceObject).addressType === 'FQDN';
  const addresses = isNamed ? [] : endpoints.flatMap((endpoint) => endpoint.addresses ?? []).filter(isSaid);
  return { namespace, name, service: labels['kubernetes.io/service-name'] ?? name, addresses };
}

function isSaid(address: string): boolean {
  return address !== '';
}
