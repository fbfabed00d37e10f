/** Kubernetes documents other than policies and pods, as the cluster wants them. */
import type { Document } from './document.ts';
import type { CidrGroupSpec, EndpointSliceSpec, NamespaceSpec, NodeSpec, ServiceSpec } from '../rule/spec.ts';

export function namespaceFromDocument({ name, labels, annotations }: Document): NamespaceSpec {
  return { name, labels, audit: annotations['sluice.io/audit'] === 'true' };
}

export function nodeFromDocument({ name, labels, object }: Document): NodeSpec {
  const { status } = object as { status?: { addresses?: { type?: string; address?: string }[] } };
  const addresses = status?.addresses ?? [];
  const isAddress = (type = ''): boolean =>
    type === 'InternalIP' || type === 'ExternalIP' || type === 'CiliumInternalIP';
  return { name, labels, ips: addresses.filter(({ type }) => isAddress(type)).map(({ address = '' }) => address) };
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
    const { subsets = [] } = object as { subsets?: { addresses?: { ip: string }[] }[] };
    const addresses = subsets.flatMap((subset) => (subset.addresses ?? []).map(({ ip }) => ip));
    return { namespace, name: `endpoints/${name}`, service: name, addresses };
  }
  const { endpoints = [] } = object as { endpoints?: { addresses?: string[] }[] };
  const addresses = endpoints.flatMap((endpoint) => endpoint.addresses ?? []);
  return { namespace, name, service: labels['kubernetes.io/service-name'] ?? name, addresses };
}
