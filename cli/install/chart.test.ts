/** The chart as `sluice install` renders it; that Helm renders the same is in chart.long.test.ts. */
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { parseConfig } from '../../daemon/config/config.ts';
import { Failure } from '../terminal/failure.ts';
import { chartObjects, installManifests, uninstallManifests } from './chart.ts';
import { parseTemplate } from './template-parser.ts';
import { TemplateRun } from './template-run.ts';
import { overlaid, schemaProblems, setValues } from './values.ts';

const render = (...sets: string[]) =>
  chartObjects({ namespace: 'kube-system', values: sets.map((text) => setValues(text)) }) as any[];
const configOf = (objects: any[]) => objects.find(({ kind }) => kind === 'ConfigMap').data['sluice.yaml'] as string;
const daemonSet = (objects: any[]) => objects.find(({ kind }) => kind === 'DaemonSet');

t.test('what is installed can be applied in its order, and is taken away in the opposite one', async (t) => {
  const kinds = (text: string) => parseAllDocuments(text).map((one) => (one.toJS() as { kind: string }).kind);
  const release = { namespace: 'x', values: [] };
  const installed = kinds(installManifests(release));
  t.strictSame(
    installed.filter((kind) => kind !== 'CustomResourceDefinition'),
    ['ServiceAccount', 'ConfigMap', 'ClusterRole', 'ClusterRoleBinding', 'DaemonSet'],
  );
  t.strictSame(
    kinds(uninstallManifests(release)),
    ['DaemonSet', 'ClusterRoleBinding', 'ClusterRole', 'ConfigMap', 'ServiceAccount'],
    'policies stay',
  );
  t.equal(daemonSet(parseAllDocuments(installManifests(release)).map((one) => one.toJS())).metadata.namespace, 'x');
});

const CONFIGURATIONS: [name: string, set: string, found: object][] = [
  ['nothing', 'debug.enabled=false', { clusterName: 'default', hubble: { enabled: true } }],
  [
    'enforcement',
    'policyEnforcementMode=always,policyAuditMode=true',
    { policy: { 'enable-policy': 'always', 'policy-audit-mode': true } },
  ],
  [
    'addresses',
    'ipam.operator.clusterPoolIPv4PodCIDRList={10.9.0.0/16},ipv6.enabled=false',
    { podCIDRs: { ipv4: '10.9.0.0/16', ipv6: '' } },
  ],
  ['no masquerading', 'enableIPv4Masquerade=false,enableIPv6Masquerade=false', { masquerade: { mode: 'never' } }],
  [
    'metrics',
    'prometheus.enabled=true,hubble.metrics.enabled={dns,drop}',
    { 'prometheus-serve-addr': ':9962', hubble: { metrics: ['dns', 'drop'], 'metrics-server': ':9965' } },
  ],
  [
    'flows for others',
    'hubble.listenAddress=:4244,hubble.tls.enabled=false',
    { hubble: { 'listen-address': [':4244'], 'disable-tls': true } },
  ],
  [
    'maps',
    'bpf.ctTcpMax=65536,loadBalancer.algorithm=maglev',
    { maps: { 'bpf-ct-global-tcp-max': 65536 }, services: { 'bpf-lb-algorithm': 'maglev' } },
  ],
  [
    'a line of a block, beside what the values say of it',
    'l7Proxy=false,extraConfig.policy.semantics=kubernetes,extraConfig.policy.policy-audit-mode=true',
    { policy: { 'enable-l7-proxy': false, 'policy-audit-mode': true, semantics: 'kubernetes' } },
  ],
  ['lines of its own', 'extraConfig.eventRate=5,hubble.ui.enabled=true', { eventRate: 5, ui: true }],
];
for (const [name, set, found] of CONFIGURATIONS) {
  t.test(`the agent is configured: ${name}`, async (t) => {
    const text = configOf(render(set));
    t.match(JSON.parse(text), found);
    // Where the objects come from is judged where that option is; here everything else is.
    const { kubernetes, ...rest } = JSON.parse(text) as Record<string, unknown>;
    t.equal(kubernetes, 'in-cluster');
    t.doesNotThrow(() => parseConfig(JSON.stringify(rest), 'sluice.yaml'));
  });
}

const REFUSED: [set: string, message: RegExp][] = [
  ['hubble.relay.enabled=true', /^hubble\.relay\.enabled: there is no relay/],
  ['kubeProxyReplacement=false', /^kubeProxyReplacement: false: .*leave it true/],
  ['kubeProxyReplacement=partial', /^kubeProxyReplacement: found partial, wanted true/],
  ['routingMode=tunnel', /^routingMode: tunnel: Sluice makes no tunnels/],
  ['tunnelProtocol=vxlan', /^tunnelProtocol: vxlan/],
  ['ipam.mode=eni', /^ipam\.mode: eni/],
  ['ipam.mode=kubernetes', /^ipam\.mode: kubernetes: .*podCIDRs are not read/],
  ['encryption.enabled=true', /^encryption\.enabled: /],
  ['cni.chainingMode=portmap', /^cni\.chainingMode: portmap: .*sluice cni install --chain/],
  ['loadBalancer.mode=dsr', /^loadBalancer\.mode: dsr/],
  ['hubble.listenAddress=:4244', /needs TLS/],
  ['enableIPv4Masquerade=false', /give both the same value/],
  ['prometheus.port=70000', /^prometheus\.port: found 70000, wanted 1 to 65535/],
  [
    'policyEnforcementMode=sometimes',
    /^policyEnforcementMode: found "sometimes", wanted one of default, always, never/,
  ],
  ['hubble.relay.replicas=2', /^hubble\.relay\.replicas: there is no such value/],
];
for (const [set, message] of REFUSED) {
  t.test(`refused with a sentence: ${set}`, async (t) => {
    t.throws(() => render(set), { message });
    t.throws(() => render(set), Failure);
  });
}

t.test('the paths of the node are those that were given, and the plugin is told of the run directory', async (t) => {
  const { spec } = daemonSet(render('daemon.runPath=/run/other,daemon.statePath=/var/lib/other')).spec.template;
  const paths = Object.fromEntries(spec.volumes.map(({ name, hostPath }: any) => [name, hostPath?.path]));
  t.match(paths, { run: '/run/other', state: '/var/lib/other' });
  t.match(spec.initContainers[0].command.join(' '), /--run-dir \/run\/other\b/);
  t.notMatch(JSON.stringify(daemonSet(render())), /--run-dir/);
});

t.test('pods are made anew when the configuration changes, and only then', async (t) => {
  const sum = (...sets: string[]) =>
    daemonSet(render(...sets)).spec.template.metadata.annotations['checksum/config'] as string;
  t.equal(sum(), sum('operator.replicas=1'));
  t.not(sum(), sum('debug.enabled=true'));
});

t.test('--set as Helm reads it', async (t) => {
  t.strictSame(setValues('a.b=1,a.c=true,d={x,y},e=,f=1.5,g=null'), {
    a: { b: 1, c: true },
    d: ['x', 'y'],
    e: '',
    f: '1.5',
  });
  t.strictSame(setValues('a\\.b=c\\,d'), { 'a.b': 'c,d' });
  t.strictSame(setValues('a=1', true), { a: '1' });
  t.strictSame(setValues('a={}'), { a: [] });
  t.strictSame(setValues('a[0].b=c'), { a: [{ b: 'c' }] });
  t.throws(() => setValues('a'), /wanted NAME=VALUE/);
  t.throws(() => setValues('a[1]=c'), /wanted a list/);
  t.strictSame(overlaid({ a: { b: 1, c: 2 }, d: [1] }, { a: { c: null, e: 3 }, d: [2] }), {
    a: { b: 1, e: 3 },
    d: [2],
  });
});

t.test('a schema names what is wrong by its path', async (t) => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    properties: { a: { type: 'array', items: { type: 'string' } } },
  };
  t.strictSame(schemaProblems(schema, { a: ['x', 1] }), ['a[1]: found 1, wanted string']);
  t.strictSame(schemaProblems(schema, []), ['values: found [], wanted object']);
});

const print = (text: string, dot: unknown = {}) => {
  const template = parseTemplate(text, 'f');
  return new TemplateRun([template]).print(template.body, dot);
};

t.test('templates: white space, choices, loops, variables, definitions', async (t) => {
  t.equal(print('a {{- 1 -}} b'), 'a1b');
  t.equal(print('{{/* }} */}}x'), 'x');
  t.equal(print('{{ if .a }}1{{ else if .b }}2{{ else }}3{{ end }}', { b: true }), '2');
  t.equal(print('{{ range $k, $v := . }}{{ $k }}={{ $v }} {{ end }}', { b: 2, a: 1 }), 'a=1 b=2 ');
  t.equal(print('{{ range list "x" "y" }}{{ . }}{{ end }}{{ with .z }}no{{ else }}none{{ end }}'), 'xynone');
  t.equal(
    print('{{ $d := dict "a" 1 }}{{ if true }}{{ $_ := set $d "b" 2 }}{{ end }}{{ toJson $d }}'),
    '{"a":1,"b":2}',
  );
  t.equal(print('{{ define "n" }}<{{ .x }}>{{ end }}{{ include "n" (dict "x" "y") | quote }}'), '"<y>"');
  t.equal(print('{{ (index .a 1).b }}{{ .no.such }}', { a: [0, { b: 'c' }] }), 'c');
  t.equal(print('{{ dict "a" "<&>" | toJson }}'), '{"a":"\\u003c\\u0026\\u003e"}');
  for (const wrong of ['{{ if 1 }}', '{{ end }}', '{{ 1 | 2 }}', '{{ ( }}', '{{ define "x" }}', '{{ % }}'])
    t.throws(() => print(wrong), SyntaxError, wrong);
  t.throws(() => print('{{ nothing 1 }}'), /there is no function nothing/);
  t.throws(() => print('{{ constructor }}'), /there is no function constructor/);
  t.throws(() => print('{{ $x }}'), /there is no variable \$x/);
  t.equal(parse(print('{{ toYaml . }}', { b: [1], a: 'x: y' })).a, 'x: y');
});
