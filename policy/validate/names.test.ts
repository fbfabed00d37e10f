/** Names, keys and metadata as the API server and Cilium's CRDs hold documents to them. */
import t from 'tap';
import { egressPorts, knp, ports, read, table, web } from '../../test/policy/documents.ts';

table('names inside policies', [
  {
    name: '19 FQDN: nothing, no label, an empty label, an address of the web',
    text: web(
      'egress: [{toFQDNs: [{}, {matchName: ""}, {matchName: "."}, {matchName: a..b}, {matchPattern: ".*.b"}, {matchName: "https://a.b/c"}]}]',
    ),
    errors: [
      'fqdn-empty spec.egress[0].toFQDNs[0]',
      'fqdn-empty spec.egress[0].toFQDNs[1]',
      'fqdn-characters spec.egress[0].toFQDNs[2].matchName',
      'fqdn-characters spec.egress[0].toFQDNs[3].matchName',
      'fqdn-characters spec.egress[0].toFQDNs[4].matchPattern',
      'fqdn-characters spec.egress[0].toFQDNs[5].matchName',
    ],
  },
  {
    name: '19 DNS rules are held to the same',
    text: egressPorts('ports: [{port: "53", protocol: UDP}]\nrules: {dns: [{}, {matchName: a..b}, {matchName: a.b.}]}'),
    errors: [
      'fqdn-empty spec.egress[0].toPorts[0].rules.dns[0]',
      'fqdn-characters spec.egress[0].toPorts[0].rules.dns[1].matchName',
    ],
  },
  {
    name: 'rules that name no protocol',
    text: ports('ports: [{port: "80", protocol: TCP}]\nrules: {}'),
    errors: ['no-parser spec.ingress[0].toPorts[0].rules'],
  },
  {
    name: 'server names: none, twice the same, empty labels, too long',
    text: `${egressPorts('ports: [{port: "443", protocol: TCP}]\nserverNames: []')}---
${egressPorts(`ports: [{port: "443", protocol: TCP}]\nserverNames: [a.b, a..b, .a, a.b, ${'a'.repeat(256)}, "*.b"]`)}`,
    errors: ['', '[1]', '[2]', '[3]', '[4]'].map((i) => `server-name spec.egress[0].toPorts[0].serverNames${i}`),
  },
  {
    name: 'log.value of any script',
    text: web('ingress: [{}]\nlog: {value: ä€}'),
  },
  {
    name: 'the name of a group that none can have',
    text: web(
      `ingress: [{fromCIDRSet: [{cidrGroupRef: Bad_Name}, {cidrGroupRef: a..b}, {cidrGroupRef: ${'a'.repeat(254)}}]}]`,
    ),
    errors: [0, 1, 2].map((i) => `name spec.ingress[0].fromCIDRSet[${i}].cidrGroupRef`),
  },
  {
    name: 'entities that Cilium does not have',
    text: web('ingress: [{fromEntities: [world-ipv4, world-ipv6]}]'),
    errors: [0, 1].map((i) => `unknown-value spec.ingress[0].fromEntities[${i}]`),
  },
  {
    name: '20 label keys that are none',
    text: web(
      'ingress: [{fromEndpoints: [{matchLabels: {" k8s:role": x, "$host": "", ":x": y, "k8s:A_b/c": d, a/b/c: d, EXAMPLE.com/a: b, "k8s:example.com/a": c, "reserved:host": "", "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": n}}]}]',
    ),
    errors: ['[" k8s:role"]', '["$host"]', '[":x"]', '["k8s:A_b/c"]', '["a/b/c"]', '["EXAMPLE.com/a"]'].map(
      (key) => `label-key spec.ingress[0].fromEndpoints[0].matchLabels${key}`,
    ),
  },
  {
    name: 'toServices with ports: those of its backends',
    text: web('egress: [{toServices: [{k8sService: {serviceName: a}}], toPorts: [{ports: [{port: "80"}]}]}]'),
    warnings: [],
  },
  {
    name: 'no port with enable-extended-ip-protocols: every port of the protocol',
    text: ports('ports: [{protocol: TCP}, {protocol: GRE}]'),
    config: { 'enable-extended-ip-protocols': true },
  },
  { name: 'ingress: [{}], as the hint of empty-rule says', text: web('ingress: [{}]\negress: [{}]'), warnings: [] },
  {
    name: 'an empty entry beside others',
    text: web('ingress: [{fromEntities: [host]}, {}]'),
    warnings: ['empty-element spec.ingress[1]'],
  },
  {
    name: 'a port range as other firewalls write it',
    text: ports('ports: [{port: "8000-9000", protocol: TCP}]'),
    errors: ['port spec.ingress[0].toPorts[0].ports[0].port'],
  },
]);

const named = (kind: string, metadata: string): string => `apiVersion: v1\nkind: ${kind}\nmetadata: {${metadata}}\n`;

table('metadata of any object', [
  {
    name: 'names and namespaces that the API server refuses',
    text: [
      named('Pod', `name: a..b, namespace: ${'n'.repeat(64)}`),
      named('Pod', 'name: A, namespace: a.b'),
      named('Namespace', 'name: a.b'),
      `${named('Service', `name: ${'s'.repeat(64)}`)}spec: {ports: [{port: 80}]}\n`,
      named('Pod', `name: ${'p'.repeat(254)}`),
    ].join('---\n'),
    errors: [
      'name metadata.name',
      'name metadata.namespace',
      'name metadata.name',
      'name metadata.namespace',
      'name metadata.name',
      'name metadata.name',
      'name metadata.name',
    ],
  },
  {
    name: 'an empty namespace is none',
    text: named('Pod', 'name: a, namespace: ""'),
    warnings: [],
  },
  {
    name: 'a clusterwide object ignores its namespace, whatever it is',
    text: `${named('Node', 'name: a, namespace: ""')}---\n${named('Node', 'name: b, namespace: "A B"')}`,
    warnings: ['cluster-scoped metadata.namespace'],
  },
  {
    name: 'labels and annotations that are none, of the object and of the pods of a workload',
    text: `${named('Pod', 'name: a, labels: {"a b": c, d: "e f", ok/k: v}, annotations: {"x y": z, any: "e f"}')}---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec: {template: {metadata: {labels: {"-a": b}}}}
`,
    errors: [
      'label-key metadata.labels["a b"]',
      'label-value metadata.labels.d',
      'annotation metadata.annotations["x y"]',
      'label-key spec.template.metadata.labels["-a"]',
    ],
  },
  {
    name: 'the prefix of an annotation in capitals, and not that of a label',
    text: named('Pod', 'name: a, labels: {Example.com/a: b}, annotations: {Example.com/Some: b, Sluice.io/mac: c}'),
    errors: ['label-key metadata.labels["Example.com/a"]'],
    warnings: ['unknown-annotation metadata.annotations["Sluice.io/mac"]'],
  },
  {
    name: 'a misspelt field of metadata, which would take the pod out of its policies',
    text: named('Pod', 'name: a, lables: {app: web}'),
    errors: ['unknown-field metadata.lables'],
  },
  {
    name: 'what the API server adds',
    text: named(
      'Pod',
      'name: a, uid: x, resourceVersion: "1", generation: 1, creationTimestamp: null, managedFields: [], ownerReferences: []',
    ),
    warnings: [],
  },
]);

t.test('an annotation of ours that means nothing is told, with the one that was meant', async (t) => {
  const hints = (text: string) =>
    read(text).problems.map(({ severity, code, path, hint }) => [severity, code, path, hint]);
  const at = (name: string) => `metadata.annotations["sluice.io/${name}"]`;
  t.same(hints(named('Pod', 'name: a, annotations: {sluice.io/interfce: eth1}')), [
    ['warning', 'unknown-annotation', at('interfce'), 'did you mean "sluice.io/interface"?'],
  ]);
  t.same(hints(named('Namespace', 'name: a, annotations: {sluice.io/netns: x}')), [
    ['warning', 'unknown-annotation', at('netns'), 'it means nothing there'],
  ]);
  const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: a, annotations: {sluice.io/netns: x}}
spec: {template: {metadata: {annotations: {sluice.io/nets: x}}}}
`;
  t.same(hints(deployment), [
    ['warning', 'unknown-annotation', at('netns'), 'write it in spec.template.metadata, for the pods'],
    ['warning', 'unknown-annotation', `spec.template.${at('nets')}`, 'did you mean "sluice.io/netns"?'],
  ]);
  t.match(hints(knp('podSelector: {}').replace('namespace: shop', 'annotations: {sluice.io/audit: "yes"}')), [
    ['error', 'annotation', at('audit')],
  ]);
  const known = 'sluice.io/audit: "true", sluice.io/netns: x, sluice.io/trace: "true", other.io/x: z';
  t.same(hints(named('Pod', `name: a, annotations: {${known}}`)), []);
});

t.test('hints say what was meant', async (t) => {
  const hint = (text: string) => read(text).problems.find(({ severity }) => severity === 'error')?.hint;
  t.equal(hint(ports('ports: [{port: "8000-9000", protocol: TCP}]')), 'a range is port: "8000" and endPort: 9000');
  t.equal(
    hint(web('egress: [{toFQDNs: [{matchName: "https://a.b"}]}]')),
    'write the name alone, without scheme and path',
  );
  t.equal(
    hint(web('egress: [{toFQDNs: [{matchName: "a.b:443"}]}]')),
    'write the name alone; the port belongs in toPorts',
  );
});

t.test('what people mean by fields and protocols of others is told once', async (t) => {
  const told = (text: string) => read(text).problems.map(({ code, hint }) => `${code}: ${hint}`);
  t.match(told(web('ingress: [{fromEntities: [host]}]').replace('endpointSelector', 'podSelector')), [
    /unknown-field: did you mean "endpointSelector"\?/,
    /no-subject/,
  ]);
  const ping = told(ports('ports: [{port: "0", protocol: ICMP}]'));
  t.match(ping, [/unknown-value: ICMP has no ports: write icmps: /]);
  t.same(ping.length, 1);
  const [{ message }] = read(ports('ports: [{port: "1", protocol: TPC}]')).problems;
  t.match(message, /wanted one of TCP, UDP, SCTP, ANY$/);
  const one = (text: string) => t.equal(told(text).length, 1, told(text).join('\n'));
  one(web('egress: [{toEntities: [wrld]}]'));
  one(web('ingress: [{fromEndpoint: [{}]}, {fromEntities: [host]}]'));
  one(knp('podselector: {}'));
  t.match(told('metadata:\n  name: {{ .Release.Name }}-x\n  namespace: {{ .Values.ns }}\n'), [
    /^syntax: render it first/,
  ]);
});

t.test('every namespace beside certain pods is not what was meant', async (t) => {
  const peers = (text: string) =>
    read(knp(`podSelector: {}\ningress: [{from: ${text}}]`)).problems.map(({ code, path }) => `${code} ${path}`);
  t.same(peers('[{namespaceSelector: {}}, {podSelector: {matchLabels: {a: b}}}]'), ['apart spec.ingress[0].from[0]']);
  for (const good of [
    '[{namespaceSelector: {}, podSelector: {}}]',
    '[{namespaceSelector: {matchLabels: {a: b}}}, {podSelector: {}}]',
  ])
    t.same(peers(good), [], good);
});
