/** What a Kubernetes NetworkPolicy means. */
import { cnp, ccnp, knp, run } from '../../test/policy/semantics.ts';

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
