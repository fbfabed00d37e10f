/** Which peers a rule is about: selectors, prefixes, groups, entities, nodes, services, names; and traffic of the host. */
import t from 'tap';
import { World, cnp, ccnp, run, GET, http } from '../../test/policy/semantics.ts';

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
