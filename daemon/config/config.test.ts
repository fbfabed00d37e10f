import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ConfigError, isMasquerading, loadConfig, parseConfig } from './config.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import type { Option } from './option.ts';
import { OPTIONS } from './schema.ts';
import { LIVE_OPTIONS } from '../runtime-settings.ts';

function problemsOf(text: string, overrides: Record<string, unknown> = {}): readonly Problem[] {
  try {
    parseConfig(text, 'sluice.yaml', overrides);
  } catch (error) {
    return (error as ConfigError).problems;
  }
  return [];
}

t.test('loadConfig() without a file gives defaults that work', async (t) => {
  const config = loadConfig();
  t.equal(config.name, 'sluice');
  t.equal(config.runDir, '/run/sluice');
  t.strictSame(config.router, { ipv4: '10.244.0.1', ipv6: 'fd00:10:244::1' });
  t.equal(config.policy['enable-policy'], 'default');
  t.equal(config.maps['bpf-ct-global-tcp-max'], 524288);
  t.equal(config.uplink, undefined);
  t.equal(config.uplinkMode, 'host');
});

t.test('parseConfig() reads what the file says and keeps the other defaults', async (t) => {
  const config = parseConfig(
    'name: red\npodCIDRs: {ipv4: 10.9.0.0/24}\nuplink:\n  interface: eth1\n  gateway4: 192.0.2.1\npolicy:\n  enable-policy: always\n',
    'sluice.yaml',
  );
  t.match(config, { name: 'red', runDir: '/run/red', podCIDRs: { ipv4: '10.9.0.0/24', ipv6: 'fd00:10:244::/64' } });
  t.strictSame(config.uplink, {
    interface: 'eth1',
    gateway4: '192.0.2.1',
    gateway6: '',
    prefixes: [],
  });
  t.equal(config.uplinkMode, 'interface');
  t.equal(isMasquerading(config), false, 'pods keep their addresses there, unless told');
  t.equal(config.policy['enable-policy'], 'always');
});

const WRONG: [name: string, text: string, path: string, line: number, column: number, message: RegExp, hint?: RegExp][] = [
  ['an unknown option', 'mtu: 1500\nmanifest: /x\n', 'manifest', 2, 1, /unknown field "manifest"/, /did you mean "manifests"\?/],
  ['an unknown nested option', 'policy:\n  enable-polcy: always\n', 'policy.enable-polcy', 2, 3, /"enable-polcy"/, /did you mean "enable-policy"\?/],
  ['a wrong type', 'mtu: wide\n', 'mtu', 1, 6, /found the string "wide", wanted an integer from 576 to 65521/],
  ['a value out of range', 'mtu: 9\n', 'mtu', 1, 6, /found 9, wanted an integer from 576/],
  ['a word that is no choice', 'attach: bridge\n', 'attach', 1, 9, /found "bridge", wanted one of veth, tap, pcap/],
  ['host bits in a range', 'podCIDRs:\n  ipv4: 10.244.0.1/16\n', 'podCIDRs.ipv4', 2, 9, /10\.244\.0\.0\/16 \(host bits must be zero\)/],
  ['a range of the other family', 'podCIDRs: {ipv4: "fd00::/64"}\n', 'podCIDRs.ipv4', 1, 18, /an IPv4 range/],
  ['a router outside the range', 'router: {ipv4: 192.0.2.1}\n', 'router.ipv4', 1, 16, /inside 10\.244\.0\.0\/16/],
  ['a number where a text belongs', 'clusterName: 7\n', 'clusterName', 1, 14, /found the number "?7"?, wanted a string/],
  ['an item of a list', 'uplink: {prefixes: [10.0.0.0/8, x]}\n', 'uplink.prefixes[1]', 1, 33, /found "x", wanted/],
  ['a pattern that is none', 'policy: {labels: ["k8s:.*", "("]}\n', 'policy.labels[1]', 1, 29, /found "\(", wanted .*a regular expression/],
  ['a word in a list', 'policy: {policy-cidr-match-mode: [cars]}\n', 'policy.policy-cidr-match-mode[0]', 1, 35, /wanted one of nodes, pods/],
  ['a zone', 'router: {ipv6: "fe80::1%eth0"}\n', 'router.ipv6', 1, 16, /an IPv6 address/],
  ['a list where a mapping belongs', 'policy: [a]\n', 'policy', 1, 9, /found a list, wanted a map/],
  ['a name that is too long', 'name: very-long-name\n', 'name', 1, 7, /at most 10/],
  ['an event ring that is no power of two', 'maps:\n  bpf-events-map-max: 1000\n', 'maps.bpf-events-map-max', 2, 23, /power of two/],
  ['YAML that does not parse', 'name: [a\n', '', 2, 1, /read YAML: ./],
  ['the same option twice', 'mtu: 1500\nmtu: 1400\n', '', 2, 1, /found a key that is there already/],
  ['a stand-in that is no list', 'standIns: {nginx: echo}\n', 'standIns.nginx', 1, 19, /found .*"echo", wanted a list/],
  ['a stand-in with a number', 'standIns:\n  a: [x, 80]\n', 'standIns.a[1]', 2, 10, /found the number "?80"?, wanted a string/],
  ['two ways out', 'uplink: {mode: host, interface: eth1}\n', 'uplink.mode', 1, 16, /beside uplink\.interface, wanted one way out/],
  ['the host without its port', 'hostPort: false\nuplink: {mode: host}\n', 'uplink.mode', 2, 16, /wanted the host to have a port/],
  ['a name server that is none', 'dns: {upstreams: ["192.0.2.1:53", "2001:db8::1:53", "[2001:db8::1]:53", dns.example]}\n', 'dns.upstreams[3]', 1, 73, /ADDRESS:PORT/],
  ['more name servers than are asked', `dns: {upstreams: [${Array(17).fill('192.0.2.1').join()}]}\n`, 'dns.upstreams', 1, 18, /found 17, wanted at most 16/],
  ['a domain with a final dot', 'dns: {domain: cluster.local.}\n', 'dns.domain', 1, 15, /without a final dot/],
  ['a number that is no duration', 'policy: {tofqdns-proxy-response-max-delay: "100"}\n', 'policy.tofqdns-proxy-response-max-delay', 1, 44, /a duration such as 100ms, up to 10s/],
  ['a duration that is too long', 'policy: {tofqdns-idle-connection-grace-period: 1h30m24h}\n', 'policy.tofqdns-idle-connection-grace-period', 1, 48, /up to 24h/],
  ['a range that is none', 'masquerade: {ports: 65000-61000}\n', 'masquerade.ports', 1, 21, /FIRST-LAST/],
  ['a gateway without an interface', 'uplink: {gateway4: 192.0.2.1}\n', 'uplink', 1, 9, /set uplink\.interface/],
]; // biome-ignore format: a table

for (const [name, text, path, line, column, message, hint] of WRONG) {
  t.test(`parseConfig() reports ${name} with its place`, async (t) => {
    const [problem] = problemsOf(text);
    t.match(problem, { file: 'sluice.yaml', path, line, column, message, ...(hint !== undefined && { hint }) });
  });
}

t.test('parseConfig() reports every problem, not the first', async (t) => {
  t.equal(problemsOf('mtu: x\nattach: y\nnosuch: 1\nlogLevel: loud\n').length, 4);
});

t.test('parseConfig() lays overrides over the file and checks them alike', async (t) => {
  t.equal(parseConfig('mtu: 1400\n', 'f', { mtu: 9000 }).mtu, 9000);
  t.equal(parseConfig('', 'f', { 'policy.enable-policy': 'never' }).policy['enable-policy'], 'never');
  t.match(problemsOf('', { mtu: 1 }), [
    { file: 'command line', line: 0, path: 'mtu', message: /found 1, wanted an integer/ },
  ]);
  t.equal(parseConfig('', 'f', { 'podCIDRs.ipv6': null }).podCIDRs.ipv6, '', '--set podCIDRs.ipv6=');
  t.equal(parseConfig('podCIDRs: {ipv4: 10.9.0.0/24}', 'f', { 'podCIDRs.ipv6': '' }).podCIDRs.ipv4, '10.9.0.0/24');
  t.match(problemsOf('', { mtu: null }), [{ path: 'mtu', message: /found the string "", wanted an integer/ }]);
  t.match(problemsOf('', { policy: 1 }), [{ path: 'policy', message: /wanted a map/ }]);
  t.match(problemsOf('', { '__proto__.x': 1 }), [{ message: /unknown field "__proto__"/ }]);
  t.match(problemsOf('', { 'policy.x': 'y' }), [
    { path: 'policy.x', message: /found unknown field "x"/, hint: /enable-policy/ },
  ]);
});

t.test('loadConfig() names the file it cannot read', async (t) => {
  t.throws(
    () => loadConfig('/nonexistent/sluice.yaml'),
    /\/nonexistent\/sluice\.yaml: error: read configuration: found ENOENT/,
  );
  const file = join(mkdtempSync('/tmp/sldae-'), 'sluice.yaml');
  writeFileSync(file, 'logLevel: debug\n');
  t.equal(loadConfig(file).logLevel, 'debug');
  t.teardown(() => import('node:fs').then(({ rmSync }) => rmSync(join(file, '..'), { recursive: true })));
});

/** The rows of the table in docs/configuration.md. */
function rows(options: Readonly<Record<string, Option>>, prefix = ''): string[] {
  return Object.entries(options).flatMap(([name, option]) => {
    const path = `${prefix}${name}`;
    if (option.type === 'commands') return [`| \`${path}\` | {} | ${option.meaning} |`];
    if (option.type === 'map')
      return [`| **${path}** |  | ${option.meaning} |`, ...rows(option.options ?? {}, `${path}.`)];
    const fallback = Array.isArray(option.fallback) ? JSON.stringify(option.fallback) : String(option.fallback ?? '');
    const values = 'values' in option && option.values !== undefined ? ` (${option.values.join(', ')})` : '';
    const range = option.type === 'integer' ? ` (${option.min} to ${option.max})` : '';
    return [`| \`${path}\` | ${fallback} | ${option.meaning}${values}${range} |`];
  });
}

t.test('docs/configuration.md names the options that SIGHUP brings into force, and no other', async (t) => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/configuration.md'), 'utf8');
  const sentence = /SIGHUP reads the file again\. At once count (.*?), and `manifests`/s.exec(text)?.[1] ?? '';
  const named = [...sentence.matchAll(/`([^`]+)`/g)].map(([, option]) =>
    option.replace('monitor-aggregation', 'aggregation'),
  );
  t.same(named.toSorted(), [...LIVE_OPTIONS].toSorted());
});

t.test('stand-ins are commands by pattern, none unless told', async (t) => {
  t.strictSame(loadConfig().standIns, {});
  const text = 'standIns:\n  shop/*-api: [node, /srv/api.mjs]\n  quiet: []\n';
  t.strictSame(parseConfig(text, 'f').standIns, { 'shop/*-api': ['node', '/srv/api.mjs'], quiet: [] });
});

t.test('docs/configuration.md has every option as the schema has it (UPDATE=1 writes it)', async (t) => {
  const path = join(import.meta.dirname, '../../../docs/configuration.md');
  const text = readFileSync(path, 'utf8');
  const table = `| option | default | meaning |\n|---|---|---|\n${rows(OPTIONS).join('\n')}\n`;
  const start = text.indexOf('| option |');
  const end = text.indexOf('\n\n', start) < 0 ? text.length : text.indexOf('\n\n', start) + 1;
  if (process.env['UPDATE'] === '1') writeFileSync(path, text.slice(0, start) + table + text.slice(end));
  else t.equal(text.slice(start, end), table);
});

t.test(
  'where flows are served: loopback as it is, other addresses with TLS or with a word that they shall be without',
  async (t) => {
    const isRefused = (hubble: string) => problemsOf(`hubble: { ${hubble} }\n`).length > 0;
    const tls = 'tls-cert-file: /a, tls-key-file: /b';
    const good = [
      'listen-address: ["127.0.0.1:4245", "[::1]:1", "localhost:65535"]',
      `listen-address: [":4244", "10.0.0.1:4244", "[fd00::1]:4244"], ${tls}, tls-client-ca-files: [/c]`,
      'listen-address: [":4244"], disable-tls: true',
    ];
    for (const text of good) t.notOk(isRefused(text), text);
    const bad = [
      'listen-address: [":4244"]',
      'listen-address: ["10.0.0.1:4244"]',
      `listen-address: ["4244"]`,
      'listen-address: ["127.0.0.1:0"]',
      'listen-address: ["127.0.0.1:65536"]',
      'listen-address: ["[127.0.0.1]:1"]',
      'listen-address: ["fd00::1:4244"]',
      'listen-address: ["example.org:4244"]',
      'tls-cert-file: /a',
      'tls-key-file: /b',
      'tls-client-ca-files: [/c]',
      `${tls}, disable-tls: true`,
      'tls-cert-file: a, tls-key-file: /b',
    ];
    for (const text of bad) t.ok(isRefused(text), text);
  },
);

t.test('the page: loopback as it is, other addresses with TLS and a token, changes with a token', async (t) => {
  const isRefused = (text: string) => problemsOf(`ui: true\n${text}\n`).length > 0;
  const tls = 'ui-tls-cert: /a\nui-tls-key: /b';
  const token = 'ui-token-file: /t';
  const afar = 'ui-address: 0.0.0.0:443';
  for (const text of ['', 'ui-address: "[::1]:1"', tls, token, `ui-write: true\n${token}`, `${afar}\n${tls}\n${token}`])
    t.notOk(isRefused(text), text);
  const bad = [
    afar,
    `${afar}\n${tls}`,
    `${afar}\n${token}`,
    'ui-address: ":443"',
    'ui-address: ""',
    'ui-address: example.org:1',
  ];
  bad.push(
    'ui-tls-cert: /a',
    'ui-tls-key: /b',
    'ui-write: true',
    'ui-token-file: t',
    'ui-hosts: ["a:1"]',
    'ui-hosts: ["*"]',
  );
  for (const text of bad) t.ok(isRefused(text), text);
  t.equal(parseConfig('', 'f').ui, false, 'off, unless it is asked for');
});
