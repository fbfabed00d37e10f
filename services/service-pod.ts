/** A pod as services see it, from the document that describes it and what is known of it here. */
import type { Document } from '../policy/document/document.ts';
import { podFromDocument } from '../policy/document/pod.ts';
import { ShapedPod } from '../policy/document/shaped-pod.ts';
import type { ServicePod } from './pod-index.ts';

export interface PodPlace {
  /** Addresses that it has; those of its document unless told. */
  readonly ips?: readonly string[];
  readonly isLocal: boolean;
  /** False while it is not attached. */
  readonly isAttached: boolean;
  /** Of this node, whose addresses pods in its network have. */
  readonly nodeName: string;
  readonly nodeAddresses: readonly string[];
}

interface PodObject {
  readonly metadata?: { readonly deletionTimestamp?: unknown };
  readonly status?: { readonly conditions?: unknown };
}

/** A pod is ready unless its document says otherwise: there are no probes here. */
export function servicePod(document: Document, place: PodPlace): ServicePod {
  if (document instanceof ShapedPod && !place.isLocal && place.isAttached && place.ips === undefined) return document;
  const spec = podFromDocument(document, 0);
  const { ips, namedPorts = [], hostNetwork, hasFinished, nodeName, hostname = '', subdomain = '' } = spec;
  const { metadata = {}, status = {} } = document.object as PodObject;
  const own = place.ips ?? ips;
  const isOfNode = hostNetwork === true && own.length === 0 && place.isLocal;
  return {
    namespace: document.namespace,
    name: document.name,
    labels: document.labels,
    ips: isOfNode ? place.nodeAddresses : own,
    ports: namedPorts,
    hostname,
    subdomain,
    nodeName: nodeName ?? (place.isLocal ? place.nodeName : ''),
    isLocal: place.isLocal,
    isReady: place.isAttached && hasFinished !== true && isSaidReady(status.conditions),
    isTerminating: metadata.deletionTimestamp !== undefined,
  };
}

function isSaidReady(conditions: unknown): boolean {
  if (!Array.isArray(conditions)) return true;
  const ready = (conditions as ({ type?: unknown; status?: unknown } | null)[]).find((one) => one?.type === 'Ready');
  return ready === undefined || ready === null || ready.status !== 'False';
}
