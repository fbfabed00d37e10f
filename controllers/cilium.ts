/**
 * Cilium's own kinds, which tell what the agent knows: a CiliumEndpoint for each pod that is attached here, the CiliumIdentity of each
 * identity that these have, and the CiliumNode. They follow from what the agent says, so that nobody can write them, and none is on disk.
 */
import type { EndpointDocument, Enforcement } from '../api/shapes.ts';
import type { Clock } from '../apiserver/clock.ts';
import { keyOf, type KubeObject } from '../apiserver/storage/kube-object.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import type { NodeFacts } from './node.ts';
import { PODS } from './pod-room.ts';
import { podSpec } from './pod-state.ts';

const ENDPOINTS = 'ciliumendpoints.cilium.io';
const IDENTITIES = 'ciliumidentities.cilium.io';
const NODES = 'ciliumnodes.cilium.io';
const API_VERSION = 'cilium.io/v2';
/** Smaller ones are reserved, larger ones of addresses outside: these have no object. */
const FIRST_IDENTITY = 256;
const LAST_IDENTITY = 2 ** 24 - 1;
const KUBERNETES = 'k8s:';

/** What the agent says of endpoints. */
export interface EndpointChanges {
  readonly put: readonly EndpointDocument[];
  /** `namespace/name` */
  readonly removed: readonly string[];
}

type Mirrored = Parameters<Storage['mirror']>[1];

const STATES: Readonly<Record<EndpointDocument['state'], string>> = {
  waiting: 'creating',
  attaching: 'waiting-to-regenerate',
  ready: 'ready',
  closed: 'disconnected',
  failed: 'invalid',
  unreachable: 'not-ready',
};

const POLICY_STATES: Readonly<Record<Enforcement, object>> = {
  Enabled: { enforcing: true, state: 'enforcing' },
  Disabled: { enforcing: false, state: '<status disabled>' },
  'Disabled (Audit)': { enforcing: false, state: 'non-enforcing' },
};

export class CiliumObjects {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #nodeName: string;
  #facts: NodeFacts = {};
  readonly #endpoints = new Map<string, EndpointDocument>();
  /** Identity -> the endpoints that have it. */
  readonly #users = new Map<number, Set<string>>();

  constructor(storage: Storage, nodeName: string, clock: Clock) {
    this.#storage = storage;
    this.#nodeName = nodeName;
    this.#clock = clock;
  }

  setNode(facts: NodeFacts): void {
    this.#facts = facts;
    const { addresses = [], podCIDRs = [] } = facts;
    const types = ['InternalIP', 'CiliumInternalIP'];
    const spec = {
      addresses: types.flatMap((type) => addresses.map((ip) => ({ type, ip }))),
      ...(podCIDRs.length > 0 && { ipam: { podCIDRs } }),
    };
    const metadata = { name: this.#nodeName };
    this.#mirror(NODES, { apiVersion: API_VERSION, kind: 'CiliumNode', metadata, spec, status: {} });
  }

  change({ put, removed }: EndpointChanges): void {
    for (const document of put) {
      const key = keyOf(document.namespace, document.pod);
      // An outsider has no endpoint.
      if (document.id === 0 || document.place !== 'local') this.#remove(key);
      else this.#put(key, document);
    }
    for (const key of removed) this.#remove(key);
  }

  #put(key: string, document: EndpointDocument): void {
    const before = this.#endpoints.get(key);
    const pod = this.#storage.get(PODS, document.namespace, document.pod);
    const createdMs = Date.parse(pod?.metadata.creationTimestamp ?? '') || this.#clock.nowMs();
    if (before?.identity !== document.identity) this.#forgetIdentity(key);
    this.#endpoints.set(key, document);
    this.#mirror(ENDPOINTS, endpointObject(document, pod, this.#facts), createdMs);
    const { identity, labels } = document;
    if (identity < FIRST_IDENTITY || identity > LAST_IDENTITY) return;
    const users = this.#users.get(identity) ?? new Set();
    this.#users.set(identity, users.add(key));
    if (users.size === 1) this.#mirror(IDENTITIES, identityObject(identity, labels));
  }

  #remove(key: string): void {
    const document = this.#endpoints.get(key);
    if (document === undefined) return;
    this.#forgetIdentity(key);
    this.#endpoints.delete(key);
    this.#storage.unmirror(ENDPOINTS, document.namespace, document.pod);
  }

  #forgetIdentity(key: string): void {
    const identity = this.#endpoints.get(key)?.identity ?? 0;
    const users = this.#users.get(identity);
    if (users?.delete(key) !== true || users.size > 0) return;
    this.#users.delete(identity);
    this.#storage.unmirror(IDENTITIES, '', String(identity));
  }

  #mirror(resource: string, object: Mirrored, createdMs = this.#clock.nowMs()): void {
    this.#storage.mirror(resource, object, createdMs);
  }
}

function endpointObject(document: EndpointDocument, pod: KubeObject | undefined, facts: NodeFacts): Mirrored {
  const { namespace, pod: name, id, identity, labels, state, ipv4, ipv6, policy } = document;
  const pair = { ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) };
  const [node] = facts.addresses ?? [];
  const named = pod === undefined ? [] : namedPorts(pod);
  return {
    apiVersion: API_VERSION,
    kind: 'CiliumEndpoint',
    metadata: {
      ...{ name, namespace },
      ...(pod?.metadata.labels !== undefined && { labels: pod.metadata.labels }),
      ...(pod !== undefined && { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid: pod.metadata.uid }] }),
    },
    status: {
      encryption: {},
      'external-identifiers': { 'k8s-namespace': namespace, 'k8s-pod-name': name, 'pod-name': `${namespace}/${name}` },
      id,
      ...(identity !== 0 && { identity: { id: identity, labels } }),
      ...(named.length > 0 && { 'named-ports': named }),
      networking: {
        addressing: Object.keys(pair).length === 0 ? [] : [pair],
        ...(node !== undefined && { node }),
      },
      policy: { ingress: POLICY_STATES[policy.ingress], egress: POLICY_STATES[policy.egress] },
      state: STATES[state],
    },
  };
}

function namedPorts(pod: KubeObject): object[] {
  const ports = (podSpec(pod).containers ?? []).flatMap((container) => container.ports ?? []);
  return ports.flatMap(({ name, containerPort: port, protocol = 'TCP' }) =>
    name === undefined ? [] : { name, port, protocol },
  );
}

/** What came from Kubernetes' labels is among its labels, so that `-l app=web` finds it. */
function identityObject(id: number, labels: readonly string[]): Mirrored {
  const pairs = labels.map((label): [string, string] => {
    const equals = label.indexOf('=');
    return equals < 0 ? [label, ''] : [label.slice(0, equals), label.slice(equals + 1)];
  });
  const own = pairs.filter(([key]) => key.startsWith(KUBERNETES));
  return {
    apiVersion: API_VERSION,
    kind: 'CiliumIdentity',
    metadata: {
      name: String(id),
      labels: Object.fromEntries(own.map(([key, value]) => [key.slice(KUBERNETES.length), value])),
    },
    'security-labels': Object.fromEntries(pairs),
  };
}
