/**
 * Names end to end: what pods get for a name, from our name server and from one of their own, and when processes die.
 *
 *   <name>-host   sluiced, sluice-dataplane, sluice-dns ── lan0 ── <name>-net   the internet: dnsmasq, a web server
 *     ├── <name>-kube-dns            what pods ask: 10.96.0.10
 *     ├── <name>-default-...         httpbin, backend, client
 *     └── <name>-shop-db-0, db-1     a StatefulSet beneath the headless Service db
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must, mustAll, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { programPath } from '../../linux/programs.ts';
import { DNSMASQ, raiseInternet, serve, startOnline } from '../internet.ts';
import { buildMuslLookup } from '../musl-lookup.ts';
import type { SluiceInstance } from '../rig.ts';

const name = `slnm${process.pid.toString(36).slice(-4)}`;
const [host, net] = [`${name}-host`, `${name}-net`];
const cleanup = new Cleanup();
/** Namespaces of the test's own. */
const MADE = [
  host,
  net,
  ...['none', 'alias', 'mine'].map((one) => `${name}-shop-${one}`),
  `${name}-kube-system-dnsmasq-0`,
];
t.teardown(() => cleanup.finish());
t.jobs = 1;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));

const pod = (place: string, { labels = '', spec = '' } = {}) => {
  const [namespace, podName] = place.split('/');
  return `apiVersion: v1
kind: Pod
metadata: {name: ${podName}, namespace: ${namespace}, labels: {app: ${podName}${labels}}}
spec: {${spec === '' ? 'containers: [{name: c, image: pause}]' : spec}}
---
`;
};
const service = (place: string, spec: string) => {
  const [namespace, serviceName] = place.split('/');
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${serviceName}, namespace: ${namespace}}\nspec: {${spec}}\n---\n`;
};
const BOTH = 'ipFamilyPolicy: RequireDualStack';
const RIG = [
  pod('default/httpbin', { spec: 'containers: [{name: c, image: httpbin, ports: [{containerPort: 8000}]}]' }),
  pod('default/backend', { spec: 'containers: [{name: c, image: echo, ports: [{containerPort: 8080}]}]' }),
  pod('default/client'),
  pod('shop/client'),
  service('default/httpbin', `selector: {app: httpbin}, ports: [{port: 8000}], ${BOTH}`),
  service('default/backend', 'selector: {app: backend}, ports: [{name: http, port: 8080}], clusterIP: 10.96.0.20'),
  service('shop/db', 'selector: {app: db}, clusterIP: None, ports: [{name: sql, port: 5432}]'),
  service('shop/search', 'type: ExternalName, externalName: www.example'),
  `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec: {serviceName: db, replicas: 2, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: pause}]}}}
`,
].join('');
const INTERNET = ['--host-record=www.example,198.51.100.1,fd00:98:2::1', '--txt-record=txt.example,hello', '--port=53'];

/** Looks up names of the cluster and of outside, ten at a time, says how many are done, and in the end which failed. */
const LOOKUPS = `const { Resolver } = require('node:dns').promises;
  const [, count] = process.argv; let next = 0, done = 0; const failed = [];
  const names = ['httpbin.default.svc.cluster.local', 'backend.default.svc.cluster.local', 'www.example'];
  const work = async () => { while (next < count) { const name = names[next++ % 3];
    const resolver = new Resolver({ timeout: 2000, tries: 8 });
    await resolver.resolve4(name).catch((e) => failed.push(name + ' ' + e.code));
    await new Promise((r) => setTimeout(r, 20));
    if (++done % 50 === 0) console.log('done ' + done); } };
  Promise.all(Array.from({ length: 10 }, work)).then(() => console.log('failed: ' + JSON.stringify(failed)));`;

let instance: SluiceInstance;

t.before(async () => {
  await raiseInternet(name, cleanup);
  await serve(net, [...DNSMASQ, '--local=/example/', ...INTERNET], 53, cleanup);
  await serve(net, ['python3', '-m', 'http.server', '80', '-d', folder], 80, cleanup);
  writeFileSync(join(folder, 'rig.yaml'), RIG);
  instance = await startOnline(name, cleanup, join(folder, 'rig.yaml'));
});
t.teardown(() => instance.stop());

const within = (place: string, ...argv: string[]) => instance.inPod(place, argv);
const exec = (...args: string[]) =>
  run([process.execPath, programPath('sluice'), 'exec', '--run-dir', instance.runDir, args[0], '--', ...args.slice(1)]);
const curl = (place: string, url: string) => within(place, 'curl', '-sS', '-m', String(PATIENCE_SEC), url);
/** Records of a name without their times, sorted, or the status. */
async function dig(place: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await within(
    place,
    'dig',
    `+time=${PATIENCE_SEC}`,
    '+tries=1',
    '+noall',
    '+answer',
    '+comments',
    ...args,
  );
  const records = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
  const status = /status: (\w+)/.exec(stdout)?.[1] ?? stdout;
  return records.length === 0 ? [status] : records.map((line) => line.split(/\s+/).slice(3).join(' ')).sort();
}
const addressOf = async (place: string): Promise<string> => {
  const endpoints = (await instance.read('/v1/endpoints')) as { namespace: string; pod: string; ipv4: string }[];
  return endpoints.find((one) => `${one.namespace}/${one.pod}` === place)?.ipv4 ?? '';
};
const namesStatus = async () => (await instance.read('/v1/status')).dns;
const problems = async (): Promise<string[]> => (await instance.read('/v1/status')).problems;

t.test('people reach services by the names that they use', async (t) => {
  t.match(
    (await curl('default/client', 'http://httpbin.default:8000/headers')).stdout,
    /"Host": "httpbin\.default:8000"/,
  );
  t.match((await curl('default/client', 'http://backend:8080/')).stdout, /backend:8080/, 'by its short name');
  t.match((await curl('shop/client', 'http://backend.default.svc:8080/')).stdout, /backend\.default\.svc/);
  t.match((await curl('shop/client', 'http://backend:8080/')).stderr, /Could not resolve host/, 'of another namespace');
  t.equal((await within('default/client', 'curl', '-6', '-sS', 'http://httpbin:8000/status/200')).code, 0, 'over IPv6');
  t.match((await exec('client', 'getent', 'ahostsv4', 'backend')).stdout, /^10\.96\.0\.20 /);
  t.match((await curl('shop/client', 'http://www.example/')).stdout, /Directory listing/, 'of outside');
  t.match((await curl('shop/client', 'http://search/')).stdout, /Directory listing/, 'an ExternalName');
});

t.test('names as the Kubernetes DNS specification has them, over UDP and TCP, IPv4 and IPv6', async (t) => {
  const [db0, db1] = [await addressOf('shop/db-0'), await addressOf('shop/db-1')];
  const dashed = db0.replace(/\./g, '-');
  const zone = 'svc.cluster.local';
  const cases: readonly (readonly [args: string[], wanted: string[]])[] = [
    [[`backend.default.${zone}`], ['A 10.96.0.20']],
    [[`backend.default.${zone}`, 'AAAA'], ['NOERROR']],
    [[`nobody.default.${zone}`], ['NXDOMAIN']],
    [[`_http._tcp.backend.default.${zone}`, 'SRV'], [`SRV 0 100 8080 backend.default.${zone}.`]],
    [['-x', '10.96.0.20'], [`PTR backend.default.${zone}.`]],
    [[`db.shop.${zone}`], [`A ${db0}`, `A ${db1}`].sort()],
    [[`db-0.db.shop.${zone}`], [`A ${db0}`]],
    [['-x', db1], [`PTR db-1.db.shop.${zone}.`]],
    [[`${dashed}.shop.pod.cluster.local`], [`A ${db0}`]],
    [['1-2-3-4.shop.pod.cluster.local'], ['NXDOMAIN']],
    [[`search.shop.${zone}`, 'CNAME'], ['CNAME www.example.']],
    [['www.example'], ['A 198.51.100.1']],
    [['www.example', 'AAAA'], ['AAAA fd00:98:2::1']],
    [['txt.example', 'TXT'], ['TXT "hello"']],
    [['nowhere.example'], ['NXDOMAIN']],
  ];
  for (const how of [['+notcp'], ['+tcp'], ['@fd00:10:96::a']]) {
    for (const [args, wanted] of cases)
      t.same(await dig('shop/client', ...how, ...args), wanted, [...how, ...args].join(' '));
  }
  const srv = await dig('shop/client', `_sql._tcp.db.shop.${zone}`, 'SRV');
  t.same(
    srv.map((line) => line.split(' ').at(-1)),
    [`db-0.db.shop.${zone}.`, `db-1.db.shop.${zone}.`],
  );
});

t.test('the resolvers of glibc, musl and busybox, and a pod that knows its own name', async (t) => {
  t.match((await within('default/client', 'getent', 'ahosts', 'httpbin')).stdout, /^fd00:10:96::.*[^]*^10\.96\./m);
  t.match((await within('default/client', 'getent', 'hosts', 'client')).stdout, /^10\.244\.0\.|^fd00:10:244::/);
  t.match((await within('shop/db-1', 'getent', 'hosts', 'db-1')).stdout, / db-1\.db\.shop\.svc\.cluster\.local/);
  t.match(
    (await within('default/client', 'busybox', 'nslookup', 'backend.default.svc.cluster.local')).stdout,
    /10\.96\.0\.20/,
  );
  t.match((await within('default/client', 'busybox', 'wget', '-qO-', 'http://backend:8080/')).stdout, /backend:8080/);
  t.equal((await exec('client', 'hostname')).stdout, 'client\n');
  t.equal((await exec('shop/db-1', 'hostname', '-f')).stdout, 'db-1.db.shop.svc.cluster.local\n');
  t.not((await run(['hostname'])).stdout, 'db-1\n', 'the machine has its own');
  const look = await buildMuslLookup(folder);
  for (const [asked, wanted] of [
    ['backend', '10.96.0.20'],
    ['backend.default', '10.96.0.20'],
    ['www.example', '198.51.100.1'],
  ])
    t.equal((await within('default/client', look, asked)).stdout.trim(), wanted, `musl: ${asked}`);
  t.equal((await within('default/client', look, 'nobody')).code, 1);
});

t.test('dnsPolicy, dnsConfig and hostAliases of a pod, and a file of its owner', async (t) => {
  const mine = `/etc/netns/${name}-shop-mine`;
  mkdirSync(mine, { recursive: true });
  cleanup.add(() => rmSync(mine, { recursive: true, force: true }));
  writeFileSync(join(mine, 'resolv.conf'), 'nameserver 203.0.113.1\n');
  const pods = [
    pod('shop/none', { spec: 'dnsPolicy: None, dnsConfig: {nameservers: [203.0.113.1], searches: [example]}' }),
    pod('shop/alias', { spec: 'hostAliases: [{ip: 203.0.113.9, hostnames: [api.example, api]}]' }),
    pod('shop/mine'),
  ];
  const netns = MADE.slice(2, 5);
  for (const one of netns) cleanup.command('ip', 'netns', 'del', one);
  await mustAll(netns.map((one) => `ip netns add ${one}`).join('\n'));
  await instance.send(pods.join(''));
  await instance.untilReady(['shop/none', 'shop/alias', 'shop/mine']);
  t.match((await curl('shop/none', 'http://www/')).stdout, /Directory listing/);
  t.match((await curl('shop/none', 'http://backend.default:8080/')).stderr, /Could not resolve host/);
  t.match((await within('shop/alias', 'getent', 'hosts', 'api')).stdout, /^203\.0\.113\.9 /);
  t.match((await curl('shop/mine', 'http://backend.default.svc.cluster.local:8080/')).stderr, /Could not resolve host/);
  await instance.send(pods.join(''), 'delete');
  await waitFor('the files of pods to go', () => !existsSync(`/etc/netns/${name}-shop-alias`));
  t.same(readdirSync(mine), ['resolv.conf'], "the owner's file stays, ours has gone");
});

const policy = (egress: string) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: names, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: client}}
  egress:
    - toEndpoints: [{matchLabels: {app: backend, "k8s:io.kubernetes.pod.namespace": default}}]
${egress}
`;
const KUBE_DNS = '"k8s:io.kubernetes.pod.namespace": kube-system, k8s-app: kube-dns';

t.test('names are a matter of policy as with CoreDNS', async (t) => {
  const url = 'http://backend.default:8080/';
  const short = (place: string) => within(place, 'curl', '-sS', '-m', '3', url);
  await instance.send(policy(''));
  t.match((await short('shop/client')).stderr, /Could not resolve host|Resolving timed out/, 'forbidden');
  t.match((await short('default/client')).stdout, /backend/, 'to this pod only');
  const labels = `    - toEndpoints: [{matchLabels: {${KUBE_DNS}}}]\n      toPorts: [{ports: [{port: "53", protocol: ANY}]`;
  await instance.send(policy(`${labels}}]`));
  t.match((await curl('shop/client', url)).stdout, /backend/, 'allowed by the labels of kube-dns');
  await instance.send(policy(`${labels}, rules: {dns: [{matchPattern: "*.default.svc.cluster.local"}]}}]`));
  t.match(await dig('shop/client', 'backend.default.svc.cluster.local'), ['A 10.96.0.20']);
  t.same(await dig('shop/client', 'www.example'), ['REFUSED'], 'a DNS rule');
  await instance.send(`apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: kube-system}
spec: {podSelector: {matchLabels: {k8s-app: kube-dns}}, policyTypes: [Ingress]}
`);
  t.match(
    (await short('default/client')).stderr,
    /Could not resolve host|Resolving timed out/,
    'policy of kube-dns itself',
  );
  await instance.send(
    '{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: kube-system}}',
    'delete',
  );
  await instance.send(policy(''), 'delete');
  t.match((await curl('shop/client', url)).stdout, /backend/);
});

t.test("a name server of the user's own takes the place of ours, and gives it back", async (t) => {
  const before = await namesStatus();
  t.match(before, { servedBy: 'sluice-dns', addresses: ['10.96.0.10', 'fd00:10:96::a'], server: { state: 'running' } });
  t.ok(before.zoneServices > 3, `${before.zoneServices} Services in its zone`);
  const command = [...DNSMASQ, '--local=/example/', '--address=/backend.default.svc.cluster.local/10.9.9.9'];
  const theirs = join(folder, 'theirs.yaml');
  const container = `{name: c, command: ${JSON.stringify(command)}, ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}]}`;
  const ports = '[{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]';
  writeFileSync(
    theirs,
    `apiVersion: apps/v1
kind: Deployment
metadata: {name: dnsmasq, namespace: kube-system}
spec: {template: {metadata: {labels: {k8s-app: kube-dns}}, spec: {containers: [${container}]}}}
---
${service('kube-system/kube-dns', `selector: {k8s-app: kube-dns}, ports: ${ports}, clusterIP: 10.96.0.10`)}`,
  );
  const { code, stderr } = await instance.cli('rig', 'up', '-f', theirs);
  t.equal(code, 0, stderr);
  await waitFor('ours to have gone', async () => (await namesStatus()).server.state === 'off');
  t.same(await dig('default/client', 'backend.default.svc.cluster.local'), ['A 10.9.9.9']);
  t.match(await namesStatus(), { servedBy: 'kube-system/kube-dns', addresses: ['10.96.0.10'] });
  await waitFor('its namespace to have gone', () => !existsSync(`/run/netns/${name}-kube-dns`));
  t.equal((await instance.cli('rig', 'down', '-f', theirs)).code, 0);
  await waitFor('ours to be back', async () => (await namesStatus()).server.state === 'running');
  await instance.untilReady(['kube-system/kube-dns']);
  t.same(await dig('default/client', 'backend.default.svc.cluster.local'), ['A 10.96.0.20']);
});

t.test('kill -9 of any process during 1,000 lookups: all are answered', async (t) => {
  const victims: readonly (readonly [string, () => Promise<number>])[] = [
    ['sluice-dns', async () => (await namesStatus()).server.pid],
    ['sluice-dataplane', async () => (await instance.read('/v1/status')).dataplane.pid],
    ['sluiced', async () => instance.agent.pid],
  ];
  for (const [victim, pidOf] of victims) {
    const pid = await pidOf();
    const lookups = start(inNetns(instance.netnsOf('shop/client'), [process.execPath, '-e', LOOKUPS, '1000']));
    cleanup.add(() => lookups.child.kill('SIGKILL'));
    await waitFor('some lookups', () => lookups.output().includes('done 200'));
    process.kill(pid, 'SIGKILL');
    await waitFor('the lookups', () => lookups.output().includes('failed: '));
    t.match(lookups.output(), /done 1000\n[^]*failed: \[\]/, victim);
    if (victim !== 'sluiced') continue;
    const server = JSON.parse(readFileSync(join(instance.runDir, 'state/name-server.json'), 'utf8')).value
      .pid as number;
    await instance.restartAgent();
    await waitFor('the name server to be taken over', async () => (await namesStatus()).server.isAdopted === true);
    t.equal((await namesStatus()).server.pid, server);
    process.kill(server, 'SIGKILL');
    t.same(
      await dig('shop/client', 'backend.default.svc.cluster.local'),
      ['A 10.96.0.20'],
      'with sockets of one that it adopted',
    );
  }
  t.same(await problems(), []);
});

t.test('what changes is found by name within a moment', async () => {
  await instance.send(service('shop/late', 'clusterIP: 10.96.0.77, ports: [{port: 80}]'));
  await waitFor(
    'the new name',
    async () => (await dig('shop/client', 'late.shop.svc.cluster.local'))[0] === 'A 10.96.0.77',
  );
  await instance.send(service('shop/late', 'clusterIP: 10.96.0.77, ports: [{port: 80}]'), 'delete');
  await waitFor('its end', async () => (await dig('shop/client', 'late.shop.svc.cluster.local'))[0] === 'NXDOMAIN');
});

t.test('servers outside that do not answer are a problem, once somebody asked in vain', async (t) => {
  await must(['ip', '-n', net, 'link', 'set', 'eth0', 'down']);
  t.same(await dig('shop/client', 'other.example'), ['SERVFAIL']);
  await waitFor('the problem to be told', async () =>
    (await problems()).some((text) => text.includes('203.0.113.1#53')),
  );
  t.same(await dig('shop/client', 'backend.default.svc.cluster.local'), ['A 10.96.0.20'], 'our own names go on');
  await must(['ip', '-n', net, 'link', 'set', 'eth0', 'up']);
});

t.test('a crash and cleanup leave nothing, and neither does a clean stop', async (t) => {
  const ours = () =>
    [...['/etc/netns', '/run/netns'].flatMap((path) => (existsSync(path) ? readdirSync(path) : []))].filter(
      (entry) => entry.startsWith(`${name}-`) && !MADE.includes(entry),
    );
  const left = async () => (await run(['pgrep', '-f', `sluice-dns.cjs --run-dir ${instance.runDir}$`])).stdout;
  t.not(await left(), '');
  for (const pid of [instance.agent.pid, ...instance.dataplanePids()]) process.kill(pid, 'SIGKILL');
  await instance.untilAgentEnded();
  const cleanUp = [process.execPath, programPath('sluice'), 'cleanup', '--run-dir', instance.runDir];
  const { code, stdout, stderr } = await run(['nsenter', `--net=/run/netns/${host}`, ...cleanUp]);
  t.equal(code, 0, stderr);
  t.match(stdout, /removed name server process \d+/);
  t.same(ours(), []);
  t.equal(await left(), '');
  t.equal(existsSync(instance.runDir), false);
  await instance.restartAgent();
  await waitFor('a name server', async () => (await namesStatus()).server.state === 'running');
  await instance.stop();
  t.same(ours(), []);
  t.equal(await left(), '');
  t.equal(existsSync(instance.runDir), false);
});
