/** A random world, drawn from one seed; what a cluster was told of it, and what the cluster published. */
import { Cluster, type EndpointChange } from '../../policy/cluster.ts';
import { type Document, readDocuments } from '../../policy/document/document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { hasErrors } from '../../policy/rule/problems.ts';
import type { Origin } from '../../policy/rule/rule.ts';

// --- a random world, drawn from one seed

export class Draw {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 0;
  }
  int(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) | 0;
    return (this.#state >>> 8) % n;
  }
  of<T>(list: readonly T[]): T {
    return list[this.int(list.length)];
  }
  chance(percent: number): boolean {
    return this.int(100) < percent;
  }
  some<T>(list: readonly T[], most: number): T[] {
    return Array.from({ length: 1 + this.int(most) }, () => this.of(list));
  }
}

export const NAMESPACES = ['a', 'b', 'c'];
const WITH_NODE_LABELS: PolicyConfig = { 'enable-node-selector-labels': true };
const APPS = ['web', 'db', 'ui'];
const CIDRS = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.0/24',
  '10.1.2.3/32',
  '::/0',
  '2001:db8::/32',
  '2001:db8:1::/48',
];
export const NAMES = ['x.example', 'y.example', 'z.y.example'];

export type Json = Record<string, unknown>;

function selector(draw: Draw, cilium: boolean): Json {
  const matchLabels: Json = {};
  if (draw.chance(60)) matchLabels['app'] = draw.of(APPS);
  if (cilium && draw.chance(25)) matchLabels['k8s:io.kubernetes.pod.namespace'] = draw.of(NAMESPACES);
  const matchExpressions = draw.chance(25)
    ? [{ key: draw.of(['app', 'extra']), operator: draw.of(['In', 'NotIn']), values: draw.some([...APPS, 'v1'], 2) }]
    : draw.chance(20)
      ? [{ key: 'extra', operator: draw.of(['Exists', 'DoesNotExist']) }]
      : [];
  return { matchLabels, matchExpressions };
}

function toPorts(draw: Draw, deny: boolean, egress: boolean): Json[] {
  return Array.from({ length: 1 + draw.int(2) }, () => {
    const kind = draw.int(10);
    if (!deny && kind < 3) {
      return {
        ports: [{ port: draw.of(['80', '81', 'http']), protocol: 'TCP' }],
        rules: { http: [{ method: draw.of(['GET', 'PUT']) }] },
      };
    }
    if (!deny && kind === 3) {
      return {
        ports: [{ port: '80', endPort: 80 + draw.int(20), protocol: 'TCP' }],
        rules: { http: [{ path: '/a' }] },
      };
    }
    if (!deny && egress && kind === 4)
      return { ports: [{ port: '53', protocol: 'ANY' }], rules: { dns: [{ matchPattern: '*' }] } };
    return {
      ports: draw.some(
        [
          { port: '80' },
          { port: '443', protocol: 'TCP' },
          { port: '70', endPort: 90, protocol: 'TCP' },
          { port: 'http' },
          { port: '0', protocol: 'UDP' },
        ],
        2,
      ),
    };
  });
}

function element(draw: Draw, side: 'from' | 'to', deny: boolean): Json {
  const item: Json = {};
  switch (draw.int(side === 'to' && !deny ? 9 : 7)) {
    case 0:
    case 1:
      item[`${side}Endpoints`] = draw.some([0, 1], 2).map(() => selector(draw, true));
      break;
    case 2:
      item[`${side}CIDR`] = draw.some(CIDRS, 2);
      break;
    case 3:
      item[`${side}CIDRSet`] = [
        draw.chance(50)
          ? { cidr: '10.0.0.0/8', except: draw.some(CIDRS.slice(2, 5), 2) }
          : { cidrGroupRef: draw.of(['g1', 'g2']) },
      ];
      break;
    case 4:
      item[`${side}Entities`] = draw.some(
        ['world', 'cluster', 'host', 'remote-node', 'all', 'kube-apiserver', 'none'],
        2,
      );
      break;
    case 5:
      item[`${side}Requires`] = draw.chance(20) ? [selector(draw, true)] : [];
      item[`${side}Endpoints`] = [selector(draw, true)];
      break;
    case 7:
      item['toFQDNs'] = [
        draw.chance(50) ? { matchName: draw.of(NAMES) } : { matchPattern: draw.of(['*', '*.example', '**.example']) },
      ];
      break;
    case 8:
      item['toServices'] = [{ k8sService: { serviceName: draw.of(['s1', 's2']), namespace: draw.of(NAMESPACES) } }];
      break;
  }
  if (draw.chance(60)) item['toPorts'] = toPorts(draw, deny, side === 'to');
  else if (draw.chance(20)) item['icmps'] = [{ fields: [{ type: draw.of([0, 8]) }, { type: 128, family: 'IPv6' }] }];
  if (!deny && draw.chance(8)) item['authentication'] = { mode: 'required' };
  return item;
}

function ciliumSpec(draw: Draw): Json {
  const spec: Json = { endpointSelector: selector(draw, false) };
  for (const [field, side, deny] of [
    ['ingress', 'from', false],
    ['ingressDeny', 'from', true],
    ['egress', 'to', false],
    ['egressDeny', 'to', true],
  ] as const) {
    if (draw.chance(deny ? 25 : 60)) spec[field] = draw.some([0], 2).map(() => element(draw, side, deny));
  }
  if (draw.chance(15)) spec['enableDefaultDeny'] = { ingress: draw.chance(50), egress: draw.chance(50) };
  spec['ingress'] ??= [{}];
  return spec;
}

function networkPolicySpec(draw: Draw): Json {
  const peer = (): Json =>
    draw.of([
      () => ({ podSelector: selector(draw, false) }),
      () => ({ namespaceSelector: draw.chance(50) ? {} : { matchLabels: { team: draw.of(['red', 'blue']) } } }),
      () => ({ ipBlock: { cidr: '10.0.0.0/8', except: [draw.of(CIDRS.slice(2, 5))] } }),
    ])();
  return {
    podSelector: selector(draw, false),
    ...(draw.chance(60) && { policyTypes: draw.some(['Ingress', 'Egress'], 2) }),
    ...(draw.chance(70) && {
      ingress: [{ from: draw.some([0], 2).map(peer), ports: [{ port: draw.of([80, 'http']) }] }],
    }),
    ...(draw.chance(40) && { egress: [{ to: [peer()] }] }),
  };
}

export function randomObject(draw: Draw): Json {
  const namespace = draw.of(NAMESPACES);
  const meta = (name: string, more: Json = {}): Json => ({ name, namespace, ...more });
  switch (draw.int(12)) {
    case 0:
      return {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace, labels: { team: draw.of(['red', 'blue']) } },
      };
    case 1:
    case 2:
    case 3: {
      const name = `p${draw.int(4)}`;
      const labels = { app: draw.of(APPS), ...(draw.chance(30) && { extra: draw.of(['v1', 'v2']) }) };
      const number = NAMESPACES.indexOf(namespace) * 4 + Number(name.slice(1));
      const ports = draw.chance(50) ? [{ name: 'http', containerPort: draw.of([80, 8080]) }] : [];
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: meta(name, { labels }),
        spec: { containers: [{ name: 'c', ports }] },
        status: { podIPs: [{ ip: `10.1.${number}.1` }, { ip: `2001:db8:1::${number + 1}` }] },
      };
    }
    case 4:
      return {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: draw.of(['localhost', 'far']), labels: {} },
        status: { addresses: [{ type: 'InternalIP', address: draw.of(['10.1.2.3', '192.0.2.1']) }] },
      };
    case 5:
      return {
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumCIDRGroup',
        metadata: { name: draw.of(['g1', 'g2']) },
        spec: { externalCIDRs: draw.some(CIDRS.slice(1), 2) },
      };
    case 6:
      return {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: meta(draw.of(['s1', 's2'])),
        spec: draw.chance(50) ? { selector: { app: draw.of(APPS) } } : {},
      };
    case 7:
      return {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: meta(draw.of(['s1', 's2'])),
        subsets: [{ addresses: [{ ip: draw.of(['10.1.2.3', '203.0.113.5']) }] }],
      };
    case 8:
      return {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: meta(`n${draw.int(3)}`),
        spec: networkPolicySpec(draw),
      };
    case 9:
      return {
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumClusterwideNetworkPolicy',
        metadata: { name: `w${draw.int(3)}` },
        spec: ciliumSpec(draw),
      };
    default: {
      const annotations = draw.chance(15) ? { 'sluice.io/audit': 'true' } : {};
      return {
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumNetworkPolicy',
        metadata: meta(`c${draw.int(4)}`, { annotations }),
        spec: ciliumSpec(draw),
      };
    }
  }
}

/** @param config with which the world that gets the document is made: what a rule means is settled when it is read */
export function documentOf(object: Json, config: PolicyConfig = WITH_NODE_LABELS): Document | undefined {
  const { documents, problems } = readDocuments(JSON.stringify(object), 'random.json', config);
  return hasErrors(problems) ? undefined : documents[0];
}

/** Everything a cluster was told, to tell another. */
export class Told {
  readonly documents = new Map<string, Document>();
  readonly names = new Map<string, readonly string[]>();

  endpointId({ kind, namespace, name }: Document): number {
    return kind === 'Pod' ? NAMESPACES.indexOf(namespace) * 10 + Number(name.slice(1)) + 1 : 0;
  }

  tell(cluster: Cluster): Cluster {
    for (const document of this.documents.values()) cluster.apply(document, this.endpointId(document));
    for (const [name, ips] of this.names) cluster.setName(name, ips);
    return cluster;
  }
}

/** Endpoints by number, as published so far. */
export class Published {
  readonly endpoints = new Map<number, EndpointChange>();
  readonly ipcache = new Map<string, number>();
  readonly identities = new Map<number, readonly string[]>();
  readonly ruleSets = new Map<number, unknown>();
  readonly cookies = new Map<number, readonly Origin[]>();

  take(cluster: Cluster): this {
    const changes = cluster.flush();
    for (const { id, labels } of changes.identities.added) this.identities.set(id, labels);
    for (const [id, ruleSet] of changes.ruleSets.put) this.ruleSets.set(id, ruleSet);
    for (const [cookie, origins] of changes.cookies) this.cookies.set(cookie, origins);
    for (const [id, change] of changes.endpoints) this.endpoints.set(id, change);
    for (const id of changes.removedEndpoints) this.endpoints.delete(id);
    for (const { prefix, identity } of changes.ipcache.upsert) this.ipcache.set(prefix, identity);
    for (const prefix of changes.ipcache.remove) this.ipcache.delete(prefix);
    for (const id of changes.ruleSets.remove) this.ruleSets.delete(id);
    for (const id of changes.identities.removed) this.identities.delete(id);
    for (const cookie of changes.removedCookies) this.cookies.delete(cookie);
    return this;
  }

  /** Everything published, numbers replaced by what they stand for. */
  describe(): unknown {
    const who = (id: number): string =>
      id === 0 || (id >= 11 && id <= 14) ? `#${id}` : (this.identities.get(id)?.join(';') ?? `unknown ${id}`);
    const why = (cookie: number): string =>
      cookie === 0
        ? ''
        : (this.cookies.get(cookie) ?? [{ name: `unknown ${cookie}`, path: '' }])
            .map(({ name, path }) => `${name} ${path}`)
            .sort()
            .join(', ');
    const rules = (id: number): unknown => {
      if (id === 0) return 0;
      const ruleSet = this.ruleSets.get(id) as { rules: { remotes: number[] | null; cookie: number }[] } | undefined;
      if (ruleSet === undefined) return `unknown rule set ${id}`;
      return {
        ...ruleSet,
        rules: ruleSet.rules.map((rule) => ({
          ...rule,
          remotes: rule.remotes?.map(who).sort(),
          cookie: why(rule.cookie),
        })),
      };
    };
    const lines = (entries: EndpointChange['entries']): string[] =>
      entries
        .map(({ identity, cookie, ruleSet, ...entry }) =>
          JSON.stringify({ who: who(identity), ...entry, rules: rules(ruleSet), why: why(cookie) }),
        )
        .sort();
    return {
      endpoints: [...this.endpoints]
        .sort(([a], [b]) => a - b)
        .map(([id, change]) => ({
          id,
          labels: change.labels,
          audit: change.audit,
          ingress: { ...change.ingress, defaultDenyCookie: why(change.ingress.defaultDenyCookie) },
          egress: { ...change.egress, defaultDenyCookie: why(change.egress.defaultDenyCookie) },
          entries: lines(change.entries),
          shadow: change.shadow && lines(change.shadow),
        })),
      ipcache: [...this.ipcache].map(([prefix, id]) => `${prefix} ${who(id)}`).sort(),
    };
  }
}

export const CONFIGS: readonly PolicyConfig[] = [
  {},
  { 'policy-cidr-match-mode': ['nodes', 'pods'], 'enable-node-selector-labels': true },
  { semantics: 'kubernetes', 'enable-policy': 'always' },
  { 'dual-stack': true, 'allow-localhost': 'policy', 'enable-non-default-deny-policies': false },
];
