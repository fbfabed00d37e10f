/** The columns of `sluice get`: kubectl's, with what this machine knows of each object. */
import { ANNOTATIONS } from '../../policy/document/annotations.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import type { EndpointDocument } from '../../api/shapes.ts';
import { ageOf } from '../../apiserver/tables/age.ts';
import { labelText, selectorText } from '../../apiserver/tables/label-text.ts';
import {
  endpointsText,
  externalText,
  servicePorts,
  sliceEndpoints,
  slicePorts,
} from '../../apiserver/tables/service-text.ts';
import type { Palette } from '../terminal/color.ts';
import type { Column } from '../terminal/table.ts';
import { type Kind, withGroup } from './kinds.ts';

/** An object, and what is known of it. */
export interface Row {
  readonly object: Manifest;
  /** Of a pod. */
  readonly endpoint?: EndpointDocument | undefined;
  /** Of a workload: its pods that are ready, and all of them. */
  readonly replicas?: { readonly ready: number; readonly wanted: number };
}

interface Shape {
  readonly showNamespace: boolean;
  readonly showKind: boolean;
  /** Labels also in the narrow table. */
  readonly showLabels: boolean;
}

export function columnsOf(kind: Kind, paint: Palette, shape: Shape): Column<Row>[] {
  const columns: Column<Row>[] = [];
  if (shape.showNamespace && kind.isNamespaced) {
    columns.push({ header: 'NAMESPACE', cell: ({ object }) => object.metadata?.namespace ?? 'default' });
  }
  const prefix = shape.showKind ? `${withGroup(kind, kind.singular)}/` : '';
  columns.push({ header: 'NAME', cell: ({ object }) => prefix + (object.metadata?.name ?? '') });
  columns.push(...(OWN_COLUMNS[kind.kind]?.(paint) ?? []));
  columns.push({ header: 'AGE', cell: ({ object }) => ageOf(object.metadata?.creationTimestamp, Date.now()) });
  columns.push({
    header: 'LABELS',
    cell: ({ object }) => labelText(object.metadata?.labels),
    isWide: !shape.showLabels,
  });
  return columns;
}

/** States of pods that have no endpoint here and need none. */
const ELSEWHERE = new Set(['external', 'remote', 'host']);

const OWN_COLUMNS: Readonly<Record<string, (paint: Palette) => Column<Row>[]>> = {
  Pod: (paint) => [
    { header: 'READY', cell: readyOf },
    {
      header: 'STATUS',
      cell: statusOf,
      paint: (text) => (text === 'ready' ? paint.green : ELSEWHERE.has(text) ? paint.dim : paint.red),
    },
    { header: 'IP', cell: ({ object, endpoint }) => endpoint?.ipv4 ?? endpoint?.ipv6 ?? podIp(object) },
    { header: 'ENDPOINT', cell: ({ endpoint }) => endpoint?.id || undefined },
    { header: 'IDENTITY', cell: ({ endpoint }) => endpoint?.identity || undefined },
    { header: 'IPv6', cell: ({ endpoint }) => endpoint?.ipv6, isWide: true },
    {
      header: 'NETNS',
      cell: ({ endpoint, object }) => endpoint?.netns ?? object.metadata?.annotations?.[ANNOTATIONS.netns],
      isWide: true,
    },
    { header: 'INTERFACE', cell: ({ endpoint }) => endpoint?.interface, isWide: true },
    { header: 'NODE', cell: nodeOf, isWide: true },
  ],
  Namespace: () => [{ header: 'STATUS', cell: () => 'Active' }],
  Node: () => [
    { header: 'STATUS', cell: ({ object }) => nodeState(object) },
    { header: 'ROLES', cell: () => '<none>' },
    { header: 'VERSION', cell: ({ object }) => statusField(object, ['nodeInfo', 'kubeletVersion']) },
    { header: 'INTERNAL-IP', cell: ({ object }) => nodeAddress(object), isWide: true },
  ],
  Deployment: () => [
    { header: 'READY', cell: replicasText },
    { header: 'UP-TO-DATE', cell: ({ replicas }) => replicas?.wanted },
    { header: 'AVAILABLE', cell: ({ replicas }) => replicas?.ready },
  ],
  ReplicaSet: () => [{ header: 'READY', cell: replicasText }],
  StatefulSet: () => [{ header: 'READY', cell: replicasText }],
  DaemonSet: () => [{ header: 'READY', cell: replicasText }],
  ReplicationController: () => [{ header: 'READY', cell: replicasText }],
  Job: () => [{ header: 'READY', cell: replicasText }],
  CronJob: () => [{ header: 'READY', cell: replicasText }],
  CiliumEndpoint: () => [
    { header: 'SECURITY IDENTITY', cell: ({ object }) => statusField(object, ['identity', 'id']) },
    { header: 'ENDPOINT STATE', cell: ({ object }) => statusField(object, ['state']) },
    { header: 'IPV4', cell: ({ endpoint }) => endpoint?.ipv4 },
    { header: 'IPV6', cell: ({ endpoint }) => endpoint?.ipv6 },
  ],
  NetworkPolicy: () => [
    { header: 'POD-SELECTOR', cell: ({ object }) => selectorText(object.spec?.['podSelector'], '<all>') },
    { header: 'TYPES', cell: ({ object }) => policyTypes(object) },
  ],
  CiliumNetworkPolicy: () => ciliumColumns(),
  CiliumClusterwideNetworkPolicy: () => ciliumColumns(),
  Service: () => [
    { header: 'TYPE', cell: ({ object }) => (object.spec?.['type'] as string | undefined) ?? 'ClusterIP' },
    { header: 'CLUSTER-IP', cell: ({ object }) => (object.spec?.['clusterIP'] as string | undefined) ?? '<none>' },
    { header: 'EXTERNAL-IP', cell: ({ object }) => externalText(object) },
    { header: 'PORT(S)', cell: ({ object }) => servicePorts(object) },
    {
      header: 'SELECTOR',
      cell: ({ object }) => labelText(object.spec?.['selector']),
      isWide: true,
    },
  ],
  Endpoints: () => [{ header: 'ENDPOINTS', cell: ({ object }) => endpointsText(object) }],
  EndpointSlice: () => [
    { header: 'ADDRESSTYPE', cell: ({ object }) => object['addressType'] as string | undefined },
    { header: 'PORTS', cell: ({ object }) => slicePorts(object) },
    { header: 'ENDPOINTS', cell: ({ object }) => sliceEndpoints(object) },
  ],
  CiliumEgressGatewayPolicy: () => [
    { header: 'DESTINATIONS', cell: ({ object }) => listText(object.spec?.['destinationCIDRs']) },
    { header: 'EGRESS', cell: ({ object }) => gatewaysOf(object).map(gatewayText).join(',') },
    { header: 'EXCLUDED', cell: ({ object }) => listText(object.spec?.['excludedCIDRs']), isWide: true },
  ],
  CiliumCIDRGroup: () => [
    {
      header: 'CIDRS',
      cell: ({ object }) => listText(object.spec?.['externalCIDRs']),
    },
  ],
};

function listText(list: unknown): string {
  return ((list ?? []) as readonly string[]).join(',');
}

interface Gateway {
  readonly interface?: string;
  readonly egressIP?: string;
}

function gatewaysOf({ spec }: Manifest): readonly Gateway[] {
  const { egressGateway, egressGateways = [] } = (spec ?? {}) as {
    egressGateway?: Gateway;
    egressGateways?: readonly Gateway[];
  };
  return egressGateways.length > 0 || egressGateway === undefined ? egressGateways : [egressGateway];
}

function gatewayText({ interface: ifname = '', egressIP = '' }: Gateway): string {
  return egressIP || ifname || '<default>';
}

function ciliumColumns(): Column<Row>[] {
  return [
    { header: 'SUBJECT', cell: ({ object }) => rulesOf(object).map(subjectText).join('\n') },
    { header: 'DIRECTIONS', cell: ({ object }) => rulesOf(object).map(directions).join('\n') },
    {
      header: 'DESCRIPTION',
      cell: ({ object }) =>
        rulesOf(object)
          .map((rule) => (rule['description'] as string | undefined) ?? '')
          .join('\n'),
      isWide: true,
    },
  ];
}

/** Where its document says, or here: the name of this node is in its endpoint. */
function nodeOf({ object, endpoint }: Row): string | undefined {
  return (object.spec?.['nodeName'] as string | undefined) ?? endpoint?.['node'];
}

/** A pod of this machine without an endpoint could not even be given its addresses: `sluice status` says why. */
function statusOf({ object, endpoint }: Row): string {
  if (object.spec?.['hostNetwork'] === true) return 'host';
  if (endpoint === undefined) return object.spec?.['nodeName'] === undefined ? 'waiting' : 'remote';
  return endpoint.place === 'external' && endpoint.state === 'ready' ? 'external' : endpoint.state;
}

function readyOf({ object, endpoint }: Row): string {
  const count = Math.max(1, ((object.spec?.['containers'] ?? []) as unknown[]).length);
  return `${endpoint?.state === 'ready' ? count : 0}/${count}`;
}

function replicasText({ replicas }: Row): string {
  return `${replicas?.ready ?? 0}/${replicas?.wanted ?? 0}`;
}

function statusField(object: Manifest, path: readonly string[]): string | undefined {
  let value: unknown = object['status'];
  for (const key of path) value = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  return String(value);
}

interface NodeStatus {
  readonly conditions?: readonly { readonly type?: string; readonly status?: string }[];
  readonly addresses?: readonly { readonly type?: string; readonly address?: string }[];
}

function nodeState(object: Manifest): string {
  const { conditions = [] } = (object['status'] ?? {}) as NodeStatus;
  const ready = conditions.find(({ type }) => type === 'Ready')?.status;
  return ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady';
}

function nodeAddress(object: Manifest): string | undefined {
  const { addresses = [] } = (object['status'] ?? {}) as NodeStatus;
  return addresses.find(({ type }) => type === 'InternalIP')?.address;
}

/** The object with what is known here of it, where Kubernetes tells it: addresses, phase, what it waits for, replicas. */
export function withStatus({ object, endpoint, replicas }: Row): Manifest {
  if (replicas !== undefined) {
    const { ready, wanted } = replicas;
    const isAvailable = ready >= wanted ? 'True' : 'False';
    const counts = { replicas: wanted, updatedReplicas: wanted, readyReplicas: ready, availableReplicas: ready };
    return { ...object, status: { ...counts, conditions: [{ type: 'Available', status: isAvailable }] } };
  }
  if (endpoint === undefined || object.kind !== 'Pod') return object;
  const ips = [endpoint.ipv4, endpoint.ipv6].filter((ip) => ip !== undefined && ip !== '');
  const phase = endpoint.state === 'ready' ? 'Running' : endpoint.state === 'failed' ? 'Failed' : 'Pending';
  const problem = endpoint.problem === undefined ? {} : { message: endpoint.problem };
  const addresses = ips.length === 0 ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
  const conditions = [{ type: 'Ready', status: endpoint.state === 'ready' ? 'True' : 'False' }];
  return {
    ...object,
    status: { ...(object['status'] as object | undefined), phase, conditions, ...addresses, ...problem },
  };
}

function podIp(object: Manifest): string | undefined {
  const status = object['status'] as { podIP?: string } | undefined;
  return status?.podIP;
}

type Fields = Readonly<Record<string, unknown>>;

function rulesOf(object: Manifest): readonly Fields[] {
  const specs = (object['specs'] as Fields[] | undefined) ?? [];
  return object.spec === undefined ? specs : [object.spec, ...specs];
}

function subjectText(rule: Fields): string {
  const isNode = rule['nodeSelector'] !== undefined;
  return (isNode ? 'node: ' : '') + selectorText(rule['endpointSelector'] ?? rule['nodeSelector'], '<all>');
}

function directions(rule: Fields): string {
  const names = ['ingress', 'ingressDeny', 'egress', 'egressDeny'];
  return names.filter((name) => rule[name] !== undefined && rule[name] !== null).join(',');
}

function policyTypes({ spec = {} }: Manifest): string {
  const given = spec['policyTypes'] as string[] | undefined;
  const inferred = spec['egress'] === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
  return (given ?? inferred).join(',');
}
