/** What is refused of the names of a pod, wherever the pod is described. */
import t from 'tap';
import { codes, read } from '../../test/policy/documents.ts';

const pod = (spec: string): string => `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {${spec}}\n`;
const none = (count: number, text: (i: number) => string): string =>
  `[${Array.from({ length: count }, (_, i) => text(i)).join(', ')}]`;

const GOOD = [
  'hostname: web-0, subdomain: db',
  'dnsPolicy: Default',
  'dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.1, "2001:db8::1"]}',
  'dnsConfig: {searches: [., a.example, _tcp.a.example.], options: [{name: ndots, value: "2"}, {name: edns0}]}',
  'hostAliases: [{ip: 192.0.2.1, hostnames: [a.example, b]}]',
  `dnsConfig: {searches: ${none(32, (i) => `s${i}.example`)}}`,
];

const BAD: readonly (readonly [spec: string, ...codes: string[]])[] = [
  ['hostname: web.0', 'name spec.hostname'],
  ['subdomain: "a b"', 'name spec.subdomain'],
  ['dnsPolicy: Cluster', 'unknown-value spec.dnsPolicy'],
  ['dnsPolicy: None', 'missing-field spec.dnsConfig'],
  ['dnsPolicy: None, dnsConfig: {nameservers: []}', 'missing-field spec.dnsConfig'],
  ['dnsConfig: {nameservers: [dns.example]}', 'address spec.dnsConfig.nameservers[0]'],
  ['dnsConfig: {nameservers: ["fe80::1%eth0"]}', 'address spec.dnsConfig.nameservers[0]'],
  [`dnsConfig: {nameservers: ${none(4, (i) => `192.0.2.${i}`)}}`, 'too-many spec.dnsConfig.nameservers'],
  [`dnsConfig: {searches: ${none(33, (i) => `s${i}`)}}`, 'too-many spec.dnsConfig.searches'],
  [`dnsConfig: {searches: ${none(32, () => `${'a'.repeat(63)}.example`)}}`, 'too-many spec.dnsConfig.searches'],
  ['dnsConfig: {searches: ["a\\nnameserver 192.0.2.9"]}', 'name spec.dnsConfig.searches[0]'],
  ['dnsConfig: {options: [{name: "a b"}]}', 'name spec.dnsConfig.options[0].name'],
  ['dnsConfig: {options: [{value: "1"}]}', 'name spec.dnsConfig.options[0].name'],
  ['dnsConfig: {options: [{name: ndots, value: "1\\nnameserver 192.0.2.9"}]}', 'name spec.dnsConfig.options[0].value'],
  ['hostAliases: [{ip: a, hostnames: [b]}]', 'address spec.hostAliases[0].ip'],
  ['hostAliases: [{ip: 192.0.2.1, hostnames: [b, "c d"]}]', 'name spec.hostAliases[0].hostnames[1]'],
];

t.test('the names of a pod are as the API server wants them, and each a word', (t) => {
  for (const spec of GOOD) t.same(codes(read(pod(spec)).problems, 'error'), [], spec);
  for (const [spec, ...wanted] of BAD) t.same(codes(read(pod(spec)).problems, 'error'), wanted, spec);
  t.end();
});

t.test('so are those in the template of a workload, each with its place', (t) => {
  const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec: {template: {metadata: {labels: {app: a}}, spec: {hostname: A, hostAliases: [{ip: x}]}}}
`;
  t.same(codes(read(deployment).problems, 'error'), [
    'name spec.template.spec.hostname',
    'address spec.template.spec.hostAliases[0].ip',
  ]);
  t.end();
});
