/** What is refused or warned about although its shape is right, and that docs/policy.md lists all of it. */
import t from 'tap';
import {
  cnp,
  ccnp,
  web,
  knp,
  ports,
  egressPorts,
  table,
  repeat,
  REFERENCE,
  rowsOf,
  namesIn,
  met,
  READER_CODES,
} from '../../test/policy/documents.ts';

table('sanitiser: what Cilium refuses', [
  { name: '1 no selector', text: cnp('ingress: [{}]'), errors: ['no-subject spec'] },
  { name: '1 null selector', text: cnp('endpointSelector:\ningress: [{}]'), errors: ['no-subject spec'] },
  {
    name: '1 both selectors',
    text: ccnp('endpointSelector: {}\nnodeSelector: {}\ningress: [{}]'),
    errors: ['two-subjects spec.nodeSelector'],
  },
  {
    name: '1 CNP with nodeSelector',
    text: cnp('nodeSelector: {}\ningress: [{}]'),
    errors: ['node-selector spec.nodeSelector'],
  },
  { name: '1 CCNP with nodeSelector', text: ccnp('nodeSelector: {}\ningress: [{}]') },
  { name: '2 all lists empty', text: web('ingress: []'), errors: ['empty-rule spec'] },
  { name: '2 all lists absent', text: cnp('endpointSelector: {}'), errors: ['empty-rule spec'] },
  {
    name: '3 two L3 members in one entry',
    text: web(
      'ingress: [{fromEndpoints: [{}], fromCIDR: [10.0.0.0/8]}]\negress: [{toFQDNs: [{matchName: a.b}], toEndpoints: [{}]}]',
    ),
    errors: ['two-members spec.ingress[0].fromCIDR', 'two-members spec.egress[0].toFQDNs'],
  },
  { name: '3 empty members do not conflict', text: web('ingress: [{fromEndpoints: [], fromCIDR: [10.0.0.0/8]}]') },
  {
    name: '4 fromRequires and toRequires are kept',
    text: web('ingress: [{fromRequires: [{matchLabels: {a: b}}], fromEndpoints: [{}]}]\negress: [{toRequires: [{}]}]'),
  },
  {
    name: '5 fromNodes without the option',
    text: web('ingress: [{fromNodes: [{}]}]'),
    errors: ['nodes-disabled spec.ingress[0].fromNodes'],
  },
  {
    name: '5 fromNodes with the option',
    text: web('ingress: [{fromNodes: [{}]}]'),
    config: { 'enable-node-selector-labels': true },
  },
  { name: '6 40 ports', text: ports(`ports: [${repeat(40, '{port: "1"}')}]`) },
  {
    name: '6 41 ports',
    text: ports(`ports: [${repeat(41, '{port: "1"}')}]`),
    errors: ['too-many-ports spec.ingress[0].toPorts[0].ports'],
  },
  {
    name: '6 41 ICMP fields',
    text: web(`ingress: [{icmps: [{fields: [${repeat(41, '{type: 8}')}]}]}]`),
    errors: ['too-many-icmps spec.ingress[0].icmps[0].fields'],
  },
  {
    name: '7 icmps beside toPorts',
    text: web('ingress: [{icmps: [{fields: [{type: 8}]}], toPorts: [{ports: [{port: "1"}]}]}]'),
    errors: ['icmps-with-ports spec.ingress[0].icmps'],
  },
  {
    name: '7 icmps with enable-icmp-rules false',
    text: web('ingress: [{icmps: [{fields: [{type: 8}]}]}]'),
    config: { 'enable-icmp-rules': false },
    errors: ['icmps-disabled spec.ingress[0].icmps'],
  },
  {
    name: '8 missing or zero port with L7 rules',
    text: ports('ports: [{port: "0", protocol: TCP}, {protocol: TCP}]\nrules: {http: [{}]}'),
    errors: ['l7-port spec.ingress[0].toPorts[0].ports[0].port', 'port spec.ingress[0].toPorts[0].ports[1].port'],
  },
  {
    name: '8 no port, which would be every port',
    text: ports('ports: [{protocol: TCP}, {port: "", protocol: TCP}]'),
    errors: [0, 1].map((i) => `port spec.ingress[0].toPorts[0].ports[${i}].port`),
  },
  {
    name: '8 invalid names and numbers',
    text: ports(
      'ports: [{port: "65536"}, {port: "a_b"}, {port: "abcdefghijklmnop"}, {port: "a--b"}, {port: "-1"}, {port: ""}]',
    ),
    errors: [0, 1, 2, 3, 4, 5].map((i) => `port spec.ingress[0].toPorts[0].ports[${i}].port`),
  },
  {
    name: '8 named port with endPort',
    text: ports('ports: [{port: http, endPort: 90}]'),
    errors: ['named-range spec.ingress[0].toPorts[0].ports[0].endPort'],
  },
  {
    name: '8 hex and octal slip through, as in Cilium',
    text: ports('ports: [{port: "010", protocol: TCP}]'),
    warnings: ['port-base spec.ingress[0].toPorts[0].ports[0].port'],
  },
  {
    name: '9 extended protocol without the option',
    text: ports('ports: [{port: "0", protocol: GRE}]'),
    errors: ['extended-protocol spec.ingress[0].toPorts[0].ports[0].protocol'],
  },
  {
    name: '9 extended protocol with a port',
    text: ports('ports: [{port: "80", protocol: ESP}]'),
    config: { 'enable-extended-ip-protocols': true },
    errors: ['extended-port spec.ingress[0].toPorts[0].ports[0].port'],
  },
  {
    name: '10 L7 with enable-l7-proxy false',
    text: ports('ports: [{port: "80", protocol: TCP}]\nrules: {http: [{}]}'),
    config: { 'enable-l7-proxy': false },
    errors: ['l7-disabled spec.ingress[0].toPorts[0].rules'],
  },
  {
    name: '11 two parsers in one rules',
    text: egressPorts('ports: [{port: "80", protocol: TCP}]\nrules: {http: [{}], dns: [{matchName: a.b}]}'),
    errors: ['two-parsers spec.egress[0].toPorts[0].rules'],
  },
  {
    name: '12 HTTP on anything but TCP',
    text: ports('ports: [{port: "80"}, {port: "81", protocol: ANY}, {port: "82", protocol: UDP}]\nrules: {http: [{}]}'),
    errors: [0, 1, 2].map((i) => `l7-protocol spec.ingress[0].toPorts[0].ports[${i}].protocol`),
  },
  {
    name: '12 a protocol that is none is said once',
    text: ports('ports: [{port: "80", protocol: tcp}]\nrules: {http: [{}]}'),
    errors: ['unknown-value spec.ingress[0].toPorts[0].ports[0].protocol'],
  },
  {
    name: '12 DNS over ANY',
    text: egressPorts('ports: [{port: "53", protocol: ANY}]\nrules: {dns: [{matchPattern: "*"}]}'),
  },
  {
    name: '13 DNS on ingress',
    text: ports('ports: [{port: "53", protocol: UDP}]\nrules: {dns: [{matchPattern: "*"}]}'),
    errors: ['dns-ingress spec.ingress[0].toPorts[0].rules.dns'],
  },
  {
    name: '13 DNS without a port',
    text: egressPorts('rules: {dns: [{matchPattern: "*"}]}'),
    errors: ['dns-port spec.egress[0].toPorts[0]'],
  },
  {
    name: '13 DNS with a range',
    text: egressPorts('ports: [{port: "53", endPort: 54}]\nrules: {dns: [{matchPattern: "*"}]}'),
    errors: ['dns-range spec.egress[0].toPorts[0].ports[0].endPort'],
  },
  {
    name: '14 host policy with L7 on ingress, or other than DNS on egress',
    text: ccnp(
      'nodeSelector: {}\ningress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{}]}}]}]\negress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{}]}}, {ports: [{port: "53"}], rules: {dns: [{matchName: a.b}]}}]}, {toFQDNs: [{matchName: a.b}]}]',
    ),
    errors: ['host-l7 spec.ingress[0].toPorts[0].rules', 'host-l7 spec.egress[0].toPorts[0].rules'],
  },
  {
    name: '15 serverNames with L7 rules and without terminatingTLS',
    text: egressPorts('ports: [{port: "443", protocol: TCP}]\nserverNames: [a.example]\nrules: {http: [{}]}'),
    errors: ['server-names-with-l7 spec.egress[0].toPorts[0].serverNames'],
  },
  {
    name: '15 serverNames with L7 rules and terminatingTLS',
    text: egressPorts(
      'ports: [{port: "443", protocol: TCP}]\nserverNames: [a.example]\nterminatingTLS: {secret: {name: x}}\nrules: {http: [{}]}',
    ),
    warnings: ['tls-unenforced spec.egress[0].toPorts[0].terminatingTLS'],
  },
  {
    name: '15 empty server name',
    text: egressPorts('ports: [{port: "443", protocol: TCP}]\nserverNames: [""]'),
    errors: ['server-name spec.egress[0].toPorts[0].serverNames[0]'],
  },
  {
    name: '16 listener: on ingress, with rules, and refused in any case',
    text: `${ports('ports: [{port: "80", protocol: TCP}]\nlistener: {name: x, envoyConfig: {name: y}}')}---\n${egressPorts('ports: [{port: "80", protocol: TCP}]\nlistener: {name: x, envoyConfig: {name: y}}\nrules: {http: [{}]}')}`,
    errors: [
      'listener-ingress spec.ingress[0].toPorts[0].listener',
      'listener spec.ingress[0].toPorts[0].listener',
      'listener-with-l7 spec.egress[0].toPorts[0].listener',
      'listener spec.egress[0].toPorts[0].listener',
    ],
  },
  {
    name: '17 path and method that are no regular expressions; host is not compiled',
    text: ports('ports: [{port: "80", protocol: TCP}]\nrules: {http: [{path: "/(", method: "GET(", host: "("}]}'),
    errors: [
      'regex spec.ingress[0].toPorts[0].rules.http[0].path',
      'regex spec.ingress[0].toPorts[0].rules.http[0].method',
    ],
  },
  {
    name: '17 headerMatches without a name, with a wrong mismatch, with a secret without a name',
    text: ports(
      'ports: [{port: "80", protocol: TCP}]\nrules: {http: [{headerMatches: [{value: x}, {name: a, mismatch: DROP}, {name: b, secret: {namespace: n}}]}]}',
    ),
    errors: [
      'header-name spec.ingress[0].toPorts[0].rules.http[0].headerMatches[0]',
      'unknown-value spec.ingress[0].toPorts[0].rules.http[0].headerMatches[1].mismatch',
      'secret-name spec.ingress[0].toPorts[0].rules.http[0].headerMatches[2].secret',
    ],
  },
  {
    name: '18 not exactly one of cidr, cidrGroupRef, cidrGroupSelector',
    text: web('ingress: [{fromCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: x}, {except: [10.0.0.0/8]}]}]'),
    errors: ['cidr-rule spec.ingress[0].fromCIDRSet[0]', 'cidr-rule spec.ingress[0].fromCIDRSet[1]'],
  },
  {
    name: '18 except of another family, outside, or broader',
    text: web('ingress: [{fromCIDRSet: [{cidr: 10.0.0.0/8, except: ["2001:db8::/32", 11.0.0.0/16, 10.0.0.0/7]}]}]'),
    errors: [0, 1, 2].map((i) => `except spec.ingress[0].fromCIDRSet[0].except[${i}]`),
  },
  {
    name: '18 CIDR without a mask, or none at all',
    text: web('ingress: [{fromCIDR: [10.0.0.1, "10.0.0.0/33", nonsense, "fe80::1%eth0/64", 10.0.0.0/08]}]'),
    errors: [0, 1, 2, 3, 4].map((i) => `cidr spec.ingress[0].fromCIDR[${i}]`),
  },
  {
    name: '19 FQDN: both fields, bad characters, too long',
    text: web(
      `egress: [{toFQDNs: [{matchName: a.b, matchPattern: "*"}, {matchName: "*.b"}, {matchPattern: "a b"}, {matchName: ${'a'.repeat(256)}}]}]`,
    ),
    errors: [
      'fqdn spec.egress[0].toFQDNs[0]',
      'fqdn-characters spec.egress[0].toFQDNs[1].matchName',
      'fqdn-characters spec.egress[0].toFQDNs[2].matchPattern',
      'fqdn-length spec.egress[0].toFQDNs[3].matchName',
    ],
  },
  {
    name: '20 invalid label selectors',
    text: web(
      'ingress: [{fromEndpoints: [{matchLabels: {"a b": c, d: "e f"}}, {matchExpressions: [{key: a, operator: In}, {key: a, operator: Exists, values: [b]}]}]}]',
    ),
    errors: [
      'label-key spec.ingress[0].fromEndpoints[0].matchLabels["a b"]',
      'label-value spec.ingress[0].fromEndpoints[0].matchLabels.d',
      'selector-values spec.ingress[0].fromEndpoints[1].matchExpressions[0]',
      'selector-values spec.ingress[0].fromEndpoints[1].matchExpressions[1].values',
    ],
  },
  {
    name: '20 log.value too long or unprintable',
    text: `${web(`ingress: [{}]\nlog: {value: ${'x'.repeat(33)}}`)}---\n${web('ingress: [{}]\nlog: {value: "a\\tb"}')}`,
    errors: ['log-value spec.log.value', 'log-value spec.log.value'],
  },
  {
    name: 'neither spec nor specs',
    text: 'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a}\n',
    errors: ['no-rule'],
  },
  {
    name: 'not refused: duplicates, overlaps, unreachable rules, unknown groups, DNS on TCP only',
    text: web(
      'ingress: [{fromCIDR: [10.0.0.0/8, 10.0.0.0/8, 10.1.0.0/16]}, {fromCIDRSet: [{cidrGroupRef: absent}]}]\negress: [{toPorts: [{ports: [{port: "53", protocol: TCP}], rules: {dns: [{matchName: a.b}]}}]}]',
    ),
  },
  {
    name: 'groups need a cloud provider',
    text: web('ingress: [{fromGroups: [{aws: {region: x}}]}]'),
    errors: ['groups spec.ingress[0].fromGroups'],
  },
  {
    name: 'toServices: exactly one way to name them',
    text: web('egress: [{toServices: [{}, {k8sService: {serviceName: a}, k8sServiceSelector: {selector: {}}}]}]'),
    errors: ['service spec.egress[0].toServices[0]', 'service spec.egress[0].toServices[1]'],
  },
  {
    name: 'L7 rules and what comes with them are not for deny rules',
    text: web(
      'ingressDeny: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{}]}, serverNames: [a.b], listener: {name: x}}]}]\negressDeny: [{toFQDNs: [{matchName: a.b}], authentication: {mode: required}}]',
    ),
    errors: [
      'unknown-field spec.ingressDeny[0].toPorts[0].rules',
      'unknown-field spec.ingressDeny[0].toPorts[0].serverNames',
      'unknown-field spec.ingressDeny[0].toPorts[0].listener',
      'fqdn-deny spec.egressDeny[0].toFQDNs',
      'unknown-field spec.egressDeny[0].authentication',
    ],
  },
  {
    name: 'l7proto is gone',
    text: ports('ports: [{port: "80", protocol: TCP}]\nrules: {l7proto: r2d2, l7: [{cmd: x}]}'),
    errors: ['l7proto spec.ingress[0].toPorts[0].rules'],
  },
  {
    name: 'kafka: role with apiKey, unknown key, bad version, bad topic',
    text: ports(
      'ports: [{port: "9092", protocol: TCP}]\nrules: {kafka: [{role: produce, apiKey: fetch}, {apiKey: fetsch}, {apiVersion: one}, {topic: "a/b"}]}',
    ),
    errors: ['kafka-role 0.apiKey', 'kafka-key 1.apiKey', 'kafka-version 2.apiVersion', 'kafka-topic 3.topic'].map(
      (text) => {
        const [code, place] = text.split(' ');
        return `${code} spec.ingress[0].toPorts[0].rules.kafka[${place.replace('.', '].')}`;
      },
    ),
  },
  {
    name: 'icmps: types by number and by name of their family',
    text: web(
      'ingress: [{icmps: [{fields: [{type: 256}, {type: EchoReq}, {type: PacketTooBig}, {type: PacketTooBig, family: IPv6}]}]}]',
    ),
    errors: [0, 1, 2].map((i) => `icmp-type spec.ingress[0].icmps[0].fields[${i}].type`),
  },
]);

table('NetworkPolicy: what Kubernetes refuses', [
  { name: 'nothing but a selector', text: knp('podSelector: {}') },
  {
    name: 'an empty peer',
    text: knp('podSelector: {}\ningress: [{from: [{}]}]'),
    errors: ['empty-peer spec.ingress[0].from[0]'],
  },
  {
    name: 'ipBlock beside a selector',
    text: knp('podSelector: {}\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]'),
    errors: ['two-members spec.egress[0].to[0]'],
  },
  {
    name: 'ipBlock: bad cidr, except outside',
    text: knp(
      'podSelector: {}\ningress: [{from: [{ipBlock: {cidr: 10.0.0.1}}, {ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]',
    ),
    errors: ['cidr spec.ingress[0].from[0].ipBlock.cidr', 'except spec.ingress[0].from[1].ipBlock.except[0]'],
  },
  {
    name: 'ports: zero, a number in quotes, ranges',
    text: knp(
      'podSelector: {}\ningress: [{ports: [{port: 0}, {port: "80"}, {port: http, endPort: 90}, {endPort: 90}, {port: 90, endPort: 80}, {protocol: tcp, port: 1}]}]',
    ),
    errors: [
      'port spec.ingress[0].ports[0].port',
      'port spec.ingress[0].ports[1].port',
      'named-range spec.ingress[0].ports[2].endPort',
      'named-range spec.ingress[0].ports[3].endPort',
      'end-below-port spec.ingress[0].ports[4].endPort',
      'unknown-value spec.ingress[0].ports[5].protocol',
    ],
  },
  {
    name: 'rules of a direction that policyTypes leaves out',
    text: knp('podSelector: {}\npolicyTypes: [Ingress]\negress: [{}]'),
    warnings: ['policy-types spec.egress'],
  },
  {
    name: 'unknown policy type',
    text: knp('podSelector: {}\npolicyTypes: [ingress]'),
    errors: ['unknown-value spec.policyTypes[0]'],
  },
  {
    name: 'Cilium fields in a NetworkPolicy',
    text: knp('podSelector: {}\ningress: [{fromEndpoints: [{}]}]'),
    errors: ['unknown-field spec.ingress[0].fromEndpoints'],
  },
]);

table('warnings: legal, and surely not meant', [
  {
    name: 'a deny entry without peers or ports',
    text: web('ingress: [{fromEntities: [all]}]\ningressDeny: [{}]'),
    warnings: ['empty-deny spec.ingressDeny[0]'],
  },
  {
    name: 'a lone deny rule',
    text: web('egressDeny: [{toCIDR: [10.0.0.0/8]}]'),
    warnings: ['lone-deny spec.egressDeny'],
  },
  {
    name: 'a lone deny rule that says it leaves the rest',
    text: web('enableDefaultDeny: {egress: false}\negressDeny: [{toCIDR: [10.0.0.0/8]}]'),
    warnings: [],
  },
  {
    name: 'enableDefaultDeny: true for a direction without entries',
    text: web('enableDefaultDeny: {egress: true, ingress: true}\ningress: [{fromEntities: [all]}]'),
    warnings: ['idle-default-deny spec.enableDefaultDeny.egress'],
  },
  {
    name: 'an empty member',
    text: web('ingress: [{fromEndpoints: []}]'),
    warnings: ['empty-member spec.ingress[0].fromEndpoints'],
  },
  {
    name: 'toPorts without ports',
    text: web('ingress: [{toPorts: [{ports: []}]}]'),
    warnings: ['no-ports spec.ingress[0].toPorts[0]'],
  },
  {
    name: 'endPort below port',
    text: ports('ports: [{port: "90", endPort: 80}]'),
    warnings: ['end-below-port spec.ingress[0].toPorts[0].ports[0].endPort'],
  },
  {
    name: 'host bits',
    text: web('ingress: [{fromCIDR: [10.0.0.1/8]}]'),
    warnings: ['host-bits spec.ingress[0].fromCIDR[0]'],
  },
  {
    name: 'a subject in another namespace',
    text: cnp(
      'endpointSelector: {matchLabels: {"k8s:io.kubernetes.pod.namespace": other}}\ningress: [{fromEntities: [all]}]',
    ),
    warnings: ['subject-namespace spec.endpointSelector.matchLabels["k8s:io.kubernetes.pod.namespace"]'],
  },
  {
    name: 'paths: without a slash, a lone ^, a folder meant as a prefix',
    text: ports(
      `ports: [{port: "80", protocol: TCP}]
rules:
  http:
  - path: api
  - path: /a/^b
  - path: /api/
  - path: /api/.*
  - path: /api
  - path: "/path1$"
  - path: /`,
    ),
    warnings: [
      'path-slash spec.ingress[0].toPorts[0].rules.http[0].path',
      'path-anchor spec.ingress[0].toPorts[0].rules.http[1].path',
      'path-prefix spec.ingress[0].toPorts[0].rules.http[2].path',
      'path-prefix spec.ingress[0].toPorts[0].rules.http[4].path',
      'path-prefix spec.ingress[0].toPorts[0].rules.http[6].path',
    ],
  },
  {
    name: 'paths that are judged only as they came: steps around by .. or %2e',
    config: { 'http-normalize-path': false },
    text: ports(
      'ports: [{port: "80", protocol: TCP}]\nrules: {http: [{path: /api/.*}, {path: "/api/[^.%]*"}, {path: "/a/%2e.*"}]}',
    ),
    warnings: [
      'path-escape spec.ingress[0].toPorts[0].rules.http[0].path',
      'path-escape spec.ingress[0].toPorts[0].rules.http[2].path',
    ],
  },
  {
    name: 'a method in lower case',
    text: ports('ports: [{port: "80", protocol: TCP}]\nrules: {http: [{method: get}]}'),
    warnings: ['method-case spec.ingress[0].toPorts[0].rules.http[0].method'],
  },
]);

const CODES_OF_OTHERS = 'cluster-ip external-name families node-port only-with port-name too-many twice'
  .split(' ')
  .map((code) => `error ${code}`)
  .concat('error gateway', 'warning ignored', 'warning no-service', 'warning undone');

t.test('docs/policy.md lists every code, and every code has its test', (t) => {
  /** Of documents seen together; tested where they are: policies as they are merged, manifests as they are checked. */
  const elsewhere = [
    'error conflict',
    'warning selects-nothing',
    'warning no-effect',
    'warning secret',
    'warning no-dns-rule',
    'warning replaced',
    ...CODES_OF_OTHERS,
    'warning empty-element',
    // service.test.ts, names.test.ts, network-policy.test.ts, egress-gateway.test.ts, document/secret.test.ts
    'error annotation',
    'error fqdn-empty',
    'error no-parser',
    'error server-name',
    'error secret-data',
    'error too-many-types',
    'warning no-spec',
    'warning apart',
    'warning empty',
    'warning unknown-annotation',
  ];
  const listed = (header: string, severity: string): string[] =>
    rowsOf(REFERENCE, header).flatMap(([names]) => namesIn(names).map((name) => `${severity} ${name}`));
  const onOtherSide = [
    'error policy-types',
    'warning unknown-kind',
    'warning no-subject',
    'warning syntax',
    'error end-below-port',
  ];
  t.same(
    [...listed('refused', 'error'), ...listed('warned about', 'warning')].sort(),
    [...new Set([...met, ...READER_CODES, ...elsewhere])].filter((text) => !onOtherSide.includes(text)).sort(),
  );
  t.end();
});
