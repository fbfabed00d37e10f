/** Tables, templates, flags and completion: everything that is only text in and text out. */
import { existsSync, mkdtempSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { installShims } from './shim-links.ts';
import { shimmed } from './shim.ts';
import { commaList, durationMs, integerBetween, podReference } from './terminal/argument.ts';
import { wantsColor } from './terminal/color.ts';
import { type Asked, candidates } from './terminal/completion-words.ts';
import { tailOf } from './rig/container-logs.ts';
import { EXIT, exitCodeOf, Failure, sentenceOf } from './terminal/failure.ts';
import { labelMatcher } from './objects/label-match.ts';
import { selectorText } from '../apiserver/tables/label-text.ts';
import { OBSERVE_FLAGS, VALUELESS_FLAGS } from '../hubble/filter/observe-filter.ts';
import { renderJsonPath } from '../apiserver/tables/json-path.ts';
import { kindsOf } from './objects/kinds.ts';
import { portText } from '../policy-maps/printed-entry.ts';
import { flagNames } from './maps/packet-names.ts';
import { buildProgram, COMMANDS } from './program.ts';
import { type Manifest, referenceOf } from '../policy/document/manifest.ts';
import { planRig } from './rig/rig-plan.ts';
import { rigNameOf } from './rig/rig-state.ts';
import { reference } from './reference.ts';
import { type Column, renderTable } from './terminal/table.ts';
import { testHost } from '../test/cli-host.ts';
import { PACKAGE_ROOT } from '../linux/package-root.ts';

interface Row {
  readonly id: number;
  readonly labels: readonly string[];
  readonly state: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { header: 'ENDPOINT', cell: (row) => row.id },
  { header: 'POLICY (ingress)\nENFORCEMENT', cell: () => 'Enabled' },
  { header: 'LABELS', cell: (row) => row.labels.join('\n') },
  { header: 'STATE', cell: (row) => row.state, paint: (text) => (text === 'ready' ? (s) => `<${s}>` : undefined) },
  { header: 'NETNS', cell: (row) => `ns-${row.id}`, isWide: true },
];
const ROWS: readonly Row[] = [
  { id: 7, labels: ['k8s:app=web', 'k8s:tier=front'], state: 'ready' },
  { id: 1024, labels: [], state: 'waiting' },
];

t.test('renderTable() draws headers and cells of several lines, three spaces apart, without trailing blanks', (t) => {
  t.equal(
    renderTable(COLUMNS, ROWS),
    [
      'ENDPOINT   POLICY (ingress)   LABELS           STATE',
      '           ENFORCEMENT',
      '7          Enabled            k8s:app=web      <ready>',
      '                              k8s:tier=front',
      '1024       Enabled                             waiting',
      '',
    ].join('\n'),
  );
  t.end();
});

t.test('renderTable() shows wide columns and leaves headers out when asked', (t) => {
  const text = renderTable(COLUMNS, ROWS.slice(1), { wide: true, headers: false });
  t.equal(text, '1024   Enabled      waiting   ns-1024\n');
  t.equal(renderTable(COLUMNS, [], { headers: false }), '');
  t.end();
});

t.test('renderTable() lets no control character of a cell reach the terminal', (t) => {
  t.equal(renderTable([{ header: 'A', cell: () => 'x\x1b[31my' }], [0]), 'A\nx\\x1b[31my\n');
  t.end();
});

const DOCUMENT = {
  items: [
    { metadata: { name: 'a', labels: { 'app.io/x': '1' } }, state: 'ready', n: 3 },
    { metadata: { name: 'b' }, state: 'waiting', n: 5 },
  ],
};
const TEMPLATES: readonly (readonly [string, string])[] = [
  ['{.items[*].metadata.name}', 'a b'],
  ['.items[0].metadata.name', 'a'],
  ['{range .items[*]}{.metadata.name}{"\\t"}{.state}{"\\n"}{end}', 'a\tready\nb\twaiting\n'],
  ['{.items[?(@.state=="ready")].metadata.name}', 'a'],
  ["{.items[?(@.state!='ready')].metadata.name}", 'b'],
  ['{.items[?(@.n>=5)].metadata.name}', 'b'],
  ['{.items[?(@.metadata.labels)].metadata.name}', 'a'],
  ['{..name}', 'a b'],
  ["{.items[0].metadata.labels['app.io/x']}", '1'],
  ['{.items[0].metadata.labels.app\\.io/x}', '1'],
  ['{.items[-1].n}', '5'],
  ['{.items[0:1].n} of {$.items[0,1].n}', '3 of 3 5'],
  ['{.items[0].metadata}', '{"name":"a","labels":{"app.io/x":"1"}}'],
  ['{.nothing}', ''],
];
for (const [template, wanted] of TEMPLATES) {
  t.test(`renderJsonPath() of ${template}`, (t) => {
    t.equal(renderJsonPath(template, DOCUMENT), wanted);
    t.end();
  });
}

t.test('renderJsonPath() names template, place and what is wanted when it cannot be read', (t) => {
  t.throws(() => renderJsonPath('{.items[', {}), {
    name: 'SyntaxError',
    message: /jsonpath '\{\.items\[': at 8: wanted/,
  });
  t.throws(() => renderJsonPath('{range .items}', {}), /wanted \{end\}/);
  t.throws(() => renderJsonPath('{.a', {}), /wanted .*\}/);
  t.end();
});

t.test('durationMs() takes durations and numbers, and refuses the rest', (t) => {
  t.strictSame(
    ['500ms', '5s', '1m30s', '2h', '1d', '2'].map(durationMs),
    [500, 5000, 90_000, 7_200_000, 86_400_000, 2000],
  );
  t.throws(() => durationMs('soon'), /wanted a duration/);
  t.end();
});

t.test('integerBetween(), commaList() and podReference() hold their arguments to what is wanted', (t) => {
  t.equal(integerBetween(0, 255)('0x10'), 16);
  t.throws(() => integerBetween(1, 10)('11'), /whole number from 1 to 10\./);
  t.throws(() => integerBetween(1, Number.MAX_SAFE_INTEGER)('0'), /whole number, at least 1\./);
  t.throws(() => integerBetween(1, 10)('1.5'), /whole number/);
  t.strictSame(commaList('c', commaList('a,b')), ['a', 'b', 'c']);
  t.strictSame(podReference('shop/web-0'), { namespace: 'shop', name: 'web-0' });
  t.strictSame(podReference('web-0', 'shop'), { namespace: 'shop', name: 'web-0' });
  for (const text of ['/x', 'x/', 'a/b/c', '']) t.throws(() => podReference(text), /wanted a pod/);
  t.end();
});

t.test('wantsColor() paints on terminals only, unless told', (t) => {
  const terminal = { write: () => true, isTTY: true };
  const pipe = { write: () => true };
  t.equal(wantsColor('auto', terminal, {}), true);
  t.equal(wantsColor('auto', pipe, {}), false);
  t.equal(wantsColor('auto', terminal, { NO_COLOR: '1' }), false);
  t.equal(wantsColor('auto', terminal, { NO_COLOR: '' }), true);
  t.equal(wantsColor('auto', terminal, { TERM: 'dumb' }), false);
  t.equal(wantsColor('always', pipe, { NO_COLOR: '1' }), true);
  t.equal(wantsColor('never', terminal, {}), false);
  t.end();
});

t.test('sentenceOf() and exitCodeOf() turn any error into a line and a code', (t) => {
  t.equal(sentenceOf(new Failure('a: b: c')), 'a: b: c');
  t.equal(exitCodeOf(new Failure('x', EXIT.UNREACHABLE)), 3);
  t.equal(exitCodeOf(new Error('x')), 1);
  t.match(sentenceOf(new Error('defect')), /defect\n\s+at /);
  t.equal(sentenceOf(Object.assign(new Error('open /x: EACCES'), { code: 'EACCES' })), 'open /x: EACCES');
  t.equal(sentenceOf('text'), 'text');
  t.end();
});

t.test('kindsOf() knows kubectl names and short names', (t) => {
  for (const word of ['po', 'pod', 'pods', 'Pod'])
    t.strictSame(
      kindsOf(word).map(({ kind }) => kind),
      ['Pod'],
      word,
    );
  t.equal(kindsOf('cnp')[0].kind, 'CiliumNetworkPolicy');
  t.equal(kindsOf('ciliumnetworkpolicies.cilium.io')[0].kind, 'CiliumNetworkPolicy');
  t.equal(kindsOf('policies').length, 3);
  t.strictSame(
    kindsOf('po,ns,po').map(({ kind }) => kind),
    ['Pod', 'Namespace'],
  );
  t.throws(() => kindsOf('cheese'), { exitCode: EXIT.USAGE, message: /found kind 'cheese', wanted one of/ });
  t.end();
});

t.test('labelMatcher() and selectorText() read and print label selectors', (t) => {
  const object = { metadata: { labels: { app: 'web', tier: 'front' } } };
  const good = [
    'app=web',
    'app==web,tier!=back',
    'app',
    '!db',
    'app=web , tier=front',
    '',
    'app in (web, api)',
    'app notin (db)',
  ];
  for (const selector of good) t.ok(labelMatcher(selector)(object), selector);
  for (const selector of ['app=api', 'db', '!app', 'app!=web', 'app in (db)', 'app notin (web,db)']) {
    t.notOk(labelMatcher(selector)(object), selector);
  }
  for (const selector of ['=', 'foo bar', 'app>3', 'app in (a', 'a,,b', 'app in a', ',']) {
    t.throws(() => labelMatcher(selector), { exitCode: EXIT.USAGE, message: /^-l: parse label selector/ }, selector);
  }
  const matchExpressions = [
    { key: 'a', operator: 'In', values: ['1', '2'] },
    { key: 'b', operator: 'NotIn', values: ['3'] },
    { key: 'c', operator: 'Exists' },
    { key: 'd', operator: 'DoesNotExist' },
  ];
  t.equal(selectorText({ matchLabels: { app: 'web' }, matchExpressions }, ''), 'a in (1,2),app=web,b notin (3),c,!d');
  t.equal(selectorText({}, '<all>'), '<all>');
  t.equal(selectorText(undefined, '<all>'), '<all>');
  t.end();
});

t.test('portText() and the other names of packets', (t) => {
  t.strictSame(
    [portText(0, 0, 0), portText(6, 0, 0), portText(6, 80, 16), portText(17, 8080, 12), portText(58, 128, 16)],
    ['ANY', 'ANY/TCP', '80/TCP', '8080-8095/UDP', '128/ICMPv6'],
  );
  t.equal(portText(99, 0, 0), 'ANY/99');
  t.strictSame(flagNames(5, { 1: 'a', 2: 'b', 4: 'c' }), ['a', 'c']);
  t.end();
});

t.test('tailOf() keeps the last lines', (t) => {
  t.equal(tailOf('a\nb\nc\n', 2), 'b\nc\n');
  t.equal(tailOf('a\nb', 1), 'b\n');
  t.equal(tailOf('a\n', 0), '');
  t.equal(tailOf('', 1), '', 'nothing written yet');
  t.equal(tailOf('a\nb', undefined), 'a\nb');
  t.end();
});

const DEPLOYMENT: Manifest = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    replicas: 2,
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        initContainers: [{ name: 'init', command: ['true'] }],
        containers: [
          { name: 'idle', image: 'pause' },
          {
            name: 'server',
            command: ['python3', '-m'],
            args: ['http.server', 8080],
            env: [{ name: 'A', value: 1 }],
            ports: [{ containerPort: 8080 }, { containerPort: 53, protocol: 'UDP' }],
          },
        ],
      },
    },
  },
};

t.test('planRig() expands a Deployment into pods with programs, names and addresses', (t) => {
  const plan = planRig([{ kind: 'List', items: [DEPLOYMENT] }], { netnsPrefix: 'x-' });
  t.equal(plan.pods.length, 2);
  const [, pod] = plan.pods;
  t.strictSame(pod, {
    namespace: 'shop',
    name: 'web-1',
    netns: 'x-shop-web-1',
    initContainers: [
      { name: 'init', argv: ['true'], env: {}, workingDir: undefined, tcpPorts: [], udpPorts: [], mayEnd: true },
    ],
    containers: [
      {
        name: 'server',
        argv: ['python3', '-m', 'http.server', '8080'],
        env: { A: '1' },
        workingDir: undefined,
        tcpPorts: [8080],
        udpPorts: [53],
        mayEnd: false,
      },
    ],
    idle: [],
  });
  t.end();
});

t.test('planRig() keeps a namespace that a pod names, and numbers the one that a template names', (t) => {
  const annotations = { 'sluice.io/netns': 'mine', 'sluice.io/external': 'true' };
  const policy: Manifest = { kind: 'CiliumClusterwideNetworkPolicy', metadata: { name: 'p' } };
  const { pods } = planRig([{ kind: 'Pod', metadata: { name: 'out', annotations } }, policy]);
  t.match(pods, [{ namespace: 'default', name: 'out', netns: 'mine', containers: [] }]);
  const numbered = { ...DEPLOYMENT, spec: { replicas: 2, template: { metadata: { annotations } } } };
  t.strictSame(
    planRig([numbered]).pods.map(({ netns }) => netns),
    ['mine-0', 'mine-1'],
  );
  t.strictSame(
    planRig([{ ...numbered, kind: 'DaemonSet' }]).pods.map(({ netns }) => netns),
    ['mine'],
  );
  t.equal(referenceOf(policy), 'CiliumClusterwideNetworkPolicy/p');
  t.equal(referenceOf(DEPLOYMENT), 'Deployment/shop/web');
  t.end();
});

t.test('rigNameOf() names a rig after its file or folder', (t) => {
  t.strictSame(['examples/shop/', 'examples/shop/manifests.yaml', 'shop.yaml', '-', '/', 'a b.yml'].map(rigNameOf), [
    'shop',
    'shop',
    'shop',
    'rig',
    'rig',
    'a_b',
  ]);
  t.end();
});

t.test('every command has a summary, an example in its help, and nothing without an action', async (t) => {
  const program = await buildProgram(testHost().host, 'all');
  const visit = (command: typeof program, path: string): void => {
    if (command.name() === '__complete') return;
    const help: string[] = [];
    command.configureOutput({ writeOut: (text) => help.push(text) });
    command.outputHelp();
    t.match(help.join(''), /Examples:\n {2}\$ .*sluice/, `${path} --help shows an example`);
    t.not(command.summary(), '', `${path} has a summary`);
    for (const child of command.commands) if (child.name() !== 'help') visit(child, `${path} ${child.name()}`);
  };
  for (const command of program.commands) visit(command, `sluice ${command.name()}`);
  t.equal(program.commands.length, COMMANDS.length);
});

t.test('observe takes every filter that hubble/ knows, and no other', async (t) => {
  const program = await buildProgram(testHost().host, 'all');
  const observe = program.commands.find((command) => command.name() === 'observe');
  const flags = new Set(observe?.options.map(({ long }) => long?.slice(2)));
  t.strictSame(
    OBSERVE_FLAGS.filter((flag) => !flags.has(flag)),
    [],
  );
  const switches = observe?.options.filter(
    (option) => !option.required && OBSERVE_FLAGS.includes(option.long?.slice(2) ?? ''),
  );
  t.strictSame(switches?.map(({ long }) => long?.slice(2)).sort(), [...VALUELESS_FLAGS].sort());
});

const COMPLETIONS: readonly (readonly [readonly string[], readonly string[]])[] = [
  [['cap'], ['capture']],
  [
    ['bpf', ''],
    ['policy', 'ct', 'ipcache', 'endpoint', 'metrics', 'frag', 'lb', 'nat', 'egress', 'help'],
  ],
  [['bpf', 'ct', 'list', 'g'], ['global']],
  [
    ['bpf', 'ct', 'list', '--time'],
    ['--time-diff', '--timeout'],
  ],
  [
    ['endpoint', 'list', '-o', ''],
    ['wide', 'name', 'json', 'yaml', 'jsonpath='],
  ],
  [
    ['status', '--color', 'a'],
    ['auto', 'always'],
  ],
  [['observe', '--verdict', 'A'], ['AUDIT']],
  [['monitor', '-t', 'p'], ['policy-verdict']],
  [['observe', '--verdict=DR'], ['--verdict=DROPPED']],
  [['observe', '--from-pod', 'sh'], ['shop/web-0']],
  [['observe', '--pod=db'], ['--pod=db/x']],
  [['get', 'pods', '-n', ''], ['shop']],
  [['get', 'pods', ''], ['pods.default']],
  [['delete', 'netpol', '-n', 'shop', 'a', ''], ['netpol.shop']],
  [['delete', '--namespace=east', 'cnp', ''], ['cnp.east']],
  [['exec', 'sh'], ['shop/web-0']],
  [['exec', 'shop/web-0', '--', 'sta'], []],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['--run-dir', 'apply', 'obs'], ['observe']],
];
for (const [words, wanted] of COMPLETIONS) {
  t.test(`candidates() after: sluice ${words.join(' ')}`, async (t) => {
    const program = await buildProgram(testHost().host, 'all');
    const live = async ({ name, operands, namespace }: Asked) => {
      if (name === 'names') return [`${operands[0]}.${namespace ?? 'default'}`];
      return name.endsWith('pod') ? ['shop/web-0', 'db/x'] : name === 'namespace' ? ['shop'] : [];
    };
    const found = await candidates(program, words, live);
    t.strictSame(
      found.map(({ word }) => word),
      wanted,
    );
  });
}

t.test('docs/cli.md is what the commands say (UPDATE=1 writes it)', async (t) => {
  const path = join(PACKAGE_ROOT, 'docs/cli.md');
  const wanted = reference(await buildProgram(testHost().host, 'all'));
  if (process.env['UPDATE'] === '1') writeFileSync(path, wanted);
  t.equal(readFileSync(path, 'utf8'), wanted);
});

t.test('the names of other programs mean what they mean there, and no more', (t) => {
  const argv = (name: string, line: string) => shimmed(name, line.split(' '));
  t.equal(shimmed('sluice', ['status']), undefined);
  t.equal(shimmed('kubectl-sluice', ['get', 'pods']), undefined);
  t.equal(shimmed('constructor', []), undefined);
  t.strictSame(argv('hubble', 'observe --server x:1 -P -f --pod=a'), { argv: ['observe', '-f', '--pod=a'] });
  t.strictSame(argv('hubble', '--server=x:1 status'), { argv: ['status'] });
  t.strictSame(argv('hubble', 'list nodes -o json'), { argv: ['get', 'nodes', '-o', 'json'] });
  t.strictSame(argv('cilium', 'status --wait'), { argv: ['status', '--wait'] });
  t.strictSame(argv('cilium', 'endpoint list'), { argv: ['endpoint', 'list'] });
  t.match(argv('cilium', 'hubble port-forward'), { say: /nothing to do/ });
  t.match(argv('cilium', 'connectivity test'), { refuse: /^cilium connectivity test: found no such command/ });
  for (const where of [
    'cilium-k6cb4 -n kube-system',
    '-n kube-system ds/cilium',
    '--namespace=kube-system pod/cilium-x1',
  ]) {
    const inside = argv('kubectl', `exec -it ${where} -- hubble observe --last 3`);
    t.strictSame(inside, { argv: ['observe', '--last', '3'] }, where);
  }
  t.strictSame(argv('kubectl-sluice', 'exec -n kube-system ds/cilium -- cilium bpf ct list global'), {
    argv: ['bpf', 'ct', 'list', 'global'],
  });
  t.equal(argv('kubectl', 'exec -n shop cilium-k6cb4 -- hubble observe'), undefined, 'a pod of that name elsewhere');
  t.equal(argv('kubectl', 'exec -n kube-system kube-dns-1 -- hubble observe'), undefined);
  t.equal(argv('sluice', 'exec -n kube-system ds/cilium -- hubble observe'), undefined);
  t.match(argv('hubble', 'record'), { refuse: /wanted one of observe, status/ });
  t.end();
});

t.test('shims install makes links that are ours, and leaves what is there', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-shims-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'cilium'), 'another');
  const program = join(PACKAGE_ROOT, 'package.json');
  for (const round of ['first', 'again']) {
    const { host, stdout, stderr } = testHost();
    installShims(host, folder, { program, kubectl: round === 'again' });
    t.equal(host.exitCode, EXIT.FAILED, round);
    t.match(stdout(), /hubble -> .*package.json\n.*cilium-dbg -> .*\n.*kubectl-sluice -> /);
    t.equal(existsSync(join(folder, 'kubectl')), round === 'again', 'kubectl only where asked for');
    t.match(stderr(), /^error: link .*\/cilium: found a file, wanted no such file/);
  }
  t.equal(readlinkSync(join(folder, 'kubectl')), realpathSync(program));
  t.equal(readlinkSync(join(folder, 'hubble')), realpathSync(program));
  t.equal(readFileSync(join(folder, 'cilium'), 'utf8'), 'another');
});
