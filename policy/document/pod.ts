/** A pod as the compiler wants it, from the object that describes it; and the labels that make its identity. */
import { ANNOTATIONS } from './annotations.ts';
import { listedAddresses } from './address.ts';
import type { Document } from './document.ts';
import type { LabelFilter } from '../rule/label-filter.ts';
import {
  CLUSTER,
  formatLabel,
  isNamedPorts,
  isPlace,
  type Label,
  NAMED_PORTS,
  NAMESPACE_LABELS,
  NAMESPACE_NAME,
  POD_NAMESPACE,
  SERVICE_ACCOUNT,
} from '../rule/labels.ts';
import type { NamedPort, PodSpec } from '../rule/spec.ts';
import { namedPortsOf } from './named-ports.ts';
import { hostNameOf, type NamesDocument } from './pod-names.ts';
import { ShapedPod } from './shaped-pod.ts';
import { protocolName, protocolNumbers } from '../../wire/protocols.ts';

interface PodObject {
  readonly metadata?: { readonly uid?: string };
  readonly spec?: NamesDocument & {
    readonly serviceAccountName?: string;
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly containers?: unknown;
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip?: string }[];
  };
}

/** Has the pod run to its end? Then it has no network: its address may be another's by now. */
export function hasFinished({ object }: Pick<Document, 'object'>): boolean {
  const { status = {} } = object as PodObject;
  return status.phase === 'Succeeded' || status.phase === 'Failed';
}

/** Reads a Pod document. @param endpointId 0 = not local */
export function podFromDocument(document: Document, endpointId: number): PodSpec {
  if (document instanceof ShapedPod && endpointId === 0) return document;
  const { spec = {}, metadata } = document.object as PodObject;
  const ips = [...new Set(listedAddresses(document.object).map(({ address }) => address))];
  return {
    namespace: document.namespace,
    name: document.name,
    uid: metadata?.uid ?? '',
    labels: document.labels,
    serviceAccount: spec.serviceAccountName ?? 'default',
    namedPorts: namedPortsOf(spec),
    ...(spec.nodeName !== undefined && { nodeName: spec.nodeName }),
    endpointId,
    ips,
    ...hostNameOf(document.object),
    audit: document.annotations[ANNOTATIONS.audit] === 'true',
    hostNetwork: spec.hostNetwork === true,
    hasFinished: hasFinished(document),
  };
}

/** The labels of the pod's identity but for `cidr:` ones. @param namespaceLabels undefined = the namespace is not known */
export function podLabels(
  pod: PodSpec,
  namespaceLabels: Readonly<Record<string, string>> | undefined,
  { filter, clusterName }: { filter: LabelFilter; clusterName: string },
): string[] {
  const texts: string[] = [];
  const add = (key: string, value: string): void => {
    if (filter.keeps('k8s', key)) texts.push(formatLabel('k8s', key, value));
  };
  for (const key in pod.labels) {
    if (!isPlace(key)) add(key, pod.labels[key]);
  }
  for (const key in namespaceLabels) {
    if (key !== NAMESPACE_NAME) add(NAMESPACE_LABELS + key, namespaceLabels[key]);
  }
  add(NAMESPACE_LABELS + NAMESPACE_NAME, pod.namespace);
  add(POD_NAMESPACE, pod.namespace);
  add(SERVICE_ACCOUNT, pod.serviceAccount ?? 'default');
  add(CLUSTER, clusterName);
  texts.push(...namedPortLabels(pod.namedPorts ?? []));
  return texts;
}

/** The longest value of a Kubernetes label. */
const LABEL_VALUE_CHARACTERS = 63;

/**
 * The port names as Cilium writes them into an identity: pods that name other ports are told apart, so that a rule about a
 * port name reaches those pods alone that have it. What one label cannot hold goes into the next.
 */
function namedPortLabels(ports: readonly NamedPort[]): string[] {
  const parts = ports.map(({ name, protocol, port }) => `${name}.${protocolName(protocol)}.${port}`).sort();
  const values: string[] = [];
  for (const part of parts) {
    const last = values.at(-1);
    if (last === undefined || last.length + 1 + part.length > LABEL_VALUE_CHARACTERS) values.push(part);
    else values[values.length - 1] = `${last}_${part}`;
  }
  return values.map((value, i) => formatLabel('gen', i === 0 ? NAMED_PORTS : `${NAMED_PORTS}-${i}`, value));
}

/** The opposite of `namedPortLabels`, of one label; none when it is another label. */
export function portsOfLabel({ source, key, value }: Label): NamedPort[] {
  if (source !== 'gen' || !isNamedPorts(key)) return [];
  return value.split('_').flatMap((part) => {
    const [, name, protocol, port] = /^(.+)\.([A-Z]+)\.(\d+)$/.exec(part) ?? [];
    const [number] = protocol === undefined ? [] : protocolNumbers(protocol);
    return number === undefined ? [] : [{ name, protocol: number, port: Number(port) }];
  });
}
