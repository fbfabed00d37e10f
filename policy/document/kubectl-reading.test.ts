/** What kubectl takes, and how it reads it: YAML 1.1, typed lists, kinds of everybody. */
import t from 'tap';
import { codes, knp, read } from '../../test/policy/documents.ts';
import { decodeText } from './encoding.ts';
import { isManifestName } from './manifest.ts';

const pod = (spec: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: ${spec}\n`;

t.test('the booleans of YAML 1.1 are booleans where one is wanted', async (t) => {
  for (const [word, value] of [['yes', true], ['On', true], ['y', true], ['no', false], ['OFF', false], ['true', true]] as const) {
    const { documents, problems } = read(pod(`{hostNetwork: ${word}}`));
    t.same(problems, [], word);
    t.match(documents, [{ object: { spec: { hostNetwork: value } } }], word);
  }
  t.same(codes(read(pod('{hostNetwork: "no"}')).problems, 'error'), ['wrong-type spec.hostNetwork'], 'in quotes it is a string');
}); // biome-ignore format: a table

t.test('and are warned about where a string is wanted, which is taken as it is written', async (t) => {
  const { documents, problems } = read(knp('podSelector: {matchLabels: {region: no}}'));
  t.same(codes(problems, 'warning'), ['unquoted spec.podSelector.matchLabels.region']);
  t.match(problems, [{ message: 'read region: found the boolean no, wanted a string' }]);
  t.match(documents, [{ object: { spec: { podSelector: { matchLabels: { region: 'no' } } } } }]);
  t.same(read(knp('podSelector: {matchLabels: {region: "no"}}')).problems, []);
  t.same(codes(read(knp('podSelector: {}\ningress: [{ports: [{port: yes}]}]')).problems, 'error'), ['wrong-type spec.ingress[0].ports[0].port']);
}); // biome-ignore format: one claim a line

t.test('a number that kubectl reads in another base is refused', async (t) => {
  for (const [text, value] of [['010', 8], ['0100', 64], ['0b1010000', 80], ['0X50', 80], ['1_000', 1000], ['0B1_0', 2], ['0x5_0', 80]] as const) {
    const { documents, problems } = read(knp(`podSelector: {}\ningress: [{ports: [{port: ${text}}]}]`));
    t.same(documents, []);
    t.match(problems, [{ code: 'octal', path: 'spec.ingress[0].ports[0].port', hint: `kubectl reads it as ${value}` }], text);
    t.match(read(pod(`{containers: [{ports: [{containerPort: ${text}}]}]}`)).problems, [{ code: 'octal' }], text);
  }
  for (const same of ['80', '0', '0x50', '0o120', '08', '+80'])
    t.same(codes(read(knp(`podSelector: {}\negress: [{ports: [{port: 8080, endPort: 9090}, {port: ${same === '0' ? 1 : same}}]}]`)).problems, 'error'), [], same);
}); // biome-ignore format: a table

t.test('items of a typed list need not say what they are', async (t) => {
  const text = 'apiVersion: v1\nkind: NamespaceList\nitems:\n- metadata: {name: a}\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n- 1\n';
  const { documents, problems } = read(text);
  t.match(documents, [{ kind: 'Namespace', name: 'a', line: 4 }, { kind: 'Namespace', name: 'b' }]);
  t.same(codes(problems, 'error'), ['no-kind']);
  const policies = 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitems: [{metadata: {name: a}, spec: {podSelector: {}, ingres: []}}]';
  t.match(read(policies).problems, [{ code: 'unknown-field', document: 'NetworkPolicy/default/a', line: 3 }]);
  t.match(read('apiVersion: v1\nkind: List\nitems: [{metadata: {name: a}}]').problems, [{ code: 'no-kind' }]);
}); // biome-ignore format: one claim a line

t.test('kinds of other groups are skipped, one line each; a misspelling of ours is an error, and so is a policy of others', async (t) => {
  const of = (apiVersion: string, kind: string) => `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\nspec: {order: 1, selector: all()}\n`;
  for (const [apiVersion, kind] of [['apiregistration.k8s.io/v1', 'APIService'], ['serving.knative.dev/v1', 'Service'], ['longhorn.io/v1beta2', 'Node'], ['apps.kruise.io/v1', 'StatefulSet'], ['v1', 'ConfigMap']]) {
    const { documents, problems } = read(of(apiVersion, kind));
    t.same([documents, problems.map(({ code, severity }) => `${severity} ${code}`)], [[], ['warning unknown-kind']], apiVersion);
  }
  for (const [apiVersion, kind, code] of [['v1', 'Pods', 'unknown-kind'], ['v1', 'Endpoint', 'unknown-kind'], ['projectcalico.org/v3', 'NetworkPolicy', 'other-group'],
    ['crd.antrea.io/v1beta1', 'NetworkPolicy', 'other-group'], ['policy.networking.k8s.io/v1alpha2', 'ClusterNetworkPolicy', ''], ['networking.k8s/v1', 'NetworkPolicy', 'api-version'], ['aps/v1', 'ConfigMap', '']]) {
    const errors = read(of(apiVersion, kind)).problems.filter(({ severity }) => severity === 'error' );
    const kept = errors.filter((one) => one.code !== 'unknown-field' && one.code !== 'wrong-type');
    t.same(kept.map((one) => one.code), code === '' ? [] : [code], `${apiVersion} ${kind}`);
  }
}); // biome-ignore format: a table

t.test('a byte order mark before a later document is none of its text', async (t) => {
  const text = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n';
  const { documents, problems } = read(`\uFEFF${text}\uFEFF${text}`);
  t.same([documents.length, problems], [2, []]);
});

t.test('UTF-16 with a byte order mark is text, as PowerShell writes it', async (t) => {
  const text = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a, annotations: {x: "ä€"}}\n';
  const little = Buffer.from(`\uFEFF${text}`, 'utf16le');
  const big = Buffer.from(little).swap16();
  for (const bytes of [little, big, Buffer.from(text), Buffer.from(`\uFEFF${text}`)]) {
    const { documents, problems } = read(decodeText(bytes));
    t.match([documents, problems], [[{ name: 'a', line: 1, annotations: { x: 'ä€' } }], []]);
  }
});

t.test('JSON objects one after another are documents, at their places', async (t) => {
  const object = (name: string, rest = '') => `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"${name}"${rest}}}`;
  const places = (text: string) => {
    const { documents, problems } = read(text);
    return [...documents.map(({ name, line }) => `${name} ${line}`), ...problems.map(({ code, line, column }) => `${code} ${line}:${column}`)];
  };
  t.same(places(`${object('a')}\n${object('b')}\n\n  ${object('c', ',"x":"}{\\""')}`), ['a 1', 'b 2', 'unknown-field 4:64']);
  t.same(places(`${object('a')}${object('b')} ${object('c')}\r\n${object('d')}`), ['a 1', 'b 1', 'c 1', 'd 2']);
  t.same(places(`{\n"kind": "List",\n"items": [${object('a')},\n${object('b')}]\n}\n{"kind": 1}\n`), ['a 3', 'b 4', 'no-kind 6:1']);
  t.same(places(`\uFEFF${object('a')}\n---\n${object('b')}`), ['a 1', 'b 3'], 'YAML between');
  t.same(places(`{apiVersion: v1, kind: Namespace, metadata: {name: 'a}\n{'}}`).length, 1, 'YAML that looks like it is left alone');
  t.same(places(`{"a": "unclosed\n{"`).every((one) => one.startsWith('syntax')), true);
  t.same(places(`${object('a')}}\n{`).some((one) => one.startsWith('syntax')), true);
}); // biome-ignore format: one claim a line

t.test('test files and steps beside manifests are no manifests', async (t) => {
  const names = ['a.yaml', 'a.yml', 'a.json', 'a.test.yaml', 'expect.steps.yaml', 'test.yaml', 'notes.txt'];
  t.same(names.filter(isManifestName), ['a.yaml', 'a.yml', 'a.json', 'test.yaml']);
});
