/** The incremental compiler against a fresh one, down to empty tables; and the parts it is made of. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { memoryMapper } from '../policy-maps/table/memory-mapper.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import { reservedName } from '../wire/identities.ts';
import { parsePrefix } from '../wire/prefix.ts';
import { Cluster, type EndpointChange } from './cluster.ts';
import { CookieJar } from './compile/cookies.ts';
import { type Document, readDocuments } from './document/document.ts';
import { joinPath, lastName, parentPath } from './document/document-path.ts';
import { fqdnRegExp, normalizeName } from '../wire/fqdn.ts';
import { icmpNames, icmpType } from './rule/icmp-types.ts';
import { MemoryIdentityStore, RESERVED_IDENTITIES } from './identity/identity.ts';
import { LabelFilter } from './rule/label-filter.ts';
import { LabelSet, parseLabel } from './rule/labels.ts';
import { coverOf, type Draft, DraftGatherer, uncovered } from './compile/map-state.ts';
import type { PolicyConfig } from './rule/options.ts';
import { isServiceName, parsePort } from './rule/port.ts';
import { portBlocks } from './rule/port-range.ts';
import { hasErrors } from './rule/problems.ts';
import { RuleSetTable } from './compile/rule-set-table.ts';
import { type LabelSelector, selectorFrom, selectorKey, selects } from './rule/selector.ts';
import { holds } from './rule/peer.ts';
import { prefixFromLabelKey, prefixLabelKey } from './rule/prefix-label.ts';
import type { Element, Origin, PortSpec, Rule } from './rule/rule.ts';

// --- a random world, drawn from one seed

class Draw {
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

const NAMESPACES = ['a', 'b', 'c'];
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
const NAMES = ['x.example', 'y.example', 'z.y.example'];

type Json = Record<string, unknown>;

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

function randomObject(draw: Draw): Json {
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

function documentOf(object: Json): Document | undefined {
  const { documents, problems } = readDocuments(JSON.stringify(object), 'random.json', {
    'enable-node-selector-labels': true,
  });
  return hasErrors(problems) ? undefined : documents[0];
}

/** Everything a cluster was told, to tell another. */
class Told {
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
class Published {
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

const CONFIGS: readonly PolicyConfig[] = [
  {},
  { 'policy-cidr-match-mode': ['nodes', 'pods'], 'enable-node-selector-labels': true },
  { semantics: 'kubernetes', 'enable-policy': 'always' },
  { 'dual-stack': true, 'allow-localhost': 'policy', 'enable-non-default-deny-policies': false },
];

t.test('flush() after any changes publishes what a fresh cluster would', (t) => {
  const seed = Number(process.env['SEED'] ?? 20260731);
  const rounds = Number(process.env['ROUNDS'] ?? 16);
  t.comment(`seed ${seed}`);
  for (let round = 0; round < rounds; round++) {
    const draw = new Draw(seed + round * 7919);
    const config = CONFIGS[round % CONFIGS.length];
    const cluster = new Cluster(config);
    const told = new Told();
    const published = new Published();
    for (let step = 0; step < 60; step++) {
      const known = [...told.documents.keys()];
      if (draw.chance(8)) {
        const name = draw.of(NAMES);
        const ips = draw.chance(70) ? draw.some(['10.1.2.3', '203.0.113.5', '2001:db8::9'], 2) : [];
        told.names.set(name, ips);
        cluster.setName(name, ips);
      } else if (known.length > 0 && draw.chance(25)) {
        const key = draw.of(known);
        cluster.remove(told.documents.get(key) as Document);
        told.documents.delete(key);
      } else {
        const document = documentOf(randomObject(draw));
        if (document === undefined) continue;
        told.documents.set(`${document.kind}/${document.namespace}/${document.name}`, document);
        cluster.apply(document, told.endpointId(document));
      }
      if (!draw.chance(40)) continue;
      const found = published.take(cluster).describe();
      const wanted = new Published().take(told.tell(new Cluster(config))).describe();
      if (JSON.stringify(found) === JSON.stringify(wanted)) continue;
      t.same(found, wanted, `seed ${seed} round ${round} step ${step}`);
      t.end();
      return;
    }
    for (const document of told.documents.values()) cluster.remove(document);
    for (const name of told.names.keys()) cluster.setName(name, []);
    published.take(cluster);
    const left = {
      endpoints: published.endpoints.size,
      ipcache: [...published.ipcache.keys()].filter(
        (prefix) => config['dual-stack'] !== true || !prefix.endsWith('/0'),
      ),
      identities: [...published.identities.keys()].filter((id) => id > 10),
      ruleSets: published.ruleSets.size,
      policies: cluster.compiler.size,
      peers: cluster.compiler.selectors.size.peers,
      cookies: cluster.compiler.cookies.size,
      allRuleSets: cluster.compiler.ruleSets.size,
      names: cluster.names.patterns(),
      prefixes: cluster.addresses.prefixes.size - (config['dual-stack'] === true ? 2 : 0),
      pods: cluster.pods.size,
    };
    t.same(
      left,
      {
        endpoints: 0,
        ipcache: [],
        identities: [],
        ruleSets: 0,
        policies: 0,
        peers: 0,
        cookies: 0,
        allRuleSets: 0,
        names: [],
        prefixes: 0,
        pods: 0,
      },
      `round ${round}: nothing is left`,
    );
  }
  t.end();
});

/** A packet judged rule by rule, element by element, without filters, drafts or maps. */
class Naive {
  readonly #cluster: Cluster;
  readonly #direction: 'ingress' | 'egress';
  readonly #rules: readonly Rule[];
  readonly #required: { allow: LabelSelector; deny: LabelSelector };
  readonly #ports: ReadonlyMap<string, number>;

  constructor(cluster: Cluster, labels: LabelSet, direction: 'ingress' | 'egress', ports: ReadonlyMap<string, number>) {
    this.#cluster = cluster;
    this.#direction = direction;
    this.#ports = ports;
    const selecting = [...cluster.policies].filter(({ audit }) => !audit).flatMap(({ rules }) => rules);
    this.#rules = selecting.filter((rule) => !rule.selectsNodes && selects(rule.subject, labels));
    const requiredBy = (deny: boolean): LabelSelector =>
      this.#rules.flatMap((rule) =>
        rule[direction].filter((one) => one.deny === deny).flatMap(({ requires }) => requires),
      );
    this.#required = { allow: requiredBy(false), deny: requiredBy(true) };
  }

  #holds(element: Element, identity: number): boolean {
    const labels = this.#cluster.identities.labels(identity) ?? new LabelSet([]);
    const required = element.deny ? this.#required.deny : this.#required.allow;
    const peers = element.peers.flatMap((peer) =>
      peer.service === undefined ? [peer] : this.#cluster.services.peersOf(peer.service),
    );
    return peers.some((peer) => holds(peer, labels) && (peer.isEndpoints !== true || selects(required, labels)));
  }

  #covers(port: PortSpec, identity: number, packet: { protocol: number; port: number }): boolean {
    if (port.protocol !== packet.protocol) return false;
    if (port.isIcmp) return port.port === packet.port;
    if (port.name !== undefined) {
      if (this.#direction === 'ingress') return this.#ports.get(`${port.protocol}/${port.name}`) === packet.port;
      return this.#cluster.compiler.portNames.portsOf(identity, port.protocol, port.name).includes(packet.port);
    }
    return port.port === 0 || (port.port <= packet.port && packet.port <= port.endPort);
  }

  judge(identity: number, packet: { protocol: number; port: number }): string {
    const { options } = this.#cluster;
    if (options['enable-policy'] === 'never') return 'allow';
    const elements = this.#rules
      .flatMap((rule) => rule[this.#direction])
      .filter((element) => this.#holds(element, identity));
    const matching = elements.flatMap((element): { element: Element; port: PortSpec | undefined }[] =>
      element.ports === null
        ? [{ element, port: undefined }]
        : element.ports.filter((port) => this.#covers(port, identity, packet)).map((port) => ({ element, port })),
    );
    if (matching.some(({ element }) => element.deny)) return 'deny';
    const isClosed =
      options['enable-policy'] === 'always' || this.#rules.some(({ defaultDeny }) => defaultDeny[this.#direction]);
    const isHost = identity === 1 && this.#direction === 'ingress' && options['allow-localhost'] !== 'policy';
    const parsers = ['http', 'kafka', 'dns'].filter((parser) =>
      matching.some(({ port }) => port?.l7?.parser === parser),
    );
    if (parsers.length > 0) {
      const lists = matching.flatMap(({ port }) => {
        if (port?.l7 !== undefined) return port.l7.parser === parsers[0] ? [JSON.stringify(port.l7.rules)] : [];
        // The DNS parser goes by its own port: what allows every port says nothing to it.
        const isBroad = port === undefined || (port.port === 0 && port.name === undefined);
        return parsers[0] === 'dns' && isBroad ? [] : ['everything'];
      });
      if (isHost || !isClosed) lists.push('everything');
      return `${parsers[0]} ${[...new Set(lists)].sort().join(' ')}`;
    }
    return matching.length > 0 || isHost || !isClosed ? 'allow' : 'none';
  }
}

t.test('entries decide as the rules say, one by one', (t) => {
  const seed = Number(process.env['SEED'] ?? 20260731);
  const rounds = Number(process.env['ROUNDS'] ?? 16);
  t.comment(`seed ${seed}`);
  const folder = mkdtempSync(join(tmpdir(), 'policy-cluster-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  let judged = 0;
  for (let round = 0; round < rounds; round++) {
    const draw = new Draw(seed + round * 104729);
    const cluster = new Cluster({
      ...CONFIGS[round % CONFIGS.length],
      'enable-policy': draw.of(['default', 'default', 'always', 'never']),
    });
    const told = new Told();
    for (let step = 0; step < 50; step++) {
      const document = documentOf(randomObject(draw));
      if (document !== undefined)
        told.documents.set(`${document.kind}/${document.namespace}/${document.name}`, document);
    }
    told.names.set('x.example', ['203.0.113.5']);
    const { endpoints, problems } = told.tell(cluster).flush();
    // A conflict takes a rule's say away, which rules looked at one by one do not show.
    if (problems.length > 0) continue;
    const identities = [...cluster.identities.entries()].map(({ id }) => id);
    for (const [id, change] of endpoints) {
      const map = PolicyMap.create(
        join(folder, `policy_${round}_${id}`),
        { capacity: Math.max(1, change.entries.length) },
        memoryMapper(),
      );
      map.publish(change.entries);
      const pod = [...cluster.pods].find(({ spec }) => spec.endpointId === id);
      const ports = new Map(
        (pod?.spec.namedPorts ?? []).map(({ protocol, name, port }) => [`${protocol}/${name}`, port]),
      );
      for (const direction of ['ingress', 'egress'] as const) {
        const naive = new Naive(cluster, new LabelSet(change.labels), direction, ports);
        for (let i = 0; i < 60; i++) {
          const identity = draw.of(identities);
          const packet = {
            protocol: draw.of([6, 6, 6, 17, 132, 1, 58]),
            port: draw.of([0, 8, 53, 70, 79, 80, 81, 85, 90, 99, 128, 443, 8080]),
          };
          const verdict = map.lookup(identity, direction === 'egress' ? 1 : 0, packet.protocol, packet.port);
          const found =
            verdict === -133
              ? 'none'
              : verdict === -181
                ? 'deny'
                : verdict <= 0
                  ? 'allow'
                  : redirect(cluster, verdict, identity);
          const wanted = naive.judge(identity, packet);
          judged++;
          // Authentication drops what would be redirected or allowed.
          if (found === wanted || (verdict === -189 && wanted !== 'none' && wanted !== 'deny')) continue;
          t.same(
            found,
            wanted,
            `seed ${seed} round ${round} endpoint ${id} ${direction} identity ${identity} ${JSON.stringify(packet)}`,
          );
          t.end();
          return;
        }
      }
      map.close();
    }
  }
  t.ok(judged > 1000, `${judged} packets`);
  t.end();
});

function redirect(cluster: Cluster, id: number, remote: number): string {
  const ruleSet = cluster.compiler.ruleSets.ruleSet(id);
  const rules = (ruleSet?.rules ?? []).filter(({ remotes }) => remotes === null || remotes.includes(remote));
  const lists = rules.map((rule) => {
    const list = rule.http ?? rule.dns ?? rule.kafka ?? null;
    return list === null ? 'everything' : JSON.stringify(list);
  });
  return `${ruleSet?.parser} ${[...new Set(lists)].sort().join(' ')}`;
}

t.test('flush() touches only what a change touches', (t) => {
  const cluster = new Cluster();
  const apply = (object: Json, id = 0): void => cluster.apply(documentOf(object) as Document, id);
  const pod = (name: string, app: string, extra: Json = {}): Json => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'a', labels: { app, ...extra } },
    status: { podIP: `10.0.0.${name.slice(1)}` },
  });
  for (let i = 1; i <= 4; i++) apply(pod(`p${i}`, i <= 2 ? 'web' : 'db'), i);
  const policy = (name: string, app: string, peer: string): Json => ({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name, namespace: 'a' },
    spec: {
      endpointSelector: { matchLabels: { app } },
      ingress: [{ fromEndpoints: [{ matchLabels: { app: peer } }] }],
    },
  });
  apply(policy('web', 'web', 'db'));
  t.equal(cluster.flush().endpoints.size, 4);
  t.equal(cluster.flush().endpoints.size, 0, 'nothing twice');
  apply(policy('web', 'web', 'db'));
  t.equal(cluster.flush().endpoints.size, 0, 'the same policy again is no change');
  apply(policy('db', 'db', 'web'));
  t.same([...cluster.flush().endpoints.keys()], [3, 4]);
  apply(pod('p9', 'db', { extra: 'new' }));
  t.same([...cluster.flush().endpoints.keys()], [1, 2], 'a new identity reaches those whose peers hold it');
  apply(pod('p9', 'db', { extra: 'new' }));
  t.equal(cluster.flush().endpoints.size, 0);
  apply(pod('p8', 'other'));
  const { endpoints, identities, ipcache } = cluster.flush();
  t.equal(endpoints.size, 0);
  t.equal(identities.added.length, 1);
  t.same(
    ipcache.upsert.map(({ prefix }) => prefix),
    ['10.0.0.8/32'],
  );
  const before = cluster.compiler.size;
  t.ok(before <= 3, 'endpoints with the same rules share a policy');
  cluster.removePod('a', 'p1');
  t.same(cluster.flush().removedEndpoints, [1]);
  t.throws(() => cluster.setPolicy(documentOf(pod('p1', 'x')) as Document), TypeError);
  t.end();
});

t.test('rule sets keep their id while their content is the same, whatever else changes', (t) => {
  const cluster = new Cluster();
  const apply = (object: Json, id = 0): void => cluster.apply(documentOf(object) as Document, id);
  apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p1', labels: { app: 'web' } } }, 1);
  const policy = (name: string, port: string, rules: Json): Json => ({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name },
    spec: { endpointSelector: {}, ingress: [{ toPorts: [{ ports: [{ port, protocol: 'TCP' }], rules }] }] },
  });
  apply(policy('one', '80', { http: [{ method: 'GET' }] }));
  const [id] = cluster.flush().ruleSets.put.keys();
  apply(policy('two', '81', {}));
  const { ruleSets, endpoints } = cluster.flush();
  t.same([ruleSets.put.size, ruleSets.remove], [0, []]);
  t.ok(endpoints.get(1)?.entries.some(({ ruleSet }) => ruleSet === id));
  apply(policy('one', '80', { http: [{ method: 'PUT' }] }));
  const changed = cluster.flush().ruleSets;
  t.equal(changed.put.size, 1);
  t.same(changed.remove, [id], 'the old one goes in the same flush');
  t.end();
});

t.test('identities keep their numbers through a restart, and unclaimed ones go', (t) => {
  const store = new MemoryIdentityStore();
  const a = store.allocate(['k8s:app=a'], 'cluster');
  const b = store.allocate(['k8s:app=b'], 'cluster');
  const world = store.allocate(['cidr:10.0.0.0/8', 'reserved:world'], 'local');
  t.same(
    [a, b, world, store.allocate(['node:x', 'reserved:remote-node'], 'remote-node')],
    [256, 257, 16777217, 33554433],
  );
  t.equal(store.allocate(['k8s:app=a'], 'cluster'), a);
  const restored = new MemoryIdentityStore(store.export());
  t.equal(restored.allocate(['k8s:app=b'], 'cluster'), b);
  restored.dropUnclaimed();
  t.same(restored.export(), [{ id: b, labels: ['k8s:app=b'] }]);
  t.equal(restored.allocate(['k8s:app=c'], 'cluster'), 258, 'numbers of the last run are reused as late as possible');
  restored.release(b);
  restored.release(b);
  t.equal(restored.allocate(['k8s:app=d'], 'cluster'), 259, 'a freed number waits its turn');
  const full = new MemoryIdentityStore(
    Array.from({ length: 65280 }, (_, i) => ({ id: 256 + i, labels: [`k8s:n=${i}`] })),
  );
  t.throws(() => full.allocate(['k8s:app=x'], 'cluster'), {
    message: /found all 65280 identities of scope cluster in use/,
  });
  t.equal(reservedName(2), 'world');
  t.equal(RESERVED_IDENTITIES.length, 10);
  t.end();
});

t.test('LabelFilter keeps what makes an identity', (t) => {
  const kept = (key: string, own: string[] = [], source = 'k8s'): boolean => new LabelFilter(own).keeps(source, key);
  const yes = [
    'app',
    'app.kubernetes.io/name',
    'io.kubernetes.pod.namespace',
    'io.cilium.k8s.policy.cluster',
    'io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name',
    'role',
  ];
  const no = [
    'kubernetes.io/os',
    'pod-template-hash',
    'controller-revision-hash',
    'statefulset.kubernetes.io/pod-name',
    'io.kubernetes.container.name',
    'k8s.io/x',
    'topology.kubernetes.io/zone',
    'failure-domain.beta.kubernetes.io/zone',
    'annotation.x',
  ];
  t.same(
    yes.map((key) => kept(key)),
    yes.map(() => true),
  );
  t.same(
    no.map((key) => kept(key)),
    no.map(() => false),
  );
  t.same(
    [kept('app', ['role']), kept('role', ['role']), kept('app.kubernetes.io/x', ['role'])],
    [false, true, true],
    'an including pattern makes a whitelist',
  );
  t.same([kept('app', ['!app']), kept('role', ['!app']), kept('app', ['k8s:!app'], 'container')], [false, true, true]);
  t.same([kept('host', [], 'reserved')], [true]);
  t.throws(() => new LabelFilter(['(']), SyntaxError);
  t.end();
});

t.test('labels: sources, reserved, values, and any source', (t) => {
  t.same(parseLabel('k8s:app=web', 'any'), { source: 'k8s', key: 'app', value: 'web' });
  t.same(parseLabel('$host', 'any'), { source: 'reserved', key: 'host', value: '' });
  t.same(parseLabel('app=a=b', 'unspec'), { source: 'unspec', key: 'app', value: 'a=b' });
  const labels = new LabelSet(['k8s:app=web', 'container:app=box', 'reserved:world', 'cidr:10.0.0.0/8', 'k8s:app=web']);
  t.equal(labels.serialized, 'cidr:10.0.0.0/8;container:app=box;k8s:app=web;reserved:world');
  t.same(
    [labels.value('k8s', 'app'), labels.value('container', 'app'), labels.value('any', 'absent')],
    ['web', 'box', undefined],
  );
  t.ok(labels.isWorld());
  t.same(
    labels.prefixes().map(({ text }) => text),
    ['10.0.0.0/8'],
  );
  t.same(
    new LabelSet(['reserved:world-ipv6']).prefixes().map(({ text }) => text),
    ['::/0'],
  );
  t.end();
});

t.test('selectors: equal keys for equal meanings', (t) => {
  const web = selectorFrom({ matchLabels: { app: 'web' } }, 'any');
  t.equal(
    selectorKey(web),
    selectorKey(selectorFrom({ matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'web'] }] }, 'any')),
  );
  t.not(selectorKey(web), selectorKey(selectorFrom({ matchLabels: { app: 'web' } }, 'k8s')));
  const empty = selectorFrom({ matchLabels: { role: '' } }, 'any');
  t.same([selects(empty, new LabelSet(['k8s:role'])), selects(empty, new LabelSet(['k8s:role=x']))], [true, false]);
  t.ok(selects([], new LabelSet([])));
  const notIn = selectorFrom({ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, 'any');
  t.same([selects(notIn, new LabelSet([])), selects(notIn, new LabelSet(['k8s:app=web']))], [true, false]);
  t.end();
});

t.test('prefixes as keys of labels', (t) => {
  const keys: Record<string, string> = {
    '::1/128': '0--1/128',
    '2001:db8::/32': '2001-db8--0/32',
    '10.0.0.0/8': '10.0.0.0/8',
    '::/0': '0--0/0',
  };
  for (const [text, key] of Object.entries(keys)) {
    t.equal(prefixLabelKey(parsePrefix(text)), key);
    t.equal(prefixFromLabelKey(key)?.text, text);
  }
  t.end();
});

t.test('portBlocks() is minimal and exact', (t) => {
  t.same(portBlocks(8080, 8095), [{ port: 8080, prefix: 12 }]);
  t.same(portBlocks(80, 80), [{ port: 80, prefix: 16 }]);
  t.same(portBlocks(0, 65535), [{ port: 0, prefix: 0 }]);
  t.same(portBlocks(1, 65535).length, 16);
  const draw = new Draw(3);
  for (let i = 0; i < 200; i++) {
    const first = draw.int(65536);
    const last = first + draw.int(65536 - first);
    const blocks = portBlocks(first, last);
    let next = first;
    for (const { port, prefix } of blocks) {
      const size = 2 ** (16 - prefix);
      if (port !== next || port % size !== 0) t.fail(`${first}-${last}`);
      next = port + size;
    }
    if (next !== last + 1 || blocks.length > 30) t.fail(`${first}-${last}`);
  }
  t.end();
});

t.test('ports: numbers as Go reads them, names as IANA has them', (t) => {
  t.same(['80', '0', '65535', '65536', '010', '0b11', '', '-1', '1e3'].map(parsePort), [
    80,
    0,
    65535,
    undefined,
    8,
    3,
    undefined,
    undefined,
    undefined,
  ]);
  t.same(['http', 'a-b', '0x50', '80', 'a--b', '-a', 'a-', 'abcdefghijklmno', 'abcdefghijklmnop'].map(isServiceName), [
    true,
    true,
    true,
    false,
    false,
    false,
    false,
    true,
    false,
  ]);
  t.end();
});

t.test('names: patterns as Cilium reads them', (t) => {
  const matches = (pattern: string, ...names: string[]): string[] =>
    names.filter((name) => fqdnRegExp({ matchPattern: pattern }).test(normalizeName(name)));
  t.same(matches('*', 'a', 'a.b.c', ''), ['a', 'a.b.c', ''], 'a lone star is every name');
  t.same(matches('***.', 'a.b'), ['a.b']);
  t.same(
    matches('*.example.com', 'a.example.com', 'a.b.example.com', 'example.com'),
    ['a.example.com'],
    'a star never crosses a dot',
  );
  t.same(
    matches('**.example.com', 'a.example.com', 'a.b.example.com', 'example.com'),
    ['a.example.com', 'a.b.example.com'],
    '**. is one label or more',
  );
  t.same(matches('a**b.example', 'axyb.example', 'ab.example', 'a.b.example'), ['axyb.example', 'ab.example']);
  t.same(matches('A.Example', 'a.example.', 'a.EXAMPLE', 'axexample'), ['a.example.', 'a.EXAMPLE']);
  t.ok(fqdnRegExp({ matchName: 'A.b.' }).test(normalizeName('a.B')));
  t.notOk(fqdnRegExp({}).test('a.'));
  t.end();
});

t.test('ICMP types: every name of both families', (t) => {
  t.same(
    [
      icmpType('IPv4', 'EchoRequest'),
      icmpType('IPv6', 'EchoRequest'),
      icmpType('IPv4', '11'),
      icmpType('IPv4', 300),
      icmpType('IPv4', 'PacketTooBig'),
    ],
    [8, 128, 11, undefined, undefined],
  );
  t.equal(Object.keys(icmpNames('IPv4')).length, 14);
  t.ok(Object.values(icmpNames('IPv6')).every((type) => type >= 1 && type <= 161));
  t.end();
});

const origin = (name: string): Origin => ({ kind: 'K', namespace: '', name, path: '', file: '', line: 1 });

t.test('map state: higher precedence stays, equals join, the covered go', (t) => {
  const draft = (more: Partial<Draft>): Draft => ({
    egress: false,
    protocol: 6,
    port: 80,
    portPrefix: 16,
    naturalPrefix: more.portPrefix ?? 16,
    deny: false,
    ruleSet: 0,
    authType: 0,
    hasExplicitAuthType: false,
    precedence: 1,
    origins: [origin('a')],
    ...more,
  });
  const collect = (...drafts: Draft[]): Map<number, Draft> => {
    const gatherer = new DraftGatherer();
    for (const one of drafts) gatherer.add(one);
    return gatherer.drafts();
  };
  const joined = collect(draft({}), draft({ origins: [origin('b')], authType: 1, hasExplicitAuthType: true }));
  t.match([...joined.values()], [{ authType: 1, hasExplicitAuthType: true, origins: [{ name: 'a' }, { name: 'b' }] }]);
  t.match([...collect(draft({ precedence: 5, ruleSet: 9 }), draft({})).values()], [{ ruleSet: 9 }]);
  const left = (...drafts: Draft[]): number[] =>
    uncovered(collect(...drafts))
      .map(({ portPrefix }) => portPrefix)
      .sort((a, b) => a - b);
  const any = { protocol: 0, port: 0, portPrefix: 0 };
  t.same(left(draft({}), draft({ ...any, precedence: 9, deny: true })), [0], 'a broad deny covers a narrow allow');
  t.same(
    left(draft({ precedence: 9, deny: true }), draft({ ...any, precedence: 9, deny: true })),
    [0],
    'and a narrow deny',
  );
  t.same(left(draft({}), draft(any)), [0, 16], 'a broad allow does not cover an equal one');
  t.same(left(draft({ precedence: 9 }), draft(any)), [0, 16]);
  t.same(left(draft({ port: 81 }), draft({ port: 80, portPrefix: 15, precedence: 9 })), [15], 'by port prefix');
  t.same(left(draft({ port: 82 }), draft({ port: 80, portPrefix: 15, precedence: 9 })), [15, 16]);
  t.same(left(draft({ egress: true }), draft({ ...any, precedence: 9, deny: true })), [0, 16], 'directions do not mix');
  const wildcard = collect(draft({ ...any, precedence: 9, deny: true }));
  t.same(uncovered(collect(draft({})), coverOf(wildcard)), [], 'the wildcard covers too');
  t.end();
});

t.test('CookieJar remembers a while, and tells what is gone', (t) => {
  const jar = new CookieJar();
  const first = jar.acquire([origin('x'), origin('y')]);
  t.equal(jar.acquire([origin('y'), origin('x')]), first, 'order does not matter');
  t.equal(jar.acquire([]), 0);
  jar.release(first);
  jar.release(first);
  t.equal(jar.origins(first).length, 2, 'still known when nobody holds it');
  t.equal(jar.size, 0);
  t.same([...jar.takeChanges().added.keys()], [first]);
  for (let i = 0; i < 4096; i++) jar.release(jar.acquire([origin(`n${i}`)]));
  t.same(jar.origins(first), []);
  t.same(jar.takeChanges().removed, [first]);
  t.end();
});

t.test('RuleSetTable: an id never changes its content', (t) => {
  const table = new RuleSetTable();
  const ruleSet = (port: number) => ({ parser: 'http', endpoint: 0, ingress: true, port, rules: [] }) as const;
  const id = table.acquire(ruleSet(80));
  t.equal(table.acquire(ruleSet(80)), id);
  t.same([...table.takeChanges().put.keys()], [id]);
  table.release(id);
  t.same(table.takeChanges(), { put: new Map(), remove: [] });
  table.release(id);
  t.same(table.takeChanges().remove, [id]);
  const other = table.acquire(ruleSet(81));
  t.not(other, id, 'a freed id waits its turn');
  table.release(other);
  t.same(table.takeChanges(), { put: new Map(), remove: [] }, 'what was never published need not be removed');
  t.end();
});

t.test('document paths', (t) => {
  t.equal(joinPath('spec.a[0]', 'b'), 'spec.a[0].b');
  t.equal(joinPath('m', 'a/b'), 'm["a/b"]');
  t.same(['spec.a[0].b', 'spec.a[0]', 'spec', 'm["a/b"]', ''].map(parentPath), ['spec.a[0]', 'spec.a', '', 'm', '']);
  t.same(['spec.a[0]', 'spec', ''].map(lastName), ['a[0]', 'spec', 'document']);
  t.end();
});
