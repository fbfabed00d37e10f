/** Who is who, and what reaches whom, where Sluice follows Cilium into its corners: whole manifests, judged flow by flow. */
import t from 'tap';
import { readDocuments } from '../policy/document/document.ts';
import type { PolicyConfig } from '../policy/rule/options.ts';
import { readQuery } from './query.ts';
import { FlowJudge } from './verdict.ts';
import { PolicyWorld } from './world.ts';

interface Flow {
  readonly from: unknown;
  readonly to: unknown;
  readonly want: string;
  readonly rest?: object;
}

interface Case {
  readonly name: string;
  readonly config?: PolicyConfig;
  readonly manifests: string;
  readonly flows: readonly Flow[];
}

const pod = (reference: string) => ({ pod: reference });
const ip = (address: string) => ({ ip: address });

/** @param ports name -> number */
function podManifest(name: string, { labels = '', ports = {}, spec = '', status = '' }: PodParts = {}): string {
  const list = Object.entries(ports).map(([port, number]) => `{name: ${port}, containerPort: ${number}}`);
  const containers = `containers: [{name: c, ports: [${list.join(', ')}]}]`;
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: a, labels: {${labels}}}
spec: {${containers}${spec}}
status: {${status}}
---
`;
}

interface PodParts {
  readonly labels?: string;
  readonly ports?: Readonly<Record<string, number>>;
  readonly spec?: string;
  readonly status?: string;
}

function policy(spec: string, kind = 'CiliumNetworkPolicy'): string {
  const apiVersion = kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'cilium.io/v2';
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: p, namespace: a}\nspec: {${spec}}\n---\n`;
}

function node(name: string, address: string): string {
  return `apiVersion: v1
kind: Node
metadata: {name: ${name}, labels: {zone: z1}}
status: {addresses: [{type: InternalIP, address: ${address}}]}
---
`;
}

const WEB = [
  podManifest('none', { labels: 'app: web' }),
  podManifest('http', { labels: 'app: web', ports: { http: 80 } }),
  podManifest('other', { labels: 'app: web', ports: { http: 8080 } }),
  podManifest('client', { labels: 'app: cli' }),
].join('');
const NAMED = 'toEndpoints: [{}], toPorts: [{ports: [{port: http, protocol: TCP}]}]';
const IN_B = '{key: "k8s:io.kubernetes.pod.namespace", operator: In, values: [b]}';
const NODES = { 'policy-cidr-match-mode': ['nodes'] } as const;

const CASES: readonly Case[] = [
  {
    name: 'a port name outwards means the pods that have it, not those of the same labels',
    manifests: WEB + policy(`endpointSelector: {matchLabels: {app: cli}}, egress: [{${NAMED}}]`),
    flows: [
      { from: pod('a/client'), to: pod('a/http'), want: 'allowed' },
      { from: pod('a/client'), to: pod('a/none'), want: 'denied' },
      { from: pod('a/client'), to: pod('a/other'), want: 'denied' },
      { from: pod('a/client'), to: pod('a/other'), rest: { port: 8080 }, want: 'allowed' },
      {
        from: pod('a/client'),
        to: { labels: ['k8s:app=web', 'gen:io.cilium.k8s.named-ports=http.TCP.80'], namespace: 'a' },
        want: 'allowed',
      },
      { from: pod('a/client'), to: { labels: ['k8s:app=web'], namespace: 'a' }, want: 'denied' },
    ],
  },
  {
    name: 'and so where it denies',
    manifests:
      WEB +
      policy(`endpointSelector: {matchLabels: {app: cli}}, egress: [{toEntities: [all]}], egressDeny: [{${NAMED}}]`),
    flows: [
      { from: pod('a/client'), to: pod('a/http'), want: 'denied' },
      { from: pod('a/client'), to: pod('a/none'), want: 'allowed' },
    ],
  },
  {
    name: "an expression of the subject about its namespace holds beside the policy's own: the policy selects nobody",
    manifests: WEB + policy(`endpointSelector: {matchExpressions: [${IN_B}]}, ingress: [{}]`),
    flows: [{ from: pod('a/client'), to: pod('a/http'), want: 'allowed' }],
  },
  {
    name: 'a label of the subject about its namespace is overwritten',
    manifests: WEB + policy(`endpointSelector: {matchLabels: {"k8s:io.kubernetes.pod.namespace": b}}, ingress: [{}]`),
    flows: [{ from: pod('a/client'), to: pod('a/http'), want: 'denied' }],
  },
  {
    name: 'with policy-cidr-match-mode nodes, /0 is everyone outside and no node',
    config: NODES,
    manifests: WEB + node('n1', '172.18.0.3') + policy('endpointSelector: {}, egress: [{toCIDR: [0.0.0.0/0]}]'),
    flows: [
      { from: pod('a/client'), to: ip('172.18.0.3'), want: 'denied' },
      { from: pod('a/client'), to: ip('9.9.9.9'), want: 'allowed' },
    ],
  },
  {
    name: '/1 is every node inside',
    config: NODES,
    manifests: WEB + node('n1', '172.18.0.3') + policy('endpointSelector: {}, egress: [{toCIDR: [128.0.0.0/1]}]'),
    flows: [{ from: pod('a/client'), to: ip('172.18.0.3'), want: 'allowed' }],
  },
  {
    name: 'to semantics kubernetes /0 is everyone',
    config: { semantics: 'kubernetes' },
    manifests:
      WEB +
      node('n1', '172.18.0.3') +
      policy('podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]', 'NetworkPolicy'),
    flows: [{ from: pod('a/client'), to: ip('172.18.0.3'), want: 'allowed' }],
  },
  ...(
    [
      ['cilium', 'denied'],
      ['kubernetes', 'allowed'],
    ] as const
  ).map(([semantics, want]) => ({
    name: `a label that is left out of identities, to semantics ${semantics}`,
    config: { semantics },
    manifests:
      podManifest('client', { labels: '"statefulset.kubernetes.io/pod-name": client' }) +
      podManifest('db') +
      policy(
        'podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {"statefulset.kubernetes.io/pod-name": client}}}]}]',
        'NetworkPolicy',
      ),
    flows: [{ from: pod('a/client'), to: pod('a/db'), want }],
  })),
  ...(
    [
      ['cilium', 'allowed'],
      ['kubernetes', 'denied'],
    ] as const
  ).map(([semantics, want]) => ({
    name: `exclusions alone, to semantics ${semantics}`,
    config: { semantics, 'policy-default-local-cluster': false },
    manifests:
      podManifest('client') +
      policy(
        'podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchExpressions: [{key: "kubernetes.io/metadata.name", operator: NotIn, values: [dev]}]}}]}]',
        'NetworkPolicy',
      ),
    flows: [{ from: pod('a/client'), to: ip('203.0.113.5'), want }],
  })),
  {
    name: 'a node that only its pods tell of is a node',
    manifests:
      podManifest('client', { spec: ', nodeName: n9', status: 'hostIP: 172.18.0.2, podIP: 10.0.0.1' }) +
      podManifest('proxy', {
        spec: ', nodeName: n8, hostNetwork: true',
        status: 'podIP: 172.18.0.8, podIPs: [{ip: 172.18.0.8}]',
      }) +
      policy(
        'podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 172.18.0.0/16}}]}]',
        'NetworkPolicy',
      ),
    flows: [
      { from: pod('a/client'), to: ip('172.18.0.2'), want: 'denied' },
      { from: pod('a/client'), to: ip('172.18.0.8'), want: 'denied' },
      { from: pod('a/client'), to: ip('172.18.0.9'), want: 'allowed' },
    ],
  },
  {
    name: 'a pod on the network of its node is that node, named or by its address',
    manifests:
      podManifest('here', { spec: ', nodeName: n1' }) +
      podManifest('nowhere') +
      podManifest('agent', { spec: ', nodeName: n1, hostNetwork: true', status: 'podIP: 172.18.0.3' }) +
      podManifest('unplaced', { spec: ', hostNetwork: true' }) +
      policy('endpointSelector: {}, ingress: [{}]'),
    flows: [
      { from: pod('a/agent'), to: pod('a/here'), want: 'allowed' },
      { from: ip('172.18.0.3'), to: pod('a/here'), want: 'allowed' },
      { from: pod('a/agent'), to: pod('a/nowhere'), want: 'denied' },
      { from: ip('172.18.0.3'), to: pod('a/nowhere'), want: 'denied' },
      { from: pod('a/unplaced'), to: pod('a/nowhere'), want: 'allowed' },
      { from: pod('a/unplaced'), to: pod('a/here'), want: 'denied' },
    ],
  },
  {
    name: 'with enable-node-selector-labels the local host carries the labels of its node and its cluster too',
    config: { 'enable-node-selector-labels': true, 'node-name': 'n1' },
    manifests:
      podManifest('client', { spec: ', nodeName: n1' }) +
      node('n1', '172.18.0.3') +
      policy(
        'podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchExpressions: [{key: x, operator: DoesNotExist}]}}]}]',
        'NetworkPolicy',
      ),
    flows: [{ from: pod('a/client'), to: { entity: 'host' }, want: 'allowed' }],
  },
  ...(
    [
      ['api*.example.com', 'api2.example.com', 'allowed'],
      ['api*.example.com', 'api.example.com', 'allowed'],
      ['api*.example.com', 'api.x.example.com', 'denied'],
      ['one.o*e.one.one', 'one.ooe.one.one', 'allowed'],
      ['**a', 'a.ba', 'denied'],
      ['**a', 'ba', 'allowed'],
      ['**.example.com', 'x.y.example.com', 'allowed'],
      ['***.example.com', 'x.y.example.com', 'allowed'],
      ['**.example.com', 'example.com', 'denied'],
      ['*.example.com', '.example.com', 'allowed'],
      ['*.example.com', 'x.y.example.com', 'denied'],
      ['www.example.com.', 'WWW.example.com', 'allowed'],
      ['www.example.com', 'wwwxexample.com', 'denied'],
    ] as const
  ).map(([pattern, sni, want]) => ({
    name: `server name pattern ${pattern}: ${sni}`,
    manifests:
      podManifest('client') +
      policy(
        `endpointSelector: {}, egress: [{toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: ["${pattern}"]}]}]`,
      ),
    flows: [{ from: pod('a/client'), to: ip('9.9.9.9'), rest: { port: 443, sni }, want }],
  })),
];

t.test('flows are judged as Cilium judges them', (t) => {
  for (const { name, manifests, config = {}, flows } of CASES) {
    const { documents, problems } = readDocuments(manifests, 'f.yaml', config);
    t.same(
      problems.filter(({ severity }) => severity === 'error'),
      [],
      `${name}: manifests`,
    );
    const judge = new FlowJudge(new PolicyWorld(documents, config));
    for (const { from, to, want, rest = { port: 80 } } of flows) {
      const { verdict } = judge.answer(readQuery({ from, to, ...rest }));
      t.equal(verdict, want, `${name}: ${JSON.stringify({ from, to, ...rest })}`);
    }
  }
  t.end();
});
