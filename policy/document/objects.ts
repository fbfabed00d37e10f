/** Kubernetes documents other than policies, pods and services, as the cluster wants them. */
import { ANNOTATIONS } from './annotations.ts';
import { isNodeAddress, type NodeObject } from './address.ts';
import type { Document } from './document.ts';
import type { CidrGroupSpec, NamespaceSpec, NodeSpec } from '../rule/spec.ts';

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
