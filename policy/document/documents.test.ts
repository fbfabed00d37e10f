/** Text -> documents: places, hints, lists, anchors, and what YAML itself refuses. */
import { Reader } from './reader.ts';
import t from 'tap';
import { read, web, knp, codes, repeat, met, READER_CODES } from '../../test/policy/documents.ts';
import { formatProblem, nearest } from '../rule/problems.ts';
import { readDocuments } from './document.ts';

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
  // A parser that calls itself for each level is never begun: what it has to compile at the end of the stack ends the process.
  const texts: Readonly<Record<string, string>> = {
    'maps of JSON': '{"a":'.repeat(3_000_000),
    'lists in lists': '- '.repeat(3_000_000),
    'keys of keys': '? '.repeat(3_000_000),
    both: '- ['.repeat(1_000_000),
    'lines further and further in': Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    'what looks as if it began anew': `${'['.repeat(300)}\n---x, ${'['.repeat(300)}`,
    'what looks as if it ended': `${'['.repeat(300)}"${']'.repeat(300)}", `.repeat(2),
  };
  for (const [name, text] of Object.entries(texts)) {
    const { problems } = readDocuments(text, 'x.yaml');
    t.match(problems, [{ message: /nested too deeply/ }], name);
    t.equal(problems.length, 1, name);
  }
  const place = readDocuments(`kind: Pod\nx:\n  - ${'['.repeat(500)}`, 'x.yaml').problems;
  t.match(place, [{ line: 3, column: 401 }], 'where it is too deep');
  const brackets = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a # ${'['.repeat(900)}\n  annotations:\n    a: "${'[{'.repeat(900)}"\n    b: |\n${' '.repeat(900)}x\n    c: x${'['.repeat(900)}\n`;
  t.same(
    readDocuments(brackets + '---\n{}\n'.repeat(500), 'x.yaml').problems.filter(({ line }) => line < 10),
    [],
    'brackets that are none',
  );
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

t.test('readDocuments() names the document of a problem', (t) => {
  t.equal(read(web('ingress: [{x: 1}]')).problems[0].document, 'CiliumNetworkPolicy/shop/test');
  t.end();
});

t.test('readDocuments() refuses an address that is none, where somebody would look it up', (t) => {
  const pod = (status: string): string => `apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nstatus: ${status}\n`;
  const impossible = ['127.0.0.1', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255', '"::1"', '"fe80::1"'];
  for (const text of ['x', '10.244.1.300', '10.0.0.0/8', 'fe80::1%eth0', '"1.5"', '"::ffff:10.0.0.1"', ...impossible]) {
    t.match(read(pod(`{podIP: ${text}}`)).problems, [{ code: 'address', path: 'status.podIP', line: 4 }], text);
  }
  t.match(read(pod('{podIPs: [{ip: 10.0.0.1}, {ip: no}]}')).problems, [{ path: 'status.podIPs[1].ip' }]);
  t.same(read(pod('{podIP: "", podIPs: [{ip: ""}]}')).problems, [], 'not known yet');
  const node =
    'apiVersion: v1\nkind: Node\nmetadata: {name: x}\nstatus: {addresses: [{type: InternalIP, address: a.b}, {type: Hostname, address: a.b}]}';
  t.match(read(node).problems, [{ path: 'status.addresses[0].address' }]);
  const slice = (type: string): string =>
    `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: x, labels: {kubernetes.io/service-name: x}}\naddressType: ${type}\nendpoints: [{addresses: [a.b]}]`;
  t.match(read(slice('IPv4')).problems, [{ path: 'endpoints[0].addresses[0]' }]);
  t.same(read(slice('FQDN')).problems, []);
  t.match(read('apiVersion: v1\nkind: Endpoints\nmetadata: {name: x}\nsubsets: [{addresses: [{ip: a.b}]}]').problems, [
    { path: 'subsets[0].addresses[0].ip' },
  ]);
  t.end();
});

t.test('nearest() finds what was meant, and nothing when nothing is near', (t) => {
  t.equal(nearest('fromEndpiont', ['fromEndpoints', 'fromEntities']), 'fromEndpoints');
  t.equal(nearest('toport', ['toPorts']), 'toPorts');
  t.equal(nearest('banana', ['toPorts', 'icmps']), undefined);
  t.end();
});

t.test('readDocuments() refuses policies of others, and numbers that kubectl reads in another base', (t) => {
  const calico = 'apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: x}\nspec: {selector: all()}';
  t.match(read(calico).problems, [{ code: 'other-group', path: 'kind', line: 2 }]);
  const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{ports: [{containerPort: 010}]}]}';
  t.match(read(pod).problems, [{ code: 'octal', line: 4 }]);
  t.end();
});

t.test('readDocuments() says which field is missing, once, and where it should stand', (t) => {
  const { documents, problems } = read(web('ingress: [{}]\nlabels: [{value: x}]'));
  t.same(documents, []);
  t.match(
    problems.filter(({ severity }) => severity === 'error'),
    [
      {
        code: 'missing-field',
        path: 'spec.labels[0].key',
        line: 7,
        message: 'read labels[0]: found no key, wanted one',
      },
    ],
  );
  t.end();
});

t.test('an expression without a key is that and nothing else, in whatever selector it stands', (t) => {
  const policy = (kind: string, spec: string) =>
    `apiVersion: ${kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'cilium.io/v2'}\nkind: ${kind}\nmetadata: {name: x}\nspec: ${spec}`;
  for (const expression of ['{operator: Exists}', '{operator: Exists, key: null}', '{}']) {
    const selector = `{matchExpressions: [${expression}]}`;
    for (const [kind, spec] of [
      ['CiliumNetworkPolicy', `{endpointSelector: ${selector}, ingress: [{}]}`],
      ['CiliumNetworkPolicy', `{endpointSelector: {}, egress: [{toEndpoints: [${selector}]}]}`],
      ['CiliumNetworkPolicy', `{endpointSelector: {}, ingress: [{fromCIDRSet: [{cidrGroupSelector: ${selector}}]}]}`],
      ['CiliumClusterwideNetworkPolicy', `{nodeSelector: ${selector}, ingressDeny: [{fromEndpoints: [${selector}]}]}`],
      ['NetworkPolicy', `{podSelector: ${selector}}`],
      ['NetworkPolicy', `{podSelector: {}, ingress: [{from: [{namespaceSelector: ${selector}}]}]}`],
    ]) {
      const { documents, problems } = read(policy(kind, spec));
      const errors = problems.filter(({ severity }) => severity === 'error');
      const isNothing = expression === '{}';
      t.same(documents, [], spec);
      t.ok(
        errors.length > 0 &&
          errors.every(({ code, path }) => code === 'missing-field' && (isNothing || path.endsWith('.key'))),
        `${spec}: ${JSON.stringify(errors)}`,
      );
    }
  }
  t.end();
});

t.test('readDocuments() says so when a map is merged into itself, or many times over', (t) => {
  const layers = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} {<<: [*a${i}, *a${i}]}`).join('\n');
  for (const text of [
    'kind: Pod\nmetadata: &a {name: x, <<: *a}',
    `kind: Pod\napiVersion: v1\na0: &a0 {x: 1}\n${layers}\nmetadata: {name: x, <<: *a30}`,
  ]) {
    const { documents, problems } = read(text);
    t.same(documents, []);
    t.ok(
      problems.some(({ code }) => code === 'too-large'),
      JSON.stringify(problems[0]),
    );
  }
  t.end();
});

t.test('a fault of ours in one document is a problem of that document, and the others are read', (t) => {
  const good = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: good}\n';
  const { read: readNode } = Reader.prototype;
  t.teardown(() => Object.assign(Reader.prototype, { read: readNode }));
  Reader.prototype.read = function (node, shape, path) {
    if (path === 'metadata.name' && String(node) === 'evil') throw new TypeError('a bug');
    return readNode.call(this, node, shape, path);
  };
  const { documents, problems } = read(`${good}---\n${good.replace('good', 'evil')}---\n${good.replace('good', 'also')}`);
  t.same(documents.map(({ name }) => name), ['good', 'also']);
  t.match(problems, [{ code: 'internal', file: 'f.yaml', line: 5, message: /found a fault of Sluice itself \(TypeError: a bug\)/ }]);
  t.end();
}); // biome-ignore format: one claim a line

t.test('every code of the reader has its test here', (t) => {
  t.same(
    READER_CODES.filter((code) => !met.has(code)),
    [],
  );
  t.end();
});
