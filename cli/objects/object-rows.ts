/**
 * What `sluice get` lists: objects that were applied, and what the agent makes of them: the pods of workloads, this node,
 * namespaces that only their objects name, endpoints and identities.
 */
import type { DaemonApi } from '../../api/daemon-api.ts';
import type { EndpointDocument, ServiceDocument } from '../../api/shapes.ts';
import { type Manifest, referenceOf } from '../../policy/document/manifest.ts';
import { isWorkload, podsOf } from '../../policy/document/workload.ts';
import type { Kind } from './kinds.ts';
import type { Row } from './object-columns.ts';
import { withAssignment } from '../../apiserver/resources/service-assignment.ts';
import { endpointsOf, slicesOf } from './service-objects.ts';

export interface RowQuery {
  /** undefined: all. */
  readonly namespace: string | undefined;
  /** Only what was applied, and its pods. */
  readonly appliedOnly: boolean;
}

/** The objects of a kind, in order of name. */
export async function rowsOf(api: DaemonApi, kind: Kind, query: RowQuery): Promise<Row[]> {
  const rows = await unsorted(api, kind, query);
  return rows.sort((a, b) => (referenceOf(a.object) < referenceOf(b.object) ? -1 : 1));
}

async function unsorted(api: DaemonApi, kind: Kind, { namespace, appliedOnly }: RowQuery): Promise<Row[]> {
  const scope = kind.isNamespaced && namespace !== undefined ? { namespace } : {};
  if (kind.kind === 'CiliumEndpoint') return endpointRows(await api.endpoints(), namespace);
  if (kind.kind === 'CiliumIdentity') return (await api.identities()).map(identityRow);
  // Pods of workloads are no objects of their own, so all objects are asked for.
  if (kind.kind === 'Pod') return podRows(await api.objects(scope), await api.endpoints());
  const objects = await api.objects({ kind: kind.kind, ...scope });
  if (isWorkload(kind.kind)) return workloadRows(objects, await api.endpoints());
  if (kind.kind === 'Service' && objects.length > 0) return serviceRows(objects, await api.services());
  if (appliedOnly) return objects.map(asRow);
  if (kind.kind === 'Endpoints' || kind.kind === 'EndpointSlice') {
    const here = (await api.services()).filter((one) => namespace === undefined || one.namespace === namespace);
    return withMade(
      objects,
      kind.kind === 'Endpoints' ? here.filter(hasEndpoints).map(endpointsOf) : here.flatMap(slicesOf),
    );
  }
  if (kind.kind === 'Namespace') return [...objects, ...(await impliedNamespaces(api, objects))].map(asRow);
  if (kind.kind === 'Node') return (await withThisNode(api, objects)).map(asRow);
  return objects.map(asRow);
}

function serviceRows(objects: readonly Manifest[], services: readonly ServiceDocument[]): Row[] {
  const known = new Map(services.map((one) => [`Service/${one.namespace}/${one.name}`, one]));
  return objects.map((object) => asRow(withAssignment(object, known.get(referenceOf(object)))));
}

/** Who stands behind services whose endpoints nobody wrote; what was written stands as it is. */
function withMade(objects: readonly Manifest[], made: readonly Manifest[]): Row[] {
  const written = new Set(objects.map(referenceOf));
  return [...objects, ...made.filter((object) => !written.has(referenceOf(object)))].map(asRow);
}

function hasEndpoints({ type, endpoints }: ServiceDocument): boolean {
  return type !== 'ExternalName' && endpoints.some(({ pod }) => pod !== '');
}

function asRow(object: Manifest): Row {
  return { object };
}

function endpointOf(pod: Manifest, endpoints: readonly EndpointDocument[]): EndpointDocument | undefined {
  return endpoints.find((one) => `Pod/${one.namespace}/${one.pod}` === referenceOf(pod));
}

function podRows(objects: readonly Manifest[], endpoints: readonly EndpointDocument[]): Row[] {
  const pods = new Map<string, Manifest>();
  // A pod that is an object of its own counts before one of the same name that a workload stands for.
  for (const object of [...objects].sort((a, b) => Number(a.kind === 'Pod') - Number(b.kind === 'Pod'))) {
    for (const pod of podsOf(object)) pods.set(referenceOf(pod), createdWith(pod, object));
  }
  return [...pods.values()].map((object) => ({ object, endpoint: endpointOf(object, endpoints) }));
}

function createdWith(pod: Manifest, { metadata }: Manifest): Manifest {
  const creationTimestamp = metadata?.creationTimestamp;
  return creationTimestamp === undefined ? pod : { ...pod, metadata: { ...pod.metadata, creationTimestamp } };
}

function workloadRows(objects: readonly Manifest[], endpoints: readonly EndpointDocument[]): Row[] {
  return objects.map((object) => {
    const pods = podsOf(object);
    const ready = pods.filter((pod) => endpointOf(pod, endpoints)?.state === 'ready').length;
    return { object, replicas: { ready, wanted: pods.length } };
  });
}

/** `default`, and every namespace that objects name without a document of its own. */
async function impliedNamespaces(api: DaemonApi, written: readonly Manifest[]): Promise<Manifest[]> {
  const named = (await api.objects({})).flatMap(({ metadata }) => metadata?.namespace ?? []);
  const there = new Set(written.map(({ metadata }) => metadata?.name));
  return [...new Set(['default', ...named])]
    .filter((name) => !there.has(name))
    .map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
      status: { phase: 'Active' },
    }));
}

/** This node stands in the list without a document too; one that was applied says what it is. */
async function withThisNode(api: DaemonApi, objects: readonly Manifest[]): Promise<Manifest[]> {
  const { nodeName, version, dataplane, agent } = await api.status();
  const creationTimestamp = new Date(Date.now() - agent.uptimeSec * 1000).toISOString();
  const found = objects.find(({ metadata }) => metadata?.name === nodeName);
  const made = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName, creationTimestamp } };
  const conditions = [{ type: 'Ready', status: dataplane.state === 'running' ? 'True' : 'False' }];
  const status = {
    ...((found ?? {})['status'] as object | undefined),
    conditions,
    nodeInfo: { kubeletVersion: `sluice-${version}` },
  };
  return [...objects.filter((one) => one !== found), { ...(found ?? made), status }];
}

function endpointRows(endpoints: readonly EndpointDocument[], namespace: string | undefined): Row[] {
  const here = endpoints.filter((one) => one.id !== 0 && (namespace === undefined || one.namespace === namespace));
  return here.map((endpoint) => ({ endpoint, object: endpointObject(endpoint) }));
}

/** As Cilium publishes it. */
function endpointObject({ id, identity, labels, ipv4, ipv6, state, node, policy, ...one }: EndpointDocument): Manifest {
  const addressing = { ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) };
  const enforcing = { ingress: policy.ingress !== 'Disabled', egress: policy.egress !== 'Disabled' };
  return {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumEndpoint',
    metadata: { name: one.pod, namespace: one.namespace, labels: kubernetesLabels(labels) },
    status: {
      id,
      identity: { id: identity, labels },
      networking: { addressing: [addressing], node },
      policy: { ingress: { enforcing: enforcing.ingress }, egress: { enforcing: enforcing.egress } },
      state,
    },
  };
}

/** The pod's own labels among those of an identity. */
function kubernetesLabels(labels: readonly string[]): Record<string, string> {
  const pairs = labels.flatMap((label) => {
    const [, key, value] = /^k8s:(?!io\.(?:kubernetes|cilium)\.)([^=]+)=(.*)$/s.exec(label) ?? [];
    return key === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(pairs);
}

function identityRow({ id, labels }: { readonly id: number; readonly labels: readonly string[] }): Row {
  const pairs = labels.map((label) => {
    const equals = label.indexOf('=');
    return equals < 0 ? [label, ''] : [label.slice(0, equals), label.slice(equals + 1)];
  });
  const object = {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumIdentity',
    metadata: { name: String(id), labels: kubernetesLabels(labels) },
    'security-labels': Object.fromEntries(pairs) as Record<string, string>,
  };
  return { object };
}
