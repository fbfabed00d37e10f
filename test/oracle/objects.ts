/** Random objects: namespaces, nodes, pods, services, CIDR groups. */
import type { Dice } from './dice.ts';
import type { Document } from './parties.ts';
import { ACCOUNTS, APPS, CIDRS, NAMESPACES, SERVICES, TEAMS, TIERS, ZONES } from './policies.ts';

/** Addresses outside the cluster. */
export const OUTSIDE = [
  '20.1.2.3',
  '20.1.2.4',
  '20.1.3.1',
  '20.2.0.1',
  '30.1.1.1',
  '8.8.8.8',
  '2001:db8:1::1',
  '2001:db8:2::1',
  '2a00::1',
];
/** Of pods in the network of the node `there`. */
const NODE_STATUS = { podIP: '192.168.0.2', podIPs: [{ ip: '192.168.0.2' }] };

export class ObjectMaker {
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  namespace(name: string): Document {
    const dice = this.#dice;
    const labels = {
      ...(dice.chance(85) && { team: dice.pick(TEAMS) }),
      ...(dice.chance(20) && { 'topology.kubernetes.io/zone': dice.pick(ZONES) }),
    };
    const annotations = dice.chance(3) ? { annotations: { 'sluice.io/audit': 'true' } } : {};
    return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels, ...annotations } };
  }

  node({ name, ips }: { name: string; ips: string[] }): Document {
    const dice = this.#dice;
    const addresses = ips.map((address) => ({ type: 'InternalIP', address }));
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { zone: dice.pick(ZONES) } },
      status: { addresses },
    };
  }

  pod({
    name,
    namespace,
    ips,
    nodeName,
  }: {
    name: string;
    namespace: string;
    ips: string[];
    nodeName: string;
  }): Document {
    const dice = this.#dice;
    const labels = {
      app: dice.pick(APPS),
      ...(dice.chance(60) && { tier: dice.pick(TIERS) }),
      ...(dice.chance(15) && { 'pod-template-hash': dice.pick(['x', 'y']) }),
      ...(dice.chance(15) && { 'app.kubernetes.io/name': dice.pick(APPS) }),
      ...(dice.chance(10) && { 'topology.kubernetes.io/zone': dice.pick(ZONES) }),
      ...(dice.chance(5) && { 'io.cilium.k8s.namespace.labels.team': dice.pick(TEAMS) }),
    };
    const ports = [
      ...(dice.chance(70) ? [{ name: 'web', containerPort: dice.pick([80, 8080]) }] : []),
      ...(dice.chance(40)
        ? [{ name: 'log', containerPort: dice.pick([514, 22]), protocol: dice.pick(['UDP', 'TCP']) }]
        : []),
    ];
    const annotations = dice.chance(3) ? { annotations: { 'sluice.io/audit': 'true' } } : {};
    const isOnHostNetwork = nodeName === 'there' && dice.chance(15);
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels, ...annotations },
      spec: {
        nodeName,
        ...(isOnHostNetwork && { hostNetwork: true }),
        ...(dice.chance(30) && { serviceAccountName: dice.pick(ACCOUNTS) }),
        containers: [{ name: 'main', ports }],
      },
      status: isOnHostNetwork
        ? NODE_STATUS
        : { ...(ips.length > 0 && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }) },
    };
  }

  /** The object, and the slices with its addresses, one a family, when it has no selector. */
  service(name: string): Document[] {
    const dice = this.#dice;
    const namespace = NAMESPACES[SERVICES.indexOf(name) % NAMESPACES.length];
    const isOuter = name === 'legacy' || name === 'mirror';
    const selector = { app: dice.pick(APPS), ...(dice.chance(30) && { tier: dice.pick(TIERS) }) };
    const metadata = { name, namespace, labels: { kind: dice.chance(80) === isOuter ? 'outer' : 'inner' } };
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { ports: [{ port: 80 }], ...(!isOuter && { selector }) },
    };
    if (!isOuter) return [service];
    const ips = dice.some(OUTSIDE, 2);
    const slices = (['IPv4', 'IPv6'] as const).map((family) => this.#slice(metadata, ips, family));
    return [service, ...slices];
  }

  #slice({ name, namespace }: { name: string; namespace: string }, ips: string[], family: 'IPv4' | 'IPv6'): Document {
    const ofFamily = ips.filter((ip) => ip.includes(':') === (family === 'IPv6'));
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-${family.slice(-1)}`, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: family,
      endpoints: ofFamily.map((ip) => ({ addresses: [ip] })),
    };
  }

  group(name: string): Document {
    const dice = this.#dice;
    const cidrs = [...CIDRS.slice(0, 5), '20.1.2.4/32', '20.2.0.0/16', '2001:db8::/32', '192.168.0.2/32', '10.0.0.0/8'];
    const labels = {
      ...(dice.chance(70) && { trust: dice.pick(['high', 'low']) }),
      ...(dice.chance(50) && { owner: dice.pick(['us', 'them']) }),
    };
    return {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumCIDRGroup',
      metadata: { name, labels },
      spec: { externalCIDRs: dice.some(cidrs, dice.between(1, 3)) },
    };
  }
}
