/**
 * Objects as an API gives them, less what nobody here reads: a pod of 5 KiB becomes one of 300 bytes. Of a pod elsewhere policies need labels,
 * addresses, node, account and named ports, Services its readiness, flows its owner. Of policies everything stays that they say.
 *
 * Nothing of an object has been checked here; whoever reads what is left checks it.
 */
import { LAST_APPLIED } from '../../policy/document/secret.ts';
import type { DocumentKind } from '../../policy/document/kinds.ts';

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

/** Those of the fields that are there. */
function picked(fields: Fields, ...names: string[]): Fields {
  const found: Record<string, unknown> = {};
  for (const name of names) if (fields[name] != null) found[name] = fields[name];
  return found;
}

function metadataOf(object: Fields, ...names: string[]): Fields {
  const metadata = fieldsOf(object['metadata']);
  const owners = listOf(metadata['ownerReferences']).map((owner) => picked(owner, 'kind', 'name', 'controller'));
  return {
    ...picked(metadata, 'name', 'namespace', 'labels', 'deletionTimestamp', ...names),
    ...(owners.length > 0 && { ownerReferences: owners }),
  };
}

/** What is read of each kind, beside its names and labels; of the others everything but their status. */
const PARTS: Partial<Record<DocumentKind, (object: Fields) => Fields>> = {
  Namespace: () => ({}),
  Node: ({ status }) => ({ status: picked(fieldsOf(status), 'addresses') }),
  Service: (object) => ({
    ...picked(object, 'spec'),
    status: picked(fieldsOf(object['status']), 'loadBalancer'),
  }),
};

/** @param apiVersion and the kind are written in, as items of lists lack them */
export function trimmed(object: Fields, kind: DocumentKind, apiVersion: string): Fields {
  const annotations = Object.entries(fieldsOf(fieldsOf(object['metadata'])['annotations']));
  const kept = annotations.filter(([name]) => name !== LAST_APPLIED);
  const metadata = {
    ...metadataOf(object, 'uid'),
    ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }),
  };
  const rest =
    PARTS[kind]?.(object) ?? Object.fromEntries(Object.entries(object).filter(([name]) => name !== 'status'));
  return { ...rest, apiVersion, kind, metadata };
}

/**
 * A pod of this node: everything that attaching it may ask for, but for its annotations (less one): whoever may make a pod in a cluster may not choose
 * where on this machine it hangs, nor whether policies hold for it.
 */
export function trimmedPod(object: Fields): Fields {
  const spec = fieldsOf(object['spec']);
  const asked = ['nodeName', 'serviceAccountName', 'hostNetwork', 'dnsPolicy', 'dnsConfig', 'hostAliases'];
  const names = ['hostname', 'subdomain', 'setHostnameAsFQDN'];
  const containers = namedPorts(spec);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadataOf(object, 'uid'), ...staticUid(object) },
    spec: { ...picked(spec, ...asked, ...names), containers },
    status: statusOf(object),
  };
}

/** A static pod's own uid, by which its container runtime knows it: the API gives what stands for it another. */
function staticUid(object: Fields): Fields {
  const uid = picked(fieldsOf(fieldsOf(object['metadata'])['annotations']), 'kubernetes.io/config.hash');
  return Object.keys(uid).length > 0 ? { annotations: uid } : {};
}

/** A pod of another node. */
export function trimmedRemotePod(object: Fields): Fields {
  const spec = fieldsOf(object['spec']);
  const containers = namedPorts(spec);
  const account = spec['serviceAccountName'] === 'default' ? [] : ['serviceAccountName'];
  const network = spec['hostNetwork'] === true ? ['hostNetwork'] : [];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadataOf(object),
    spec: {
      ...picked(spec, 'nodeName', 'hostname', 'subdomain', ...account, ...network),
      ...(containers.length > 0 && { containers }),
    },
    status: statusOf(object),
  };
}

/** The containers that have ports with names, with these. */
function namedPorts(spec: Fields): Fields[] {
  return listOf(spec['containers']).flatMap(({ ports }) => {
    const named = listOf(ports).filter(({ name }) => name !== undefined);
    if (named.length === 0) return [];
    return { ports: named.map((port) => picked(port, 'name', 'containerPort', 'protocol')) };
  });
}

/** Addresses, whether it has ended, and what is said of its readiness when that is not "ready". */
function statusOf(object: Fields): Fields {
  const status = fieldsOf(object['status']);
  const { phase, podIP } = status;
  const isUnready = listOf(status['conditions']).some((one) => one['type'] === 'Ready' && one['status'] !== 'True');
  return {
    ...picked(status, 'podIPs', ...(phase === 'Succeeded' || phase === 'Failed' ? ['phase'] : [])),
    ...(status['podIPs'] === undefined && podIP !== undefined && { podIP }),
    ...(isUnready && { conditions: [{ type: 'Ready', status: 'False' }] }),
  };
}

/** When an object was written last, but for its status, and first, ms since the epoch. */
export function timesOf(object: Fields): { atMs: number; createdMs: number } {
  const { creationTimestamp, managedFields } = fieldsOf(object['metadata']);
  const createdMs = timeOf(creationTimestamp);
  const times = listOf(managedFields).map(({ subresource, time }) => (subresource ? 0 : timeOf(time)));
  return { atMs: Math.max(createdMs, ...times), createdMs };
}

function timeOf(value: unknown): number {
  return (typeof value === 'string' && Date.parse(value)) || 0;
}
