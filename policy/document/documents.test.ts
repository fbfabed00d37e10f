/** Reading documents: what is accepted, what is refused, and what is said about it, with file, line, column and path. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RE2JS } from 're2js';
import t from 'tap';
import { type Documents, readDocuments } from './document.ts';
import type { PolicyConfig } from '../rule/options.ts';
import { formatProblem, nearest, type Problem } from '../rule/problems.ts';
import { CIDR_GROUP, CILIUM_POLICY } from './schema-cilium.ts';
import { NETWORK_POLICY, SELECTOR } from './schema-kubernetes.ts';
import type { ListShape, ObjectShape, Shape } from './shape.ts';

/** `severity code` of every problem that the tests of this file have met. */
const met = new Set<string>();

function read(text: string, config?: PolicyConfig): Documents {
  const found = readDocuments(text, 'f.yaml', config);
  for (const { severity, code } of found.problems) met.add(`${severity} ${code}`);
  return found;
}

function cnp(spec: string): string {
  return `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: test, namespace: shop}
spec:
${spec.replace(/^/gm, '  ')}
`;
}

const ccnp = (spec: string): string =>
  cnp(spec).replace('CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy').replace(', namespace: shop', '');

const web = (rest: string): string => cnp(`endpointSelector: {matchLabels: {app: web}}\n${rest}`);

const knp = (spec: string): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: test, namespace: shop}
spec:
${spec.replace(/^/gm, '  ')}
`;

const ports = (inner: string): string => web(`ingress:\n- toPorts:\n  - ${inner.replace(/\n/g, '\n    ')}`);
const egressPorts = (inner: string): string => web(`egress:\n- toPorts:\n  - ${inner.replace(/\n/g, '\n    ')}`);

/** `code path` of each problem of a severity. */
const codes = (problems: readonly Problem[], severity: string): string[] =>
  problems.filter((problem) => problem.severity === severity).map(({ code, path }) => `${code} ${path}`.trim());

interface Case {
  readonly name: string;
  readonly text: string;
  readonly config?: PolicyConfig;
  /** Codes with paths; none = accepted. */
  readonly errors?: readonly string[];
  readonly warnings?: readonly string[];
}

function table(title: string, cases: readonly Case[]): void {
  t.test(title, (t) => {
    for (const { name, text, config, errors = [], warnings } of cases) {
      const { documents, problems } = read(text, config);
      t.same(codes(problems, 'error'), errors, name);
      if (warnings !== undefined) t.same(codes(problems, 'warning'), warnings, `${name}: warnings`);
      t.equal(
        documents.length > 0,
        errors.length === 0,
        `${name}: ${errors.length === 0 ? 'returned' : 'not returned'}`,
      );
      for (const problem of problems)
        t.ok(problem.line >= 1 && problem.column >= 1 && problem.message.includes('found '), formatProblem(problem));
    }
    t.end();
  });
}

const repeat = (count: number, item: string): string => Array.from({ length: count }, () => item).join(', ');

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
    errors: [0, 1].map((i) => `l7-port spec.ingress[0].toPorts[0].ports[${i}].port`),
  },
  {
    name: '8 no port is every port',
    text: ports('ports: [{protocol: TCP}]'),
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
      'nodeSelector: {}\ningress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{}]}}]}]\negress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{}]}}, {ports: [{port: "53"}], rules: {dns: [{matchName: a.b}]}}]}]',
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
    warnings: [],
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
  { name: 'ingress: [{}]', text: web('ingress: [{}]'), warnings: ['empty-element spec.ingress[0]'] },
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
    name: 'a name selector without a name',
    text: web('egress: [{toFQDNs: [{}]}]'),
    warnings: ['fqdn-empty spec.egress[0].toFQDNs[0]'],
  },
  {
    name: 'toServices with ports',
    text: web('egress: [{toServices: [{k8sService: {serviceName: a}}], toPorts: [{ports: [{port: "80"}]}]}]'),
    warnings: ['services-with-ports spec.egress[0].toPorts'],
  },
  {
    name: 'paths: without a slash, a lone ^, a folder meant as a prefix, steps around by .. or %2e',
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
      'path-escape spec.ingress[0].toPorts[0].rules.http[3].path',
      'path-prefix spec.ingress[0].toPorts[0].rules.http[4].path',
      'path-prefix spec.ingress[0].toPorts[0].rules.http[6].path',
    ],
  },
  {
    name: 'a method in lower case',
    text: ports('ports: [{port: "80", protocol: TCP}]\nrules: {http: [{method: get}]}'),
    warnings: ['method-case spec.ingress[0].toPorts[0].rules.http[0].method'],
  },
  {
    name: 'a header secret',
    text: ports(
      'ports: [{port: "80", protocol: TCP}]\nrules: {http: [{headerMatches: [{name: a, secret: {name: s}}]}]}',
    ),
    warnings: ['secret spec.ingress[0].toPorts[0].rules.http[0].headerMatches[0].secret'],
  },
]);

t.test('readDocuments() points at the place: file, line, column, path, found, wanted, hint', (t) => {
  const text = `---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: l7
spec:
  endpointSelector:
    matchLabels:
      app: web
  ingress:
  - toPorts:
    - ports:
      - port: 80
        protocol: TCP
    rules:
      http:
      - method: GET
        headers:
        - "X-some-header": "hello"
`;
  const { documents, problems } = read(text);
  t.same(documents, []);
  t.same(problems.map(formatProblem), [
    `f.yaml:13:15: warning: read port: found the number 80, wanted a string (spec.ingress[0].toPorts[0].ports[0].port)
  hint: taken as "80"; write it in quotes`,
    `f.yaml:15:5: error: read ingress[0]: found unknown field "rules", wanted a known one (spec.ingress[0].rules)
  hint: rules belongs inside toPorts[]`,
  ]);
  const fixed = read(
    text
      .replace('    rules:\n      http:', '      rules:\n        http:')
      .replace(/^ {6}(- method|  headers|  - "X)/gm, '        $1'),
  );
  t.same(
    fixed.problems.map(({ code, severity, hint }) => [code, severity, hint]),
    [
      ['unquoted', 'warning', 'taken as "80"; write it in quotes'],
      ['pair-for-string', 'warning', 'taken as "X-some-header: hello"; put the quotes around the whole of it'],
    ],
  );
  t.match(fixed.documents[0].policy?.rules[0].ingress[0].ports, [
    { port: 80, l7: { rules: [{ headers: ['X-some-header: hello'] }] } },
  ]);
  t.end();
});

t.test('readDocuments() says where a misplaced or misspelt field belongs', (t) => {
  const hint = (text: string): string | undefined =>
    read(text).problems.find(({ code }) => code === 'unknown-field')?.hint;
  t.equal(hint(web('ingress: [{fromEndpoint: [{}]}]')), 'did you mean "fromEndpoints"?');
  t.equal(hint(web('ingress: [{ports: [{port: "80"}]}]')), 'ports belongs inside toPorts[]');
  t.equal(hint(`description: x\n${web('ingress: [{}]')}`), 'description belongs inside spec');
  t.equal(hint(web('ingress: [{http: [{}]}]')), 'http belongs inside toPorts[].rules');
  t.equal(hint(web('ingress: [{matchLabels: {a: b}}]')), 'matchLabels belongs inside fromEndpoints[]');
  t.equal(hint(web('ingress: [{toPorts: [{ports: [{port: "80", rules: {}}]}]}]')), 'rules belongs 1 level further out');
  t.equal(hint(knp('podSelector: {}\ningress: [{from: [{ports: []}]}]')), 'ports belongs 1 level further out');
  t.match(hint(web('ingress: [{zzz: 1}]')), /^known fields here: fromEndpoints, /);
  t.end();
});

t.test('readDocuments() reads every document, lists, JSON, and goes on after a bad one', (t) => {
  const item = (name: string): string => `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "${name}"}}`;
  const text = `${item('a')}
---
{"apiVersion": "v1", "kind": "List", "items": [${item('b')}, ${item('C')}]}
---
# nothing
---
apiVersion: v1
kind: NamespaceList
items: []
---
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {n: 1, empty: }}
spec: {containers: [{ports: [{containerPort: 0}]}]}
---
kind: ConfigMap
metadata: {name: x}
---
kind: Pot
metadata: {name: x}
---
just text
`;
  const { documents, problems } = read(text);
  t.same(
    documents.map(({ kind, name }) => `${kind}/${name}`),
    ['Namespace/a', 'Namespace/b'],
  );
  t.same(
    problems.map(({ code, severity, line }) => `${code} ${severity} ${line}`),
    [
      'name error 3',
      'unquoted warning 13',
      'out-of-range error 14',
      'unknown-kind warning 16',
      'unknown-kind error 19',
      'no-kind error 22',
    ],
  );
  t.equal(problems.at(-2)?.hint, 'did you mean Pod?');
  t.end();
});

t.test('readDocuments() says once that a text is nested too deeply, and does not list errors without end', (t) => {
  const deep = readDocuments('['.repeat(200_000), 'x.yaml');
  t.match(deep.problems, [{ line: 1, severity: 'error', message: /nested too deeply/ }]);
  t.equal(deep.problems.length, 1);
  const many = readDocuments('}\n'.repeat(1000), 'x.yaml').problems;
  t.equal(many.length, 21);
  t.match(many.at(-1), { message: 'read YAML: 980 more errors follow' });
  t.end();
});

t.test('readDocuments() reports what YAML itself refuses, and reads the other documents', (t) => {
  const { documents, problems } = read(
    'a: [1, 2\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ok}\n---\na: 1\na: 2\n',
  );
  t.same(
    documents.map(({ name }) => name),
    ['ok'],
  );
  t.ok(problems.every(({ severity, file }) => severity === 'error' && file === 'f.yaml'));
  t.same([...new Set(problems.map(({ code }) => code))], ['syntax']);
  t.match(
    problems.find(({ line }) => line === 8),
    { message: /found a key that is there already/, hint: /--- stands between/ },
    'a duplicate key is refused where it stands',
  );
  t.end();
});

t.test('readDocuments() resolves anchors and merge keys, and survives alias bombs', (t) => {
  const { documents, problems } = read(`apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: anchors}
spec:
  endpointSelector: &web {matchLabels: {app: web}}
  ingress:
  - fromEndpoints: [*web, {<<: *web, matchExpressions: [{key: a, operator: Exists}]}]
`);
  t.same(problems, []);
  t.same(documents[0].policy?.rules[0].ingress[0].peers.length, 2);
  t.match(documents[0].policy?.rules[0].ingress[0].peers[1].key, /k8s:io.kubernetes.pod.namespace=default,|any:a/);
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 8; i++) bomb.push(`${'abcdefgh'[i]}: &${'abcdefgh'[i]} [${repeat(10, `*${'abcdefgh'[i - 1]}`)}]`);
  const found = read(
    `kind: Pod\napiVersion: v1\nmetadata: {name: x}\nspec:\n${bomb.map((line) => `  ${line}`).join('\n')}\n`,
  );
  t.same(
    codes(found.problems, 'error')
      .slice(0, 1)
      .map((code) => code.split(' ')[0]),
    ['too-large'],
  );
  const deep = read(
    `kind: Pod\napiVersion: v1\nmetadata: {name: x}\nspec: {a: ${'['.repeat(100)}${']'.repeat(100)}}\n`,
  );
  t.match(codes(deep.problems, 'error')[0], /^too-large/);
  t.end();
});

t.test('readDocuments() never throws on broken input', (t) => {
  const pieces = [
    'a: ',
    '[',
    '{',
    '- ',
    '\n',
    '*x',
    '&x ',
    '"',
    "'",
    'kind: Pod\n',
    '---\n',
    '\t',
    '<<: ',
    '!!int ',
    '? ',
    '\0',
    '{}',
    'spec:\n  ',
    '|\n',
    '# ',
  ];
  let state = 7;
  const draw = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state % n;
  };
  for (let round = 0; round < 600; round++) {
    const text = Array.from({ length: draw(12) }, () => pieces[draw(pieces.length)]).join('');
    const whole = draw(2) === 0 ? text : web('ingress: [{}]').slice(0, draw(200)) + text;
    try {
      const { problems } = read(whole);
      for (const problem of problems) if (problem.line < 1) t.fail('a problem without a line', { whole });
    } catch (error) {
      t.fail('it threw', { whole, error });
    }
  }
  t.pass('600 texts');
  t.end();
});

t.test('readDocuments() keeps the whole object, the names and the place', (t) => {
  const { documents } = read(`# a comment
apiVersion: v1
kind: Pod
metadata:
  name: web-0
  labels: {app: web}
  annotations: {sluice.io/mac: 02:00:00:00:00:01}
spec:
  hostname: kept
  containers: [{name: c, image: x, command: [sleep, 1000]}]
status: {podIPs: [{ip: 10.0.0.1}]}
`);
  t.match(documents[0], {
    kind: 'Pod',
    namespace: 'default',
    name: 'web-0',
    labels: { app: 'web' },
    file: 'f.yaml',
    line: 2,
  });
  t.match(documents[0].object, { spec: { hostname: 'kept', containers: [{ command: ['sleep', '1000'] }] } });
  t.equal(read('apiVersion: v1\nkind: Node\nmetadata: {name: n, namespace: x}').documents[0].namespace, '');
  t.match(
    read('apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: n}\nspec: {podSelector: {}}').problems,
    [{ code: 'api-version', path: 'apiVersion' }],
  );
  t.end();
});

t.test('readDocuments() makes a rule with a header secret match nothing', (t) => {
  const { documents } = read(
    ports(
      'ports: [{port: "80", protocol: TCP}]\nrules: {http: [{path: /, headerMatches: [{name: a, secret: {name: s}}]}, {method: GET}]}',
    ),
  );
  const [port] = documents[0].policy?.rules[0].ingress[0].ports ?? [];
  t.same(port.l7?.rules, [{ method: '[^\\s\\S]' }, { method: 'GET' }]);
  t.notOk(RE2JS.compile('[^\\s\\S]').matches('GET'));
  t.equal(read(web('ingress: [{x: 1}]')).problems[0].document, 'CiliumNetworkPolicy/shop/test');
  t.end();
});

t.test('nearest() finds what was meant, and nothing when nothing is near', (t) => {
  t.equal(nearest('fromEndpiont', ['fromEndpoints', 'fromEntities']), 'fromEndpoints');
  t.equal(nearest('toport', ['toPorts']), 'toPorts');
  t.equal(nearest('banana', ['toPorts', 'icmps']), undefined);
  t.end();
});

// --- docs/policy.md

const REFERENCE = readFileSync(join(import.meta.dirname, '../../../docs/policy.md'), 'utf8');

/** Cells of the rows of every table in a part of the page whose first header is `header`. */
function rowsOf(text: string, header: string): string[][] {
  const rows: string[][] = [];
  let isInside = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) isInside = false;
    else if (line.startsWith(`| ${header} |`)) isInside = true;
    else if (isInside && !line.startsWith('|---')) rows.push(line.split('|').slice(1, -1));
  }
  return rows.map((cells) => cells.map((cell) => cell.trim()));
}

const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

/** The part of the page under a heading, down to the next of its level. */
function section(heading: string): string {
  const [level] = heading.split(' ');
  const from = REFERENCE.indexOf(`\n${heading}\n`);
  const rest = REFERENCE.slice(from + heading.length + 2);
  const to = rest.search(new RegExp(`^${level} `, 'm'));
  return from < 0 ? '' : rest.slice(0, to < 0 ? undefined : to);
}

/** Every field as the page names it: paths from the rule; those of entries from the entry, whichever list it is in. */
function fieldsOf(shape: Shape, path = ''): string[] {
  if (shape.kind === 'list')
    return /^(in|e)gress(Deny)?$/.test(path) ? entryFields(shape, path) : fieldsOf(shape.of, `${path}[]`);
  if (shape.kind !== 'object' || shape === SELECTOR) return [path];
  return Object.entries(shape.fields).flatMap(([name, field]) =>
    fieldsOf(field, path === '' ? name : `${path}.${name}`),
  );
}

const entryFields = ({ of }: ListShape, path: string): string[] => [`${path}[]`, ...fieldsOf(of)];
const specOf = ({ fields }: ObjectShape): Shape => fields['spec'];

t.test('docs/policy.md lists every field that is read, and no other', (t) => {
  const listed = (part: string): string[] =>
    rowsOf(section(`### ${part}`), 'field').flatMap(([names]) => namesIn(names));
  const shapes: Record<string, Shape> = {
    'Rule Peers Ports Application-rules': specOf(CILIUM_POLICY),
    Selectors: SELECTOR,
    CiliumCIDRGroup: specOf(CIDR_GROUP),
    NetworkPolicy: specOf(NETWORK_POLICY),
  };
  for (const [parts, shape] of Object.entries(shapes)) {
    const found = parts.split(' ').flatMap((part) => listed(part.replace('-', ' ')));
    const wanted =
      shape === SELECTOR
        ? Object.entries(SELECTOR.fields).flatMap(([name, one]) => fieldsOf(one, name))
        : fieldsOf(shape);
    t.same(found.sort(), [...new Set(wanted)].sort(), parts);
  }
  t.end();
});

/** What makes a document of one field incomplete, not wrong. */
const INCOMPLETE = [
  'icmp-type',
  'missing-field',
  'cidr-rule',
  'service',
  'empty-rule',
  'no-subject',
  'except',
  'nodes-disabled',
  'header-name',
  'secret-name',
];
const SAMPLES: Record<string, unknown> = {
  cidr: '10.0.0.0/8',
  except: '10.0.0.0/16',
  type: 8,
  port: '80',
  protocol: 'TCP',
  apiKey: 'fetch',
  apiVersion: '1',
  operator: 'Exists',
  key: 'a',
};

/** A policy that has one field, and what is needed for it to be looked at. */
function policyWith(path: string): string {
  const build = ([name, ...rest]: string[]): unknown => {
    const key = name.replace('[]', '');
    const inner = rest.length > 0 ? build(rest) : sampleOf(key, name);
    const value = name.endsWith('[]') ? [inner] : inner;
    const isBelowPorts = key === 'toPorts' && !rest[0]?.startsWith('ports');
    return { [key]: isBelowPorts ? [{ ports: [portFor(rest)], ...(inner as object) }] : value };
  };
  const field = build(path.split('.')) as object;
  const isOfRule = /^(endpointS|nodeS|(in|e)gress|enable|labels|desc|log)/.test(path);
  const list = /^to[A-Z]/.test(path) && !path.includes('kafka') ? 'egress' : 'ingress';
  const subject = path === 'nodeSelector' ? {} : { endpointSelector: {} };
  const spec = isOfRule
    ? { ...subject, ingress: [{ fromEntities: ['all'] }], ...field }
    : { ...subject, [list]: [field] };
  return JSON.stringify({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumClusterwideNetworkPolicy',
    metadata: { name: 'x' },
    spec,
  });
}

const portFor = (path: string[]): object => (path.includes('dns[]') ? { port: '53' } : { port: '80', protocol: 'TCP' });

function sampleOf(key: string, name: string): unknown {
  if (/Selector$|Endpoints|Requires|Nodes|^selector$|^labels$/.test(key)) return {};
  if (/^(in|e)gress(Deny)?\[\]$/.test(name))
    return { [name.startsWith('in') ? 'fromEntities' : 'toEntities']: ['all'] };
  if (key === 'ingress' || key === 'egress') return true;
  const oneOf: Record<string, string> = { family: 'IPv4', mode: 'required', mismatch: 'LOG', role: 'produce' };
  if (/CIDR$/.test(key)) return '10.0.0.0/8';
  if (/Entities$/.test(key)) return 'all';
  if (key === 'priority' || key === 'endPort') return 90;
  return SAMPLES[key] ?? oneOf[key] ?? 'x.y';
}

t.test('docs/policy.md says of each field whether it is refused', (t) => {
  for (const part of ['Rule', 'Peers', 'Ports', 'Application rules']) {
    for (const [names, status] of rowsOf(section(`### ${part}`), 'field')) {
      for (const name of namesIn(names)) {
        const errors = codes(read(policyWith(name)).problems, 'error').filter(
          (text) => !INCOMPLETE.includes(text.split(' ')[0]),
        );
        if (status === 'refused') t.not(errors.length, 0, `${name} is refused`);
        else t.same(errors, [], `${name} is accepted`);
      }
    }
  }
  t.end();
});

t.test('docs/policy.md lists every code, and every code has its test', (t) => {
  /** Of documents seen together; tested where they are: policies as they are merged, manifests as they are checked. */
  const elsewhere = ['error conflict', 'warning selects-nothing', 'warning no-effect', 'warning no-dns-rule'];
  const listed = (header: string, severity: string): string[] =>
    rowsOf(REFERENCE, header).flatMap(([names]) => namesIn(names).map((name) => `${severity} ${name}`));
  /** Listed on the other side. */
  const both = ['warning unknown-kind', 'warning no-subject', 'warning syntax', 'error end-below-port'];
  t.same(
    [...listed('refused', 'error'), ...listed('warned about', 'warning')].sort(),
    [...met, ...elsewhere].filter((text) => !both.includes(text)).sort(),
  );
  t.end();
});
