/** Shapes of the Kubernetes kinds that are read. Only NetworkPolicy is closed: the others have far more than we use. */
import { DNS_POLICIES } from './pod-names.ts';
import {
  any,
  boolean,
  integer,
  integerOrString,
  list,
  map,
  type ObjectShape,
  object,
  oneOf,
  openObject,
  type Shape,
  string,
} from './shape.ts';

/** ObjectMeta is closed: a misspelt `labels` would take a pod out of its policies. */
const META_FIELDS: Record<string, Shape> = {
  name: string,
  namespace: string,
  uid: string,
  labels: map(string),
  annotations: map(string),
  ...Object.fromEntries(
    [
      'generateName', 'selfLink', 'resourceVersion', 'generation', 'creationTimestamp', 'deletionTimestamp',
      'deletionGracePeriodSeconds', 'ownerReferences', 'finalizers', 'managedFields',
      'clusterName', 'initializers', // of old clusters, in what they gave out
    ].map((name) => [name, any]),
  ),
}; // biome-ignore format: one list
export const METADATA = object(META_FIELDS, ['name']);

export const SELECTOR = object({
  matchLabels: map(string),
  matchExpressions: list(
    object({ key: string, operator: oneOf('In', 'NotIn', 'Exists', 'DoesNotExist'), values: list(string) }, [
      'key',
      'operator',
    ]),
  ),
});

/** A whole object: what every kind has, and its own fields. */
export function kind(fields: Record<string, Shape>, required: string[] = []): ObjectShape {
  return object({ apiVersion: string, kind: string, metadata: METADATA, status: any, ...fields }, [
    'apiVersion',
    'metadata',
    ...required,
  ]);
}

const openKind = (fields: Record<string, Shape>): ObjectShape => ({ ...kind(fields), open: true });

const NETWORK_POLICY_PORT = object({
  protocol: oneOf('TCP', 'UDP', 'SCTP'),
  port: integerOrString,
  endPort: integer(1, 65535),
});

const NETWORK_POLICY_PEER = object({
  podSelector: SELECTOR,
  namespaceSelector: SELECTOR,
  ipBlock: object({ cidr: string, except: list(string) }, ['cidr']),
});

export const NETWORK_POLICY = kind({
  spec: object({
    podSelector: SELECTOR,
    policyTypes: list(oneOf('Ingress', 'Egress')),
    ingress: list(object({ from: list(NETWORK_POLICY_PEER), ports: list(NETWORK_POLICY_PORT) })),
    egress: list(object({ to: list(NETWORK_POLICY_PEER), ports: list(NETWORK_POLICY_PORT) })),
  }),
});

const CONTAINER = openObject({
  name: string,
  image: string,
  command: list(string),
  args: list(string),
  env: list(openObject({ name: string, value: string })),
  ports: list(
    openObject({ name: string, containerPort: integer(1, 65535), protocol: oneOf('TCP', 'UDP', 'SCTP') }, [
      'containerPort',
    ]),
  ),
});

const POD_SPEC = openObject({
  serviceAccountName: string,
  nodeName: string,
  hostNetwork: boolean,
  hostname: string,
  subdomain: string,
  setHostnameAsFQDN: boolean,
  hostAliases: list(openObject({ ip: string, hostnames: list(string) })),
  dnsPolicy: oneOf(...DNS_POLICIES),
  dnsConfig: openObject({
    nameservers: list(string),
    searches: list(string),
    options: list(openObject({ name: string, value: string })),
  }),
  containers: list(CONTAINER),
  initContainers: list(CONTAINER),
});

export const POD = openKind({
  spec: POD_SPEC,
  status: openObject({
    phase: string,
    podIP: string,
    podIPs: list(openObject({ ip: string })),
    hostIP: string,
    hostIPs: list(openObject({ ip: string })),
  }),
});

const TEMPLATE = openObject({ metadata: object(META_FIELDS), spec: POD_SPEC });
const COUNT = integer(0, 100_000);

export const WORKLOAD = openKind({
  spec: openObject({ replicas: COUNT, selector: SELECTOR, template: TEMPLATE }),
});

/** Its selector is a plain map. */
export const REPLICATION_CONTROLLER = openKind({
  spec: openObject({ replicas: COUNT, selector: map(string), template: TEMPLATE }),
});

const JOB_SPEC = openObject({ parallelism: COUNT, selector: SELECTOR, template: TEMPLATE });

export const JOB = openKind({ spec: JOB_SPEC });

export const CRON_JOB = openKind({ spec: openObject({ jobTemplate: openObject({ spec: JOB_SPEC }) }) });

export const NAMESPACE = openKind({});

/** Its values are read by validateSecret, which repeats none of them. */
export const SECRET = openKind({ type: string, data: any, stringData: any, immutable: any });

export const NODE = openKind({
  status: openObject({ addresses: list(openObject({ type: string, address: string })) }),
});
