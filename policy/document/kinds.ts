/** The kinds that are read: their shapes, their versions, and whether they lie in namespaces. */
import { CIDR_GROUP, CILIUM_POLICY, EGRESS_GATEWAY_POLICY } from './schema-cilium.ts';
import * as kubernetes from './schema-kubernetes.ts';
import * as services from './schema-service.ts';
import type { ObjectShape } from './shape.ts';

export interface KindEntry {
  readonly shape: ObjectShape;
  /** `group/version`s that are read; the first is the one to write. */
  readonly apiVersions: readonly string[];
  readonly namespaced: boolean;
  /** Of a workload: where its pods are described. */
  readonly template?: string;
}

const workload: KindEntry = {
  shape: kubernetes.WORKLOAD,
  apiVersions: ['apps/v1'],
  namespaced: true,
  template: 'spec.template',
};

export const KINDS = {
  Namespace: { shape: kubernetes.NAMESPACE, apiVersions: ['v1'], namespaced: false },
  Pod: { shape: kubernetes.POD, apiVersions: ['v1'], namespaced: true },
  Deployment: workload,
  ReplicaSet: workload,
  StatefulSet: workload,
  DaemonSet: workload,
  ReplicationController: { ...workload, shape: kubernetes.REPLICATION_CONTROLLER, apiVersions: ['v1'] },
  Job: { ...workload, shape: kubernetes.JOB, apiVersions: ['batch/v1'] },
  CronJob: {
    ...workload,
    shape: kubernetes.CRON_JOB,
    apiVersions: ['batch/v1'],
    template: 'spec.jobTemplate.spec.template',
  },
  Service: { shape: services.SERVICE, apiVersions: ['v1'], namespaced: true },
  EndpointSlice: { shape: services.ENDPOINT_SLICE, apiVersions: ['discovery.k8s.io/v1'], namespaced: true },
  Endpoints: { shape: services.ENDPOINTS, apiVersions: ['v1'], namespaced: true },
  Secret: { shape: kubernetes.SECRET, apiVersions: ['v1'], namespaced: true },
  Node: { shape: kubernetes.NODE, apiVersions: ['v1'], namespaced: false },
  NetworkPolicy: { shape: kubernetes.NETWORK_POLICY, apiVersions: ['networking.k8s.io/v1'], namespaced: true },
  CiliumNetworkPolicy: { shape: CILIUM_POLICY, apiVersions: ['cilium.io/v2'], namespaced: true },
  CiliumClusterwideNetworkPolicy: { shape: CILIUM_POLICY, apiVersions: ['cilium.io/v2'], namespaced: false },
  CiliumCIDRGroup: { shape: CIDR_GROUP, apiVersions: ['cilium.io/v2', 'cilium.io/v2alpha1'], namespaced: false },
  CiliumEgressGatewayPolicy: { shape: EGRESS_GATEWAY_POLICY, apiVersions: ['cilium.io/v2'], namespaced: false },
} as const satisfies Record<string, KindEntry>;

export type DocumentKind = keyof typeof KINDS;

/** Whether documents of this kind are read; others are skipped with a warning. */
export function isDocumentKind(kind: string): kind is DocumentKind {
  return Object.hasOwn(KINDS, kind);
}

/** What objects of a kind look like. */
export function shapeOf(kind: DocumentKind): ObjectShape {
  return KINDS[kind].shape;
}
