/** What policies mean: every row of Cilium's semantics, compiled and asked through a real policy map. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { type Changes, Cluster, type EndpointChange } from '../cluster.ts';
import { readDocuments } from '../document/document.ts';
import type { PolicyConfig } from '../rule/options.ts';
import { formatProblem, hasErrors } from '../rule/problems.ts';
import { policyName } from '../rule/rule.ts';

const folder = mkdtempSync(join(tmpdir(), 'policy-semantics-'));
t.teardown(() => rmSync(folder, { recursive: true }));
let maps = 0;

const PODS = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: red}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: other, labels: {team: blue}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, status: {podIP: 10.0.0.1},
 spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: shop, labels: {app: client, tier: front}}, status: {podIP: 10.0.0.2},
 spec: {serviceAccountName: buyer, containers: [{name: c, ports: [{name: http, containerPort: 9000}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: stranger, namespace: other, labels: {app: client}}, status: {podIP: 10.0.0.3}}
---
{apiVersion: v1, kind: Node, metadata: {name: localhost, labels: {zone: a}}, status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: far, labels: {zone: b}}, status: {addresses: [{type: InternalIP, address: 192.0.2.2}]}}
`;

/** Who can be at the other end of a packet, by the name the tests use. */
type Remote = string;

class World {
  readonly cluster: Cluster;
  changes: Changes;
  readonly #endpoints = new Map<number, EndpointChange>();
  readonly #ids = new Map<string, number>();

  constructor(policies: string, config: PolicyConfig = {}) {
    this.cluster = new Cluster(config);
    const { documents, problems } = readDocuments(`${PODS}\n---\n${policies}`, 'world.yaml', config);
    if (hasErrors(problems)) throw new Error(problems.map(formatProblem).join('\n'));
    for (const document of documents) {
      if (document.kind === 'Pod') this.#ids.set(`${document.namespace}/${document.name}`, this.#ids.size + 1);
      this.cluster.apply(document, this.#ids.get(`${document.namespace}/${document.name}`) ?? 0);
    }
    this.cluster.setHostEndpoint(1000, { zone: 'a' });
    this.changes = this.flush();
  }

  apply(text: string): void {
    const { documents, problems } = readDocuments(text, 'more.yaml', this.cluster.options);
    if (hasErrors(problems)) throw new Error(problems.map(formatProblem).join('\n'));
    for (const document of documents) this.cluster.apply(document);
    this.flush();
  }

  flush(): Changes {
    this.changes = this.cluster.flush();
    for (const [id, change] of this.changes.endpoints) this.#endpoints.set(id, change);
    for (const id of this.changes.removedEndpoints) this.#endpoints.delete(id);
    return this.changes;
  }

  endpoint(pod: string): EndpointChange {
    const change = this.#endpoints.get({ host: 1000, init: 1001 }[pod] ?? this.#ids.get(pod) ?? 0);
    if (change === undefined) throw new Error(`no endpoint ${pod}`);
    return change;
  }

  identity(remote: Remote): number {
    if (remote === 'host') return 1;
    if (remote === 'world') return this.cluster.addresses.lookup('198.51.100.77');
    if (remote === 'kube-apiserver') return 7;
    if (remote === 'health') return 4;
    const [namespace, name] = remote.split('/');
    return this.cluster.podIdentity(namespace, name ?? '') ?? this.cluster.addresses.lookup(remote);
  }

  /** 'allow', 'deny' (181), 'none' (133), 'auth' (189), or the rules of the redirect. */
  ask(pod: string, direction: 'ingress' | 'egress', remote: Remote, packet: string, shadow = false): string {
    const { entries, shadow: shadowed } = this.endpoint(pod);
    const list = shadow ? (shadowed ?? []) : entries;
    const map = PolicyMap.create(
      join(folder, `policy_${++maps}`),
      { capacity: Math.max(1, list.length) },
      memoryMapper(),
    );
    map.publish(list);
    const { protocol, port } = parsePacket(packet);
    const verdict = map.lookup(this.identity(remote), direction === 'egress' ? 1 : 0, protocol, port);
    this.cookie = map.cookie;
    map.close();
    if (verdict === -133) return 'none';
    if (verdict === -181) return 'deny';
    if (verdict === -189) return 'auth';
    return verdict === 0 ? 'allow' : this.#redirect(verdict, this.identity(remote));
  }

  cookie = 0;

  #redirect(id: number, remote: number): string {
    const ruleSet = this.cluster.compiler.ruleSets.ruleSet(id);
    const rules = (ruleSet?.rules ?? []).filter(({ remotes }) => remotes === null || remotes.includes(remote));
    const texts = rules.map((rule) => {
      const list = rule.http ?? rule.dns ?? rule.kafka ?? (rule.serverNames as readonly object[] | undefined) ?? null;
      return list === null ? 'everything' : JSON.stringify(list);
    });
    return `${ruleSet?.parser} ${texts.sort().join(' | ')}`;
  }

  deciders(): string[] {
    return this.cluster.origins(this.cookie).map((origin) => `${policyName(origin)} ${origin.path}`);
  }
}

const PROTOCOLS: Record<string, number> = { TCP: 6, UDP: 17, SCTP: 132, ICMP: 1, ICMPv6: 58 };

function parsePacket(text: string): { protocol: number; port: number } {
  const [protocol, port] = text.split('/');
  return { protocol: PROTOCOLS[protocol] ?? Number(protocol), port: Number(port) };
}

/** A CiliumNetworkPolicy about pod web in namespace shop. */
function cnp(spec: string, name = 'test'): string {
  return `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
${spec.replace(/^/gm, '  ')}
`;
}

function ccnp(spec: string, name = 'wide', subject = 'endpointSelector: {matchLabels: {app: web}}'): string {
  return `
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: ${name}}
spec:
  ${subject}
${spec.replace(/^/gm, '  ')}
`;
}

function knp(spec: string, name = 'plain'): string {
  return `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
${spec.replace(/^/gm, '  ')}
`;
}

/** `ingress shop/client TCP/80`: wanted. */
type Expectations = Record<string, string>;

interface Case {
  readonly name: string;
  readonly policy: string;
  readonly config?: PolicyConfig;
  readonly expect: Expectations;
}

function run(title: string, cases: readonly Case[]): void {
  t.test(title, (t) => {
    for (const { name, policy, config, expect } of cases) {
      const world = new World(policy, config);
      const found = Object.fromEntries(
        Object.keys(expect).map((key) => {
          const [direction, remote, packet, pod = 'shop/web'] = key.split(' ');
          return [key, world.ask(pod, direction as 'ingress', remote, packet)];
        }),
      );
      t.same(found, expect, name);
    }
    t.end();
  });
}

run('nil, empty and {}', [
  {
    name: 'a direction that is not mentioned stays open',
    policy: cnp('ingress: [{}]'),
    expect: { 'egress world TCP/443': 'allow', 'ingress world TCP/80': 'none' },
  },
  {
    name: 'ingress: [{}] of a CNP enforces and allows nothing',
    policy: cnp('ingress: [{}]'),
    expect: { 'ingress shop/client TCP/80': 'none', 'ingress world TCP/80': 'none' },
  },
  {
    name: 'ports without peers are open to any peer, world included',
    policy: cnp('ingress: [{toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]'),
    expect: {
      'ingress world TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'allow',
      'ingress host TCP/80': 'allow',
      'ingress world TCP/81': 'none',
      'ingress world UDP/80': 'none',
    },
  },
  {
    name: 'fromEndpoints: [] selects nothing and closes the direction',
    policy: cnp('ingress: [{fromEndpoints: [], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]'),
    expect: { 'ingress shop/client TCP/80': 'none', 'ingress world TCP/80': 'none' },
  },
  ...['fromCIDR', 'fromCIDRSet', 'fromEntities'].map((member) => ({
    name: `${member}: [] selects nothing and closes the direction`,
    policy: cnp(`ingress: [{${member}: []}]`),
    expect: { 'ingress shop/client TCP/80': 'none', 'ingress world TCP/80': 'none' },
  })),
  {
    name: 'fromNodes: [] selects nothing and closes the direction',
    policy: cnp('ingress: [{fromNodes: []}]'),
    config: { 'enable-node-selector-labels': true },
    expect: { 'ingress shop/client TCP/80': 'none', 'ingress 192.0.2.2 TCP/80': 'none' },
  },
  {
    name: 'fromEndpoints: [{}] of a CNP is every endpoint of its namespace',
    policy: cnp('ingress: [{fromEndpoints: [{}]}]'),
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'none',
      'ingress world TCP/80': 'none',
      'ingress 192.0.2.2 TCP/80': 'none',
    },
  },
  {
    name: 'fromEndpoints: [{}] of a CCNP is every pod, and neither host nor world',
    policy: ccnp('ingress: [{fromEndpoints: [{}]}]'),
    config: { 'allow-localhost': 'policy' },
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'allow',
      'ingress world TCP/80': 'none',
      'ingress host TCP/80': 'none',
      'ingress 192.0.2.2 TCP/80': 'none',
    },
  },
  {
    name: 'fromEntities: [all] is everything',
    policy: cnp('ingress: [{fromEntities: [all]}]'),
    expect: { 'ingress world TCP/80': 'allow', 'ingress health ICMP/8': 'allow', 'ingress 192.0.2.2 UDP/1': 'allow' },
  },
  {
    name: 'toPorts that is empty or absent is every port and protocol, ICMP included',
    policy: `${cnp('ingress: [{fromEndpoints: [{}], toPorts: []}]')}---${cnp('egress: [{toEndpoints: [{}]}]', 'second')}`,
    expect: {
      'ingress shop/client ICMP/8': 'allow',
      'ingress shop/client UDP/7': 'allow',
      'egress shop/client SCTP/1': 'allow',
    },
  },
  ...['{ports: []}', '{}'].map((ports) => ({
    name: `toPorts: [${ports}] allows nothing`,
    policy: cnp(`ingress: [{fromEndpoints: [{}], toPorts: [${ports}]}]`),
    expect: { 'ingress shop/client TCP/80': 'none', 'ingress shop/client ICMP/8': 'none' },
  })),
  {
    name: 'ingress: [] beside egress says nothing about ingress',
    policy: cnp('ingress: []\negress: [{}]'),
    expect: { 'ingress world TCP/80': 'allow', 'egress world TCP/80': 'none' },
  },
  {
    name: 'rules.dns: [] restricts and redirects nothing',
    policy: cnp('egress: [{toPorts: [{ports: [{port: "53", protocol: UDP}], rules: {dns: []}}]}]'),
    expect: { 'egress world UDP/53': 'allow' },
  },
  {
    name: 'port "0" is every port of the protocol',
    policy: cnp('ingress: [{toPorts: [{ports: [{port: "0", protocol: UDP}]}]}]'),
    expect: { 'ingress world UDP/9999': 'allow', 'ingress world TCP/9999': 'none', 'ingress world ICMP/8': 'none' },
  },
  {
    name: 'rules that are empty restrict and redirect nothing',
    policy: ['{}', '{http: []}', '{kafka: []}']
      .map((rules, i) =>
        cnp(`ingress: [{toPorts: [{ports: [{port: "${80 + i}", protocol: TCP}], rules: ${rules}}]}]`, `p${i}`),
      )
      .join('---'),
    expect: { 'ingress world TCP/80': 'allow', 'ingress world TCP/81': 'allow', 'ingress world TCP/82': 'allow' },
  },
  {
    name: 'rules.http: [{}] redirects and allows any request',
    policy: cnp('ingress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{}]}}]}]'),
    expect: { 'ingress world TCP/80': 'http [{}]' },
  },
  {
    name: 'ingress: [{}] of a NetworkPolicy allows everything',
    policy: knp('ingress: [{}]'),
    expect: { 'ingress world TCP/80': 'allow', 'ingress world ICMP/8': 'allow' },
  },
  {
    name: 'from: [] of a NetworkPolicy is any peer',
    policy: knp('ingress: [{from: [], ports: [{port: 80}]}]'),
    expect: {
      'ingress world TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'allow',
      'ingress world TCP/81': 'none',
    },
  },
]);

run('enforcement modes', [
  {
    name: 'default: an endpoint that no rule selects is open both ways',
    policy: cnp('ingress: [{}]'),
    expect: { 'ingress world TCP/80 shop/client': 'allow', 'egress world TCP/80 shop/client': 'allow' },
  },
  {
    name: 'always: both directions are closed, selected or not',
    policy: cnp('ingress: [{fromEntities: [world]}]'),
    config: { 'enable-policy': 'always' },
    expect: {
      'ingress world TCP/80 shop/client': 'none',
      'egress world TCP/80 shop/client': 'none',
      'ingress world TCP/80': 'allow',
      'egress world TCP/80': 'none',
    },
  },
  {
    name: 'never: rules are ignored',
    policy: cnp('ingressDeny: [{fromEntities: [all]}]'),
    config: { 'enable-policy': 'never' },
    expect: { 'ingress world TCP/80': 'allow', 'ingress shop/client TCP/80': 'allow' },
  },
]);

run('default deny', [
  {
    name: 'a lone deny rule closes its direction',
    policy: cnp('egressDeny: [{toCIDR: [198.51.100.0/24]}]'),
    expect: {
      'egress 198.51.100.1 TCP/80': 'deny',
      'egress 203.0.113.1 TCP/80': 'none',
      'ingress world TCP/80': 'allow',
    },
  },
  {
    name: 'enableDefaultDeny: false leaves the direction open but for what is denied',
    policy: cnp('enableDefaultDeny: {egress: false}\negressDeny: [{toCIDR: [198.51.100.0/24]}]'),
    expect: { 'egress 198.51.100.1 TCP/80': 'deny', 'egress 203.0.113.1 TCP/80': 'allow' },
  },
  {
    name: 'one rule that closes is enough',
    policy: `${cnp('enableDefaultDeny: {ingress: false}\ningress: [{fromEndpoints: [{}]}]')}---${cnp('ingress: [{}]', 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'allow', 'ingress world TCP/80': 'none' },
  },
  {
    name: 'in a direction that stays open L7 rules deny nothing',
    policy: cnp(
      'enableDefaultDeny: {ingress: false}\ningress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}]}]',
    ),
    expect: { 'ingress world TCP/80': 'http [{"method":"GET"}] | everything', 'ingress world TCP/81': 'allow' },
  },
  {
    name: 'enableDefaultDeny: true closes no direction that the rule says nothing about',
    policy: cnp('enableDefaultDeny: {egress: true}\ningress: [{}]'),
    expect: { 'egress world TCP/80': 'allow', 'ingress world TCP/80': 'none' },
  },
  {
    name: 'enable-non-default-deny-policies: false closes whatever the rule says',
    policy: cnp('enableDefaultDeny: {egress: false}\negressDeny: [{toCIDR: [198.51.100.0/24]}]'),
    config: { 'enable-non-default-deny-policies': false },
    expect: { 'egress 203.0.113.1 TCP/80': 'none' },
  },
]);

const GET = 'rules: {http: [{method: GET}]}';
const PUT = 'rules: {http: [{method: PUT}]}';
const http = (port: string, rules: string, peers = ''): string =>
  `ingress: [{${peers}toPorts: [{ports: [{port: "${port}", protocol: TCP}], ${rules}}]}]`;
const CLIENT = 'fromEndpoints: [{matchLabels: {app: client}}], ';

run('allow, deny and L7 precedence', [
  {
    name: 'a wildcard deny beats a specific allow, a broad deny a narrow allow',
    policy: cnp(
      `ingress: [{${CLIENT}toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]\ningressDeny: [{fromEntities: [all], toPorts: [{ports: [{port: "0", protocol: TCP}]}]}]`,
    ),
    expect: { 'ingress shop/client TCP/80': 'deny', 'ingress world TCP/80': 'deny', 'ingress world UDP/80': 'none' },
  },
  {
    name: 'a deny of one peer leaves the others',
    policy: cnp(`ingress: [{fromEntities: [all]}]\ningressDeny: [{${CLIENT.slice(0, -2)}}]`),
    expect: { 'ingress shop/client TCP/80': 'deny', 'ingress other/stranger TCP/80': 'allow' },
  },
  {
    name: 'a deny of one port inside an allow of all',
    policy: cnp(
      'ingress: [{fromEntities: [all]}]\ningressDeny: [{fromEntities: [all], toPorts: [{ports: [{port: "22", protocol: TCP}]}]}]',
    ),
    expect: { 'ingress world TCP/22': 'deny', 'ingress world TCP/23': 'allow', 'ingress shop/client TCP/22': 'deny' },
  },
  {
    name: 'plain and plain is plain',
    policy: `${cnp(http('80', '', CLIENT))}---${cnp(http('80', '', CLIENT), 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'allow' },
  },
  {
    name: 'plain beside HTTP on one peer and port: proxied, every request allowed',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp(http('80', '', CLIENT), 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything' },
  },
  {
    name: 'two HTTP lists are united',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp(http('80', PUT, CLIENT), 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'http [{"method":"GET"}] | [{"method":"PUT"}]' },
  },
  {
    name: 'HTTP for one peer, plain for everybody: the peer is proxied and lifted, others are plain',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp(http('80', ''), 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything', 'ingress world TCP/80': 'allow' },
  },
  {
    name: 'HTTP for everybody, plain for one peer: the redirect outranks the plain allow',
    policy: `${cnp(http('80', GET))}---${cnp(http('80', '', CLIENT), 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything',
      'ingress world TCP/80': 'http [{"method":"GET"}]',
    },
  },
  {
    name: 'an all-ports allow of a peer lifts its HTTP list',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp('ingress: [{fromEndpoints: [{matchLabels: {app: client}}]}]', 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything',
      'ingress shop/client TCP/81': 'allow',
    },
  },
  {
    name: 'a port range that covers the port lifts the HTTP list too',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp('ingress: [{fromEntities: [all], toPorts: [{ports: [{port: "70", endPort: 90, protocol: TCP}]}]}]', 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything',
      'ingress shop/client TCP/79': 'allow',
    },
  },
  {
    name: 'an L7 range is cut where another rule begins',
    policy: `${cnp('ingress: [{toPorts: [{ports: [{port: "80", endPort: 90, protocol: TCP}], rules: {http: [{method: GET}]}}]}]')}---${cnp(http('85', PUT), 'second')}`,
    expect: {
      'ingress world TCP/84': 'http [{"method":"GET"}]',
      'ingress world TCP/85': 'http [{"method":"GET"}] | [{"method":"PUT"}]',
      'ingress world TCP/86': 'http [{"method":"GET"}]',
      'ingress world TCP/91': 'none',
    },
  },
  {
    name: 'deny wins over L7 on the same peer and port',
    policy: cnp(
      `${http('80', GET, CLIENT)}\ningressDeny: [{${CLIENT}toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]`,
    ),
    expect: { 'ingress shop/client TCP/80': 'deny' },
  },
  {
    name: 'server names redirect to the TLS parser, two lists are united',
    policy: `${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}]}]')}---${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [b.example]}]}]', 'second')}`,
    expect: { 'egress world TCP/443': 'tls ["a.example"] | ["b.example"]' },
  },
  {
    name: 'server names bind a plain allow of the same peer and port',
    policy: `${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}]}]')}---${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}]}]}]', 'second')}`,
    expect: { 'egress world TCP/443': 'tls ["a.example"]' },
  },
  {
    name: 'DNS and Kafka rules redirect to their parsers; DNS goes by its own port only',
    policy: cnp(
      'egress: [{toEntities: [world], toPorts: [{ports: [{port: "53", protocol: ANY}], rules: {dns: [{matchPattern: "*"}]}}]}, {toEntities: [world]}, {toEntities: [cluster], toPorts: [{ports: [{port: "9092", protocol: TCP}], rules: {kafka: [{role: produce}]}}]}]',
    ),
    expect: {
      'egress world UDP/53': 'dns [{"matchPattern":"*"}]',
      'egress world TCP/53': 'dns [{"matchPattern":"*"}]',
      'egress shop/client TCP/9092': 'kafka [{"role":"produce"}]',
      'egress world TCP/9092': 'allow',
    },
  },
  {
    name: 'neither a range nor every port lifts a DNS list, a plain rule for its port does',
    policy: cnp(
      'egress: [{toPorts: [{ports: [{port: "53"}], rules: {dns: [{matchName: a.b}]}}, {ports: [{port: "1", endPort: 1023}]}, {ports: [{port: "0"}]}]}, {toEntities: [host], toPorts: [{ports: [{port: "53", protocol: UDP}]}]}]',
    ),
    expect: {
      'egress world UDP/53': 'dns [{"matchName":"a.b"}]',
      'egress world TCP/53': 'dns [{"matchName":"a.b"}]',
      'egress host UDP/53': 'dns [{"matchName":"a.b"}] | everything',
      'egress world UDP/54': 'allow',
    },
  },
  {
    name: 'server names on every port; where requests are read they let all pass',
    policy: cnp(
      'egress: [{toPorts: [{ports: [{port: "0", protocol: TCP}], serverNames: [a.example]}, {ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}]}]',
    ),
    expect: {
      'egress world TCP/443': 'tls ["a.example"]',
      'egress world TCP/65535': 'tls ["a.example"]',
      'egress world TCP/80': 'http [{"method":"GET"}] | everything',
      'egress world UDP/443': 'none',
    },
  },
  {
    name: 'server names outrank a DNS list, which lets nothing pass then',
    policy: cnp(
      'egress: [{toPorts: [{ports: [{port: "0", protocol: TCP}], serverNames: [a.example]}, {ports: [{port: "53"}], rules: {dns: [{matchName: a.b}]}}]}]',
    ),
    expect: { 'egress world TCP/53': 'tls ["a.example"]', 'egress world UDP/53': 'dns [{"matchName":"a.b"}]' },
  },
  {
    name: 'authentication: required drops with 189 until a backend exists',
    policy: cnp(
      'ingress: [{fromEndpoints: [{}], authentication: {mode: required}}, {fromEntities: [world], authentication: {mode: disabled}}]',
    ),
    expect: { 'ingress shop/client TCP/80': 'auth', 'ingress world TCP/80': 'allow' },
  },
  {
    name: 'authentication: a mode that one rule leaves out is what the other says',
    policy: `${cnp('ingress: [{fromEndpoints: [{}], authentication: {mode: required}}]')}---${cnp('ingress: [{fromEndpoints: [{}]}]', 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'auth' },
  },
  {
    name: 'authentication: what a rule asks of all ports holds for a port that another rule allows',
    policy: `${cnp('ingress: [{fromEndpoints: [{}], authentication: {mode: required}}]')}---${cnp('ingress: [{fromEndpoints: [{}], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}, {fromEndpoints: [{}], toPorts: [{ports: [{port: "81", protocol: TCP}]}], authentication: {mode: disabled}}]', 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'auth',
      'ingress shop/client TCP/81': 'allow',
      'ingress shop/client TCP/82': 'auth',
    },
  },
  {
    name: 'authentication: of all ports, for a protocol of the same peer, and of a prefix',
    policy: `${cnp('ingress: [{fromCIDR: [198.51.100.0/24], authentication: {mode: required}}, {fromEntities: [all], toPorts: [{ports: [{port: "80", protocol: UDP}]}], authentication: {mode: required}}]')}---${cnp('ingress: [{fromCIDR: [198.51.100.0/24], toPorts: [{ports: [{protocol: TCP}]}]}, {toPorts: [{ports: [{protocol: UDP}]}]}]', 'second')}`,
    expect: {
      'ingress 198.51.100.1 TCP/80': 'auth',
      'ingress 203.0.113.1 UDP/80': 'auth',
      'ingress 203.0.113.1 UDP/81': 'allow',
    },
  },
  {
    name: 'authentication: what a plain rule asks holds for the HTTP rules of the same port',
    policy: cnp(
      `ingress: [{fromEndpoints: [{}], toPorts: [{ports: [{port: "80", protocol: TCP}]}], authentication: {mode: required}}, {${CLIENT}toPorts: [{ports: [{port: "80", protocol: TCP}], ${GET}}]}]`,
    ),
    expect: { 'ingress shop/client TCP/80': 'auth' },
  },
  {
    name: 'authentication: a range that was cut is no narrower for it',
    policy: cnp(
      'egress: [{toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}], authentication: {mode: required}}, {toEndpoints: [{}], toPorts: [{ports: [{port: "0", protocol: TCP}], serverNames: [b.example]}], authentication: {mode: disabled}}]',
    ),
    expect: { 'egress shop/client TCP/443': 'auth', 'egress shop/client TCP/444': 'tls ["b.example"]' },
  },
  {
    name: 'authentication: of two broader rules the narrower is heard, also where its range was cut',
    policy: cnp(
      `ingress: [{toPorts: [{ports: [{port: "1", endPort: 1023, protocol: TCP}]}], authentication: {mode: required}}, {toPorts: [{ports: [{port: "80", endPort: 90, protocol: TCP}], ${GET}}], authentication: {mode: disabled}}, {toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: PUT}]}}]}]`,
    ),
    expect: {
      'ingress shop/client TCP/79': 'auth',
      'ingress shop/client TCP/80': 'http [{"method":"GET"}] | [{"method":"PUT"}] | everything',
    },
  },
  {
    name: 'HTTP on a port, and a plain allow of the name that the port has for the peer',
    policy: cnp(
      'egress: [{toEndpoints: [{}], toPorts: [{ports: [{port: "9000", protocol: TCP}], rules: {http: [{method: GET}]}}]}, {toEndpoints: [{}], toPorts: [{ports: [{port: http, protocol: TCP}]}]}]',
    ),
    expect: { 'egress shop/client TCP/9000': 'http [{"method":"GET"}] | everything' },
  },
  {
    name: 'HTTP on a port name: for each peer on its own number',
    policy: cnp(
      'egress: [{toEndpoints: [{}], toPorts: [{ports: [{port: http, protocol: TCP}], rules: {http: [{method: GET}]}}]}, {toEndpoints: [{}], toPorts: [{ports: [{port: "9000", protocol: TCP}], rules: {http: [{method: PUT}]}}]}]',
    ),
    expect: {
      'egress shop/client TCP/9000': 'http [{"method":"GET"}] | [{"method":"PUT"}]',
      'egress shop/client TCP/8080': 'none',
    },
  },
  {
    name: 'terminatingTLS is not enforced yet: the port is closed to the peers',
    policy: cnp(
      'egress: [{toEntities: [all]}, {toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], terminatingTLS: {secret: {name: x}}, rules: {http: [{method: GET}]}}]}]',
    ),
    expect: { 'egress world TCP/443': 'deny', 'egress shop/client TCP/443': 'allow', 'egress world TCP/80': 'allow' },
  },
]);

const GROUP_RULES = cnp(
  'ingress: [{fromCIDRSet: [{cidrGroupRef: vpn, except: [10.0.0.3/32]}]}, {fromCIDRSet: [{cidrGroupSelector: {matchExpressions: [{key: use, operator: NotIn, values: [dns]}]}}], toPorts: [{ports: [{port: "81"}]}]}]',
);
const VPN =
  '{apiVersion: cilium.io/v2, kind: CiliumCIDRGroup, metadata: {name: vpn}, spec: {externalCIDRs: [10.0.0.0/8, 192.0.2.2/32]}}';

run('peers by identity', [
  {
    name: 'CIDR rules match neither pods nor nodes',
    policy: cnp('ingress: [{fromCIDR: [10.0.0.0/8, 192.0.2.0/24]}]'),
    config: { 'allow-localhost': 'policy' },
    expect: {
      'ingress 10.9.9.9 TCP/80': 'allow',
      'ingress shop/client TCP/80': 'none',
      'ingress 192.0.2.2 TCP/80': 'none',
      'ingress host TCP/80': 'none',
      'ingress 192.0.2.99 TCP/80': 'allow',
    },
  },
  {
    name: 'policy-cidr-match-mode: nodes',
    policy: cnp('ingress: [{fromCIDR: [10.0.0.0/8, 192.0.2.0/24]}]'),
    config: { 'policy-cidr-match-mode': ['nodes'], 'allow-localhost': 'policy' },
    expect: {
      'ingress 192.0.2.2 TCP/80': 'allow',
      'ingress host TCP/80': 'allow',
      'ingress shop/client TCP/80': 'none',
    },
  },
  {
    name: 'policy-cidr-match-mode: pods',
    policy: cnp('ingress: [{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.3/32]}]}]'),
    config: { 'policy-cidr-match-mode': ['pods'] },
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'none',
      'ingress 192.0.2.2 TCP/80': 'none',
    },
  },
  {
    name: 'containment goes by the most specific prefix',
    policy: `${cnp('ingress: [{fromCIDR: [172.16.0.0/12]}]')}---${ccnp('ingress: [{fromCIDR: [172.16.5.0/24], toPorts: [{ports: [{port: "22", protocol: TCP}]}]}]', 'wide', 'endpointSelector: {matchLabels: {app: client}}')}`,
    expect: {
      'ingress 172.16.5.9 TCP/80': 'allow',
      'ingress 172.17.0.1 TCP/80': 'allow',
      'ingress 172.32.0.1 TCP/80': 'none',
    },
  },
  {
    name: 'except is no deny: another rule may still allow it',
    policy: `${cnp('ingress: [{fromCIDRSet: [{cidr: 172.16.0.0/12, except: [172.16.5.0/24]}]}]')}---${cnp('ingress: [{fromCIDR: [172.16.5.128/25]}]', 'second')}`,
    expect: {
      'ingress 172.16.4.1 TCP/80': 'allow',
      'ingress 172.16.5.1 TCP/80': 'none',
      'ingress 172.16.5.200 TCP/80': 'allow',
    },
  },
  {
    name: '/0 is the world of its family',
    policy: cnp('egress: [{toCIDR: [0.0.0.0/0]}]'),
    expect: {
      'egress world TCP/80': 'allow',
      'egress 203.0.113.9 TCP/80': 'allow',
      'egress 2001:db8::1 TCP/80': 'none',
      'egress shop/client TCP/80': 'none',
    },
  },
  {
    name: '/0 with an exception',
    policy: cnp('egress: [{toCIDRSet: [{cidr: 0.0.0.0/0, except: [169.254.169.254/32]}]}]'),
    expect: { 'egress 203.0.113.9 TCP/80': 'allow', 'egress 169.254.169.254 TCP/80': 'none' },
  },
  {
    name: 'IPv6 prefixes, nested',
    policy: cnp('egress: [{toCIDRSet: [{cidr: "2001:db8::/32", except: ["2001:db8:1::/48"]}]}]'),
    expect: {
      'egress 2001:db8:2::1 TCP/80': 'allow',
      'egress 2001:db8:1::1 TCP/80': 'none',
      'egress 2001:db9::1 TCP/80': 'none',
    },
  },
  {
    name: 'a pod inside a CIDR set keeps the identity of the pod',
    policy: cnp('ingress: [{fromCIDR: [10.0.0.0/8]}]\ningressDeny: [{fromCIDR: [10.0.0.2/32]}]'),
    expect: { 'ingress shop/client TCP/80': 'none' },
  },
  {
    name: 'CIDR groups, by name, by label, with except',
    policy: `${cnp('ingress: [{fromCIDRSet: [{cidrGroupRef: vpn, except: [198.51.100.128/25]}]}]\negress: [{toCIDRSet: [{cidrGroupSelector: {matchLabels: {use: dns}}}]}]')}
---
{apiVersion: cilium.io/v2, kind: CiliumCIDRGroup, metadata: {name: vpn}, spec: {externalCIDRs: [198.51.100.0/24]}}
---
{apiVersion: cilium.io/v2, kind: CiliumCIDRGroup, metadata: {name: resolvers, labels: {use: dns}}, spec: {externalCIDRs: [203.0.113.53/32, 203.0.113.54]}}`,
    expect: {
      'ingress 198.51.100.1 TCP/80': 'allow',
      'ingress 198.51.100.200 TCP/80': 'none',
      'egress 203.0.113.53 UDP/53': 'allow',
      'egress 203.0.113.54 UDP/53': 'allow',
      'egress 203.0.113.55 UDP/53': 'none',
      'egress 198.51.100.1 TCP/80': 'none',
    },
  },
  {
    name: 'CIDR groups see pods and nodes as prefixes do: only if policy-cidr-match-mode says so',
    policy: `${GROUP_RULES}---\n${VPN}`,
    config: { 'allow-localhost': 'policy' },
    expect: {
      'ingress 10.9.9.9 TCP/80': 'allow',
      'ingress shop/client TCP/80': 'none',
      'ingress 192.0.2.2 TCP/80': 'none',
      'ingress shop/client TCP/81': 'none',
      'ingress world TCP/81': 'allow',
    },
  },
  {
    name: 'CIDR groups and policy-cidr-match-mode: nodes, pods',
    policy: `${GROUP_RULES}---\n${VPN}`,
    config: { 'allow-localhost': 'policy', 'policy-cidr-match-mode': ['nodes', 'pods'] },
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'none',
      'ingress 192.0.2.2 TCP/80': 'allow',
      'ingress host TCP/80': 'none',
      'ingress shop/client TCP/81': 'allow',
      'ingress host TCP/81': 'allow',
    },
  },
  {
    name: 'of groups around one prefix every label counts',
    policy: `${cnp('ingress: [{fromCIDRSet: [{cidrGroupSelector: {matchLabels: {owner: us}}}]}, {fromCIDRSet: [{cidrGroupSelector: {matchLabels: {owner: them}}}], toPorts: [{ports: [{port: "81"}]}]}]')}
---
{apiVersion: cilium.io/v2, kind: CiliumCIDRGroup, metadata: {name: a, labels: {owner: us}}, spec: {externalCIDRs: [198.51.100.0/24]}}
---
{apiVersion: cilium.io/v2, kind: CiliumCIDRGroup, metadata: {name: b, labels: {owner: them}}, spec: {externalCIDRs: [198.51.100.0/25]}}`,
    expect: {
      'ingress 198.51.100.1 TCP/80': 'allow',
      'ingress 198.51.100.1 TCP/81': 'allow',
      'ingress 198.51.100.200 TCP/81': 'allow',
    },
  },
  {
    name: 'the outside is reserved:world whatever prefixes others name',
    policy: `${cnp('ingress: [{fromEndpoints: [{matchLabels: {"reserved:world": ""}}]}]')}---${cnp('egress: [{toCIDR: [0.0.0.0/0]}]', 'second')}`,
    expect: { 'ingress world TCP/80': 'allow', 'ingress 2001:db8::1 TCP/80': 'allow' },
  },
  {
    name: 'an unknown CIDR group selects nothing',
    policy: cnp('ingress: [{fromCIDRSet: [{cidrGroupRef: absent}]}]'),
    expect: { 'ingress world TCP/80': 'none', 'ingress 198.51.100.1 TCP/80': 'none' },
  },
  {
    name: 'entities',
    policy: cnp(
      ['world', 'host', 'remote-node', 'cluster', 'kube-apiserver', 'none', 'health']
        .map((entity, i) => `- {fromEntities: [${entity}], toPorts: [{ports: [{port: "${80 + i}", protocol: TCP}]}]}`)
        .join('\n')
        .replace(/^/, 'ingress:\n'),
    ),
    config: { 'allow-localhost': 'policy' },
    expect: {
      'ingress world TCP/80': 'allow',
      'ingress shop/client TCP/80': 'none',
      'ingress host TCP/81': 'allow',
      'ingress host TCP/80': 'none',
      'ingress 192.0.2.2 TCP/82': 'allow',
      'ingress 192.0.2.2 TCP/81': 'none',
      'ingress other/stranger TCP/83': 'allow',
      'ingress host TCP/83': 'allow',
      'ingress 192.0.2.2 TCP/83': 'allow',
      'ingress world TCP/83': 'none',
      'ingress kube-apiserver TCP/84': 'allow',
      'ingress kube-apiserver TCP/82': 'allow',
      'ingress world TCP/85': 'none',
      'ingress health TCP/86': 'allow',
      'ingress health TCP/83': 'allow',
    },
  },
  {
    name: 'kube-apiserver is whoever stands behind the service kubernetes, inside the world too',
    policy: `${cnp('egress: [{toEntities: [kube-apiserver]}]')}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: kubernetes, namespace: default}, subsets: [{addresses: [{ip: 203.0.113.6}]}]}`,
    expect: { 'egress 203.0.113.6 TCP/6443': 'allow', 'egress 203.0.113.7 TCP/6443': 'none' },
  },
  {
    name: 'world holds prefixes and names, whoever else selects them',
    policy: `${cnp('egress: [{toEntities: [world]}]')}---${cnp('ingress: [{fromCIDR: [198.51.100.0/24]}]', 'second')}`,
    expect: {
      'egress 198.51.100.1 TCP/80': 'allow',
      'egress world TCP/80': 'allow',
      'egress shop/client TCP/80': 'none',
    },
  },
  {
    name: 'fromNodes selects remote nodes by label',
    policy: cnp('ingress: [{fromNodes: [{matchLabels: {zone: b}}]}]'),
    config: { 'enable-node-selector-labels': true, 'allow-localhost': 'policy' },
    expect: {
      'ingress 192.0.2.2 TCP/80': 'allow',
      'ingress host TCP/80': 'none',
      'ingress shop/client TCP/80': 'none',
    },
  },
  {
    name: 'toServices: pods of a selector, addresses of a service without one',
    policy: `${cnp('egress: [{toServices: [{k8sService: {serviceName: front, namespace: shop}}]}, {toServices: [{k8sServiceSelector: {selector: {matchLabels: {kind: external}}}}]}]')}
---
{apiVersion: v1, kind: Service, metadata: {name: front, namespace: shop}, spec: {selector: {tier: front}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: bank, namespace: other, labels: {kind: external}}, spec: {ports: [{port: 443}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: bank-1, namespace: other, labels: {kubernetes.io/service-name: bank}}, addressType: IPv4, endpoints: [{addresses: [203.0.113.80]}]}`,
    expect: {
      'egress shop/client TCP/9000': 'allow',
      'egress other/stranger TCP/9000': 'none',
      'egress 203.0.113.80 TCP/443': 'allow',
      'egress 203.0.113.81 TCP/443': 'none',
    },
  },
  {
    name: 'fromRequires binds fromEndpoints of every rule of its direction',
    policy: `${cnp('ingress: [{fromRequires: [{matchLabels: {tier: front}}]}]')}---${cnp('ingress: [{fromEndpoints: [{matchLabels: {app: client, "k8s:io.kubernetes.pod.namespace": other}}]}, {fromEndpoints: [{matchLabels: {app: client}}]}, {fromEntities: [world]}]', 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'none',
      'ingress world TCP/80': 'allow',
    },
  },
  {
    name: 'service accounts and namespace labels are labels of the pod',
    policy: cnp(
      'ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.cilium.k8s.policy.serviceaccount": buyer}}]}, {fromEndpoints: [{matchLabels: {"io.cilium.k8s.namespace.labels.team": blue}}], toPorts: [{ports: [{port: "81"}]}]}]',
    ),
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'none',
      'ingress other/stranger TCP/81': 'allow',
    },
  },
  {
    name: 'the name of a namespace is a label even when the Namespace says none',
    policy: cnp(
      'ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": other}}]}]',
    ),
    expect: { 'ingress other/stranger TCP/80': 'allow', 'ingress shop/client TCP/80': 'none' },
  },
  {
    name: 'a pod does not get to say where it is: such labels of its own are not its own',
    policy: `${cnp('ingress: [{fromEndpoints: [{matchLabels: {"io.cilium.k8s.namespace.labels.team": blue, "k8s:io.kubernetes.pod.namespace": shop}}, {matchLabels: {"io.cilium.k8s.namespace.labels.rank": high}}]}]')}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: shop, labels: {app: client, io.cilium.k8s.namespace.labels.team: blue, io.cilium.k8s.namespace.labels.rank: high}}, status: {podIP: 10.0.0.2}}`,
    expect: { 'ingress shop/client TCP/80': 'none' },
  },
  {
    name: 'matchExpressions: In, NotIn, Exists, DoesNotExist',
    policy: cnp(
      `ingress:
- fromEndpoints: [{matchExpressions: [{key: app, operator: In, values: [client, x]}, {key: tier, operator: Exists}]}]
- fromEndpoints: [{matchExpressions: [{key: tier, operator: DoesNotExist}, {key: "k8s:io.kubernetes.pod.namespace", operator: Exists}]}]
  toPorts: [{ports: [{port: "81"}]}]
- fromEndpoints: [{matchExpressions: [{key: app, operator: NotIn, values: [web]}]}]
  toPorts: [{ports: [{port: "82"}]}]`,
    ),
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'none',
      'ingress other/stranger TCP/81': 'allow',
      'ingress shop/client TCP/82': 'allow',
      'ingress other/stranger TCP/82': 'none',
    },
  },
  {
    name: 'a reserved label in a peer selector keeps it from being scoped',
    policy: cnp(
      'ingress: [{fromEndpoints: [{matchLabels: {"reserved:host": ""}}, {matchExpressions: [{key: "reserved:world", operator: Exists}]}]}]',
    ),
    config: { 'allow-localhost': 'policy' },
    expect: { 'ingress host TCP/80': 'allow', 'ingress world TCP/80': 'allow', 'ingress shop/client TCP/80': 'none' },
  },
  {
    name: 'an aggregate is selected by entities only: no label selector lets it stand for its members',
    policy: ccnp(
      'ingress: [{fromEndpoints: [{matchExpressions: [{key: "reserved:host", operator: DoesNotExist}, {key: app, operator: NotIn, values: [client]}]}]}]',
    ),
    expect: { 'ingress shop/client TCP/80': 'none', 'ingress 192.0.2.2 TCP/80': 'allow' },
  },
  {
    name: 'a clusterwide policy selects pods of every namespace',
    policy: ccnp(
      'ingress: [{fromEndpoints: [{matchLabels: {app: web}}]}]',
      'wide',
      'endpointSelector: {matchLabels: {app: client}}',
    ),
    expect: { 'ingress shop/web TCP/80 other/stranger': 'allow', 'ingress shop/client TCP/80 other/stranger': 'none' },
  },
  {
    name: 'another cluster in a selector is another cluster',
    policy: cnp('ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.cilium.k8s.policy.cluster": elsewhere}}]}]'),
    expect: { 'ingress shop/client TCP/80': 'none' },
  },
]);

run('special traffic', [
  {
    name: 'the local host reaches its pods unless denied',
    policy: `${cnp('ingress: [{}]')}---${ccnp('ingressDeny: [{fromEntities: [host], toPorts: [{ports: [{port: "22", protocol: TCP}]}]}]')}`,
    expect: { 'ingress host TCP/80': 'allow', 'ingress host TCP/22': 'deny', 'ingress 192.0.2.2 TCP/80': 'none' },
  },
  {
    name: 'the local host passes L7 rules that are for everybody',
    policy: cnp(http('80', GET)),
    expect: {
      'ingress host TCP/80': 'http [{"method":"GET"}] | everything',
      'ingress world TCP/80': 'http [{"method":"GET"}]',
    },
  },
  {
    name: 'allow-localhost: policy',
    policy: cnp('ingress: [{}]'),
    config: { 'allow-localhost': 'policy' },
    expect: { 'ingress host TCP/80': 'none' },
  },
  {
    name: 'port rules never admit ICMP; icmps by number and by name',
    policy: cnp(
      'ingress: [{toPorts: [{ports: [{port: "0", protocol: ANY}]}]}, {icmps: [{fields: [{type: EchoRequest}, {type: 128, family: IPv6}]}]}]',
    ),
    expect: {
      'ingress world ICMP/8': 'allow',
      'ingress world ICMP/0': 'none',
      'ingress world ICMPv6/128': 'allow',
      'ingress world ICMPv6/129': 'none',
      'ingress world SCTP/8': 'allow',
      'ingress world 47/0': 'none',
    },
  },
  {
    name: 'icmps of type 0 are echo replies, not everything',
    policy: cnp('ingress: [{icmps: [{fields: [{type: 0}]}]}]'),
    expect: { 'ingress world ICMP/0': 'allow', 'ingress world ICMP/8': 'none', 'ingress world TCP/80': 'none' },
  },
  {
    name: 'extended protocols',
    policy: cnp('ingress: [{toPorts: [{ports: [{port: "0", protocol: GRE}]}]}]'),
    config: { 'enable-extended-ip-protocols': true },
    expect: { 'ingress world 47/0': 'allow', 'ingress world TCP/0': 'none' },
  },
  {
    name: 'ANY is TCP, UDP and SCTP; so is an absent protocol',
    policy: cnp('ingress: [{toPorts: [{ports: [{port: "80", protocol: ANY}, {port: "81"}]}]}]'),
    expect: {
      'ingress world TCP/80': 'allow',
      'ingress world UDP/80': 'allow',
      'ingress world SCTP/81': 'allow',
      'ingress world ICMP/80': 'none',
    },
  },
  {
    name: 'ranges; endPort below port is a single port',
    policy: cnp(
      'ingress: [{toPorts: [{ports: [{port: "8080", endPort: 8095, protocol: TCP}, {port: "100", endPort: 50, protocol: TCP}]}]}]',
    ),
    expect: {
      'ingress world TCP/8079': 'none',
      'ingress world TCP/8080': 'allow',
      'ingress world TCP/8095': 'allow',
      'ingress world TCP/8096': 'none',
      'ingress world TCP/100': 'allow',
      'ingress world TCP/50': 'none',
    },
  },
  {
    name: 'a named port on ingress is the subject’s own, of its protocol',
    policy: cnp('ingress: [{toPorts: [{ports: [{port: HTTP, protocol: TCP}, {port: dns, protocol: TCP}]}]}]'),
    expect: { 'ingress world TCP/8080': 'allow', 'ingress world TCP/53': 'none', 'ingress world TCP/9000': 'none' },
  },
  {
    name: 'a named port that the subject has not: the port vanishes, the default deny stays',
    policy: cnp('ingress: [{toPorts: [{ports: [{port: absent, protocol: TCP}]}]}]'),
    expect: { 'ingress world TCP/8080': 'none', 'ingress world TCP/80': 'none' },
  },
  {
    name: 'a named port on egress is each peer’s own, for selected peers and for any',
    policy: `${cnp('egress: [{toEndpoints: [{matchLabels: {app: client}}], toPorts: [{ports: [{port: http, protocol: TCP}]}]}]')}---${ccnp('egress: [{toPorts: [{ports: [{port: http, protocol: TCP}]}]}]', 'any', 'endpointSelector: {matchLabels: {tier: front}}')}`,
    expect: {
      'egress shop/client TCP/9000': 'allow',
      'egress shop/client TCP/8080': 'none',
      'egress other/stranger TCP/9000': 'none',
      'egress shop/web TCP/8080 shop/client': 'allow',
      'egress shop/web TCP/9000 shop/client': 'none',
      'egress world TCP/8080 shop/client': 'none',
    },
  },
]);

run('Kubernetes NetworkPolicy', [
  {
    name: 'podSelector means the policy’s namespace',
    policy: knp('ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]'),
    expect: { 'ingress shop/client TCP/80': 'allow', 'ingress other/stranger TCP/80': 'none' },
  },
  {
    name: 'namespaceSelector means all pods of matching namespaces; {} means all namespaces and no others',
    policy: `${knp('ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]')}---${knp('egress: [{to: [{namespaceSelector: {}}]}]\npolicyTypes: [Egress]', 'second')}`,
    expect: {
      'ingress other/stranger TCP/80': 'allow',
      'ingress shop/client TCP/80': 'none',
      'egress shop/client TCP/80': 'allow',
      'egress other/stranger TCP/80': 'allow',
      'egress world TCP/80': 'none',
    },
  },
  {
    name: 'peers are of this cluster, unless they name another',
    policy: knp(
      'ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}, {from: [{namespaceSelector: {}, podSelector: {matchLabels: {io.cilium.k8s.policy.cluster: elsewhere}}}], ports: [{port: 81}]}]',
    ),
    expect: { 'ingress shop/client TCP/80': 'allow', 'ingress shop/client TCP/81': 'none' },
  },
  {
    name: 'a peer that means the same as one of a Cilium policy is the same: server names bind both',
    policy: `${knp('egress: [{to: [{namespaceSelector: {}}], ports: [{port: 443}]}]\npolicyTypes: [Egress]')}---${ccnp('egress: [{toEndpoints: [{}], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}]}]')}`,
    expect: { 'egress shop/client TCP/443': 'tls ["a.example"]' },
  },
  {
    name: 'both in one peer are an AND, in two peers an OR',
    policy: `${knp('ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: nobody}}}]}]')}---${knp('ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {matchLabels: {app: client}}}], ports: [{port: 81}]}]', 'second')}`,
    expect: {
      'ingress other/stranger TCP/80': 'none',
      'ingress other/stranger TCP/81': 'allow',
      'ingress shop/client TCP/81': 'allow',
    },
  },
  {
    name: 'ipBlock with except; blind to pods unless semantics is kubernetes',
    policy: knp('ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.5.0/24]}}]}]'),
    expect: {
      'ingress 10.7.0.1 TCP/80': 'allow',
      'ingress 10.0.5.1 TCP/80': 'none',
      'ingress shop/client TCP/80': 'none',
    },
  },
  {
    name: 'semantics kubernetes: ipBlock matches pods and nodes',
    policy: `${knp('ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.3/32]}}, {ipBlock: {cidr: 192.0.2.2/32}}]}]')}---${cnp('egress: [{toCIDR: [10.0.0.0/8]}]')}`,
    config: { semantics: 'kubernetes' },
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'none',
      'ingress 192.0.2.2 TCP/80': 'allow',
      'egress shop/client TCP/80': 'none',
    },
  },
  {
    name: 'ports: protocol defaults to TCP, port to all, names and ranges',
    policy: knp(
      'ingress: [{ports: [{port: 80}, {protocol: UDP}, {port: http}, {port: 100, endPort: 110, protocol: TCP}]}]',
    ),
    expect: {
      'ingress world TCP/80': 'allow',
      'ingress world SCTP/80': 'none',
      'ingress world UDP/12345': 'allow',
      'ingress world TCP/8080': 'allow',
      'ingress world TCP/105': 'allow',
      'ingress world TCP/111': 'none',
      'ingress world ICMP/8': 'none',
    },
  },
  {
    name: 'without policyTypes: ingress always, egress when it has rules',
    policy: knp('{}'.replace('{}', 'ingress: []')),
    expect: { 'ingress shop/client TCP/80': 'none', 'egress world TCP/80': 'allow' },
  },
  {
    name: 'egress rules without policyTypes close egress, and ingress too',
    policy: knp('egress: [{ports: [{port: 53, protocol: UDP}]}]'),
    expect: { 'egress world UDP/53': 'allow', 'egress world TCP/53': 'none', 'ingress shop/client TCP/80': 'none' },
  },
  {
    name: 'policyTypes: [Egress] without rules closes egress alone',
    policy: knp('policyTypes: [Egress]'),
    expect: { 'egress world TCP/53': 'none', 'ingress shop/client TCP/80': 'allow' },
  },
  {
    name: 'rules of a direction that policyTypes leaves out: Cilium applies them',
    policy: knp('policyTypes: [Egress]\ningress: [{ports: [{port: 80}]}]'),
    expect: { 'ingress world TCP/80': 'allow', 'ingress world TCP/81': 'none' },
  },
  {
    name: 'rules of a direction that policyTypes leaves out: Kubernetes ignores them',
    policy: knp('policyTypes: [Egress]\ningress: [{ports: [{port: 80}]}]'),
    config: { semantics: 'kubernetes' },
    expect: { 'ingress world TCP/80': 'allow', 'ingress world TCP/81': 'allow' },
  },
  {
    name: 'policies add up',
    policy: `${knp('ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]')}---${knp('ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]', 'second')}---${knp('policyTypes: [Ingress]', 'deny-all')}`,
    expect: {
      'ingress shop/client TCP/80': 'allow',
      'ingress other/stranger TCP/80': 'allow',
      'ingress world TCP/80': 'none',
    },
  },
]);

t.test('subject scoping: a namespaced policy stays in its namespace', (t) => {
  const elsewhere = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: x, namespace: shop}
spec:
  endpointSelector: {matchLabels: {NAMESPACE: other}}
  ingress: [{}]
`;
  const overwritten = new World(elsewhere.replace('NAMESPACE', '"k8s:io.kubernetes.pod.namespace"'));
  t.equal(overwritten.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'none', 'a k8s: label is overwritten');
  t.equal(overwritten.ask('other/stranger', 'ingress', 'world', 'TCP/80'), 'allow', 'the other namespace is untouched');
  const nobody = new World(elsewhere.replace('NAMESPACE', 'io.kubernetes.pod.namespace'));
  t.equal(nobody.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'allow', 'a plain key is ANDed and selects nobody');
  t.end();
});

t.test('specs: every rule counts, spec and specs together', (t) => {
  const world = new World(`
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: many, namespace: shop}
spec: {endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}
specs:
- {endpointSelector: {matchLabels: {app: web}}, ingress: [{fromEntities: [world]}]}
- {endpointSelector: {matchLabels: {app: client}}, egress: [{}]}
`);
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'allow');
  t.same(world.deciders(), ['CiliumNetworkPolicy/shop/many specs[0].ingress[0]']);
  t.equal(world.ask('shop/client', 'ingress', 'world', 'TCP/80'), 'none');
  t.equal(world.ask('shop/client', 'egress', 'world', 'TCP/80'), 'none');
  t.end();
});

t.test('toFQDNs: names are learnt, matched, shared and forgotten', (t) => {
  const world = new World(cnp('egress: [{toFQDNs: [{matchName: Api.Example.com}, {matchPattern: "*.cdn.example"}]}]'));
  const ask = (ip: string): string => world.ask('shop/web', 'egress', ip, 'TCP/443');
  t.equal(ask('203.0.113.10'), 'none', 'nothing is known yet');
  world.cluster.setName('api.example.com', ['203.0.113.10', '2001:db8::10']);
  world.cluster.setName('a.cdn.example.', ['203.0.113.11', '203.0.113.10']);
  world.cluster.setName('a.b.cdn.example', ['203.0.113.12']);
  world.cluster.setName('unrelated.example', ['203.0.113.13']);
  world.flush();
  t.same(['203.0.113.10', '2001:db8::10', '203.0.113.11', '203.0.113.12', '203.0.113.13'].map(ask), [
    'allow',
    'allow',
    'allow',
    'none',
    'none',
  ]);
  world.cluster.setName('api.example.com', []);
  world.flush();
  t.same(['203.0.113.10', '2001:db8::10'].map(ask), ['allow', 'none'], 'an address that another name still has stays');
  t.same(world.cluster.names.patterns(), ['Api.Example.com', '*.cdn.example']);
  t.ok(world.cluster.names.isSelected('X.CDN.example'));
  t.notOk(world.cluster.names.isSelected('cdn.example'));
  t.end();
});

t.test('toFQDNs: an address inside a CIDR of a policy is both', (t) => {
  const world = new World(
    `${cnp('egress: [{toFQDNs: [{matchName: a.example}]}]')}---${cnp('egressDeny: [{toCIDR: [203.0.113.0/24], toPorts: [{ports: [{port: "22", protocol: TCP}]}]}]', 'second')}`,
  );
  world.cluster.setName('a.example', ['203.0.113.10']);
  world.flush();
  t.equal(world.ask('shop/web', 'egress', '203.0.113.10', 'TCP/443'), 'allow');
  t.equal(world.ask('shop/web', 'egress', '203.0.113.10', 'TCP/22'), 'deny');
  t.equal(world.ask('shop/web', 'egress', '203.0.113.11', 'TCP/443'), 'none');
  t.end();
});

t.test('conflicts between policies are reported, and the later rule loses its say', (t) => {
  const both = `${cnp(`egress: [{toEntities: [world], toPorts: [{ports: [{port: "53", protocol: TCP}], rules: {http: [{method: GET}]}}]}]`, 'a')}
---${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "53", protocol: TCP}], rules: {dns: [{matchName: x.example}]}}]}]', 'b')}`;
  const world = new World(both);
  t.equal(world.ask('shop/web', 'egress', 'world', 'TCP/53'), 'http [{"method":"GET"}]');
  t.match(world.changes.problems, [
    { document: 'CiliumNetworkPolicy/shop/b', code: 'conflict', severity: 'error', path: 'spec.egress[0]' },
  ]);
  const auth = new World(
    `${cnp('ingress: [{fromEndpoints: [{}], authentication: {mode: required}}]', 'a')}---${cnp('ingress: [{fromEndpoints: [{}], authentication: {mode: disabled}}]', 'b')}`,
  );
  t.match(auth.changes.problems, [{ document: 'CiliumNetworkPolicy/shop/b', code: 'conflict' }]);
  t.equal(auth.ask('shop/web', 'ingress', 'shop/client', 'TCP/80'), 'auth');
  const names = new World(
    `${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}]}]', 'a')}---${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], rules: {http: [{method: GET}]}}]}]', 'b')}`,
  );
  t.match(names.changes.problems, [{ document: 'CiliumNetworkPolicy/shop/b', code: 'conflict' }]);
  t.equal(names.ask('shop/web', 'egress', 'world', 'TCP/443'), 'tls ["a.example"]');
  t.end();
});

t.test('more pairs of ports and peers than any map holds close the direction, and are not tried', (t) => {
  const cidrs = Array.from({ length: 400 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`).join(', ');
  const ports = Array.from({ length: 400 }, (_, i) => `{ports: [{port: "${i + 1}", protocol: TCP}]}`).join(', ');
  const world = new World(cnp(`ingress: [{fromCIDR: [${cidrs}], toPorts: [${ports}]}]\negress: [{toEntities: [all]}]`));
  t.match(world.changes.problems, [{ code: 'conflict', path: 'spec.ingress[0]', message: /found 160000 pairs/ }]);
  t.equal(world.ask('shop/web', 'ingress', '10.0.1.1', 'TCP/80'), 'none');
  t.equal(world.ask('shop/web', 'egress', '10.0.1.1', 'TCP/80'), 'allow');
  t.end();
});

t.test('host policies: only node rules, only with the host firewall', (t) => {
  const policy = ccnp(
    'ingress: [{fromEntities: [cluster], toPorts: [{ports: [{port: "22", protocol: TCP}]}]}]',
    'host',
    'nodeSelector: {matchLabels: {zone: a}}',
  );
  const off = new World(policy);
  t.equal(off.ask('host', 'ingress', 'world', 'TCP/80'), 'allow', 'off by default');
  const on = new World(`${policy}---${ccnp('ingress: [{}]', 'pods', 'endpointSelector: {}')}`, {
    'enable-host-firewall': true,
  });
  t.equal(on.ask('host', 'ingress', 'world', 'TCP/22'), 'none');
  t.equal(on.ask('host', 'ingress', 'shop/client', 'TCP/22'), 'allow');
  t.equal(on.ask('host', 'egress', 'world', 'TCP/22'), 'allow');
  t.equal(on.ask('shop/web', 'ingress', 'world', 'TCP/22'), 'none', 'endpointSelector {} selects pods, not the host');
  const elsewhere = new World(policy.replace('zone: a', 'zone: z'), { 'enable-host-firewall': true });
  t.equal(elsewhere.ask('host', 'ingress', 'world', 'TCP/80'), 'allow', 'another node’s policy');
  t.end();
});

t.test('reserved:init endpoints are enforced both ways, unless never', (t) => {
  const init = (policy: string, config: PolicyConfig = {}): World => {
    const world = new World(policy, config);
    world.cluster.setInitEndpoint(1001, ['10.0.0.9']);
    world.flush();
    return world;
  };
  const rule = ccnp(
    'egress: [{toEntities: [kube-apiserver]}, {toEndpoints: [{}]}]',
    'init',
    'endpointSelector: {matchLabels: {"reserved:init": ""}}',
  );
  const closed = init(cnp('ingress: [{}]'));
  t.same(
    [closed.ask('init', 'ingress', 'world', 'TCP/80'), closed.ask('init', 'egress', 'world', 'TCP/80')],
    ['none', 'none'],
  );
  const world = init(rule);
  t.equal(world.ask('init', 'egress', 'kube-apiserver', 'TCP/443'), 'allow');
  t.equal(world.ask('init', 'egress', 'shop/client', 'TCP/443'), 'allow');
  t.equal(world.ask('init', 'egress', 'world', 'TCP/443'), 'none', 'an empty selector still means this cluster');
  t.equal(world.ask('init', 'ingress', 'shop/client', 'TCP/80'), 'none');
  const peers = init(
    cnp('ingress: [{fromEntities: [init]}, {fromEntities: [world], toPorts: [{ports: [{port: "81"}]}]}]'),
  );
  t.equal(peers.ask('shop/web', 'ingress', '10.0.0.9', 'TCP/80'), 'allow', 'its address is known');
  peers.cluster.removeEndpoint(1001);
  peers.flush();
  t.equal(peers.ask('shop/web', 'ingress', '10.0.0.9', 'TCP/80'), 'none', 'and forgotten');
  t.equal(init(rule, { 'enable-policy': 'never' }).ask('init', 'ingress', 'world', 'TCP/80'), 'allow');
  t.end();
});

t.test('attribution: entries and default denies lead back to the rules', (t) => {
  const world = new World(
    `${cnp('ingress: [{fromEndpoints: [{matchLabels: {app: client}}]}]\nlog: {value: hello}', 'a')}---${cnp('ingress: [{fromEndpoints: [{matchLabels: {tier: front}}]}]', 'b')}`,
  );
  world.ask('shop/web', 'ingress', 'shop/client', 'TCP/80');
  t.same(world.deciders(), [
    'CiliumNetworkPolicy/shop/a spec.ingress[0]',
    'CiliumNetworkPolicy/shop/b spec.ingress[0]',
  ]);
  t.match(world.cluster.origins(world.cookie)[0], { file: 'world.yaml', log: 'hello' });
  t.ok(world.cluster.origins(world.cookie)[0].line > 1);
  const { ingress, egress } = world.endpoint('shop/web');
  t.same(world.cluster.origins(ingress.defaultDenyCookie).map(policyName), [
    'CiliumNetworkPolicy/shop/a',
    'CiliumNetworkPolicy/shop/b',
  ]);
  t.match(ingress, { enforced: true, defaultDeny: true });
  t.match(egress, { enforced: false, defaultDeny: false, defaultDenyCookie: 0 });
  world.ask('shop/web', 'egress', 'world', 'TCP/80');
  t.match(world.cluster.origins(world.cookie), [{ kind: 'reserved', name: 'allow-any-egress' }]);
  t.end();
});

t.test('audit: global, namespace, endpoint, and a single policy in the shadow', (t) => {
  t.equal(
    new World('{apiVersion: v1, kind: Namespace, metadata: {name: empty}}', { 'policy-audit-mode': true }).endpoint(
      'shop/web',
    ).audit,
    true,
  );
  const world = new World(
    `${cnp('ingress: [{fromEndpoints: [{}]}]', 'tried').replace('namespace: shop}', 'namespace: shop, annotations: {sluice.io/audit: "true"}}')}---${cnp('ingress: [{fromEntities: [all]}]', 'real')}`,
  );
  t.equal(world.endpoint('shop/web').audit, false);
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'allow', 'the audited policy is not enforced');
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80', true), 'allow', 'and in the shadow the other allows it');
  world.cluster.removePolicy({ kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'real' });
  world.flush();
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'allow');
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80', true), 'none', 'alone it would drop');
  t.equal(world.endpoint('shop/client').shadow, undefined, 'no shadow where no audited policy selects');
  world.apply('{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {sluice.io/audit: "true"}}}');
  t.equal(world.endpoint('shop/web').audit, true);
  t.equal(world.endpoint('other/stranger').audit, false);
  t.end();
});

t.test('map state: precedence words, aggregates, covered entries, rule sets shared', (t) => {
  const world = new World(cnp('ingress: [{toPorts: [{ports: [{port: "8080", endPort: 8095, protocol: TCP}]}]}]'));
  const entries = world.endpoint('shop/web').entries.filter(({ egress, protocol }) => !egress && protocol === 6);
  t.same(
    entries.map(({ identity }) => identity).sort((a, b) => a - b),
    [0, 11, 12, 13, 14],
    'a rule for everybody is stored under all aggregates',
  );
  t.ok(
    entries.every(({ port, portPrefix }) => port === 8080 && portPrefix === 12),
    'a range is one block of 12 bits',
  );
  t.ok(
    entries.every(({ precedence }) => precedence === 0xffffff01),
    'plain allow',
  );
  const deny = new World(cnp(`${http('80', GET, CLIENT)}\ningressDeny: [{fromEntities: [all]}]`));
  t.same(
    new Set(
      deny
        .endpoint('shop/web')
        .entries.filter(({ egress }) => !egress)
        .map(({ precedence }) => precedence),
    ),
    new Set([0xffffffff]),
    'what a broad deny covers is dropped',
  );
  const proxied = new World(
    `${cnp(http('80', GET, CLIENT))}---${ccnp(http('80', GET, 'fromEndpoints: [{matchLabels: {app: client, "k8s:io.kubernetes.pod.namespace": shop}}], '), 'w', 'endpointSelector: {matchLabels: {tier: front}}')}`,
  );
  const redirects = ['shop/web', 'shop/client'].map((pod) =>
    proxied.endpoint(pod).entries.find(({ ruleSet }) => ruleSet > 0),
  );
  t.equal(redirects[0]?.precedence, ((0xffffff << 8) | 154) >>> 0, 'HTTP is listener priority 101');
  t.not(redirects[0]?.ruleSet, redirects[1]?.ruleSet, 'rules of other origins are other rule sets');
  const cluster = new World(cnp('ingress: [{fromEntities: [cluster]}]'));
  const ids = cluster
    .endpoint('shop/web')
    .entries.filter(({ egress }) => !egress)
    .map(({ identity }) => identity);
  t.notOk(ids.includes(cluster.identity('shop/client')), 'what the aggregate says is not said again for each pod');
  t.ok(ids.includes(11));
  t.equal(cluster.ask('shop/web', 'ingress', 'shop/client', 'TCP/1'), 'allow');
  t.end();
});
