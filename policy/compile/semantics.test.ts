/** What policies mean: every row of Cilium's semantics, compiled and asked through a real policy map. */
import { cnp, ccnp, knp, run } from '../../test/policy/semantics.ts';

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
    policy: ['{http: []}', '{kafka: []}']
      .map((rules, i) =>
        cnp(`ingress: [{toPorts: [{ports: [{port: "${80 + i}", protocol: TCP}], rules: ${rules}}]}]`, `p${i}`),
      )
      .join('---'),
    expect: { 'ingress world TCP/80': 'allow', 'ingress world TCP/81': 'allow' },
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
