/**
 * sluice-dns alone, with real clients and real servers: dig, getent, dnsperf and unbound ask it, dnsmasq and unbound are asked by it.
 *
 *   <name>-pod ── 10.77.0.0/24 ── <name>-dns ── 10.78.0.0/24 ── <name>-host
 *    clients                      port 53, both                 sluice-dns runs here, beside dnsmasq and unbound on loopback,
 *                                 families, no process          which play the internet
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { closeFd } from '../../dataplane/native/index.ts';
import type { ZoneFile } from '../../nameserver/zone-file.ts';
import { type Background, Cleanup, inNetns, must, mustAll, run, start, waitFor } from '../command.ts';
import { CLUSTER } from '../name-server.ts';
import { NameServerProcess } from '../name-server-process.ts';

const name = `slnx${process.pid.toString(36)}`;
const [pod, dns, host] = ['pod', 'dns', 'host'].map((part) => `${name}-${part}`);
const SERVER = { v4: '10.77.0.10', v6: 'fd77::10' };
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const dir = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));

for (const netns of [pod, dns, host]) {
  cleanup.command('ip', 'netns', 'del', netns);
  await mustAll(`ip netns add ${netns}
    ip -n ${netns} link set lo up`);
}
await mustAll(`
  ip -n ${dns} link add eth0 type veth peer name eth0 netns ${pod}
  ip -n ${dns} link add eth1 type veth peer name eth0 netns ${host}
  ip -n ${dns} address add ${SERVER.v4}/24 dev eth0
  ip -n ${dns} address add ${SERVER.v6}/64 dev eth0 nodad
  ip -n ${dns} address add 10.78.0.1/24 dev eth1
  ip -n ${pod} address add 10.77.0.2/24 dev eth0
  ip -n ${pod} address add fd77::2/64 dev eth0 nodad
  ip -n ${host} address add 10.78.0.2/24 dev eth0
  ip -n ${dns} link set eth0 up
  ip -n ${dns} link set eth1 up
  ip -n ${pod} link set eth0 up
  ip -n ${host} link set eth0 up
  ip -n ${host} route add 10.77.0.0/24 via 10.78.0.1`);

/** Writes the resolv.conf that `ip netns exec` puts in the place of the machine's; a running process sees what is written into it. */
function writeResolvConf(netns: string, text: string): void {
  const folder = `/etc/netns/${netns}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'resolv.conf'), text);
}
for (const netns of [pod, host]) cleanup.add(() => rmSync(`/etc/netns/${netns}`, { recursive: true, force: true }));
writeResolvConf(host, 'nameserver 127.0.0.1\n');
const SEARCH = 'search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n';
writeResolvConf(pod, `nameserver ${SERVER.v4}\n${SEARCH}`);

const QUERIES = join(dir, 'queries.log');
writeFileSync(QUERIES, '');
const dnsmasq = (address: string, ...more: string[]): Background =>
  start(
    inNetns(host, [
      ...'dnsmasq --keep-in-foreground --no-daemon --user=root --group= --no-resolv --no-hosts --pid-file='.split(' '),
      ...['--bind-interfaces', `--listen-address=${address}`, '--log-queries', `--log-facility=${QUERIES}`],
      ...more,
    ]),
  );
const internetOf = (ttlSec: number) => [
  `--local-ttl=${ttlSec}`,
  '--local=/test/',
  '--host-record=www.test,192.0.2.10,2001:db8::10',
  '--host-record=www.example.com,192.0.2.80',
  '--address=/other.test/192.0.2.11',
  '--txt-record=short.test,short',
  ...Array.from({ length: 200 }, (_, i) => `--host-record=many.test,198.51.100.${i + 1}`),
];
let internet = dnsmasq('127.0.0.1', ...internetOf(300));
cleanup.add(() => internet.child.kill('SIGKILL'));

const server = new NameServerProcess({
  name,
  cleanup,
  netns: host,
  service: { netns: dns, addresses: [SERVER.v4, SERVER.v6], port: 53 },
});
const ZONE: ZoneFile = { ...CLUSTER, upstreams: 'host' };
server.writeZone(ZONE);
server.start();

const dig = async (...argv: string[]) =>
  (await must(inNetns(pod, ['dig', '+time=10', '+tries=1', `@${SERVER.v4}`, ...argv]))).trim();
const short = async (...argv: string[]) => (await dig('+short', ...argv)).split('\n').sort();
const asked = (what: string) =>
  readFileSync(QUERIES, 'utf8')
    .split('\n')
    .filter((line) => line.includes('query[') && line.includes(what)).length;
await waitFor(
  'dnsmasq',
  async () => (await run(inNetns(host, ['dig', '+short', '@127.0.0.1', 'www.test']))).code === 0,
);

t.test('dig: every kind of record, over UDP and TCP, IPv4 and IPv6', async (t) => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['kubernetes.default.svc.cluster.local A', ['10.96.0.1']],
    ['kubernetes.default.svc.cluster.local AAAA', ['fd00:10:96::1']],
    ['_https._tcp.kubernetes.default.svc.cluster.local SRV', ['0 100 443 kubernetes.default.svc.cluster.local.']],
    ['db.default.svc.cluster.local A', ['10.0.0.7', '10.0.0.8']],
    ['db-0.db.default.svc.cluster.local A', ['10.0.0.7']],
    ['10-0-0-7.default.pod.cluster.local A', ['10.0.0.7']],
    ['-x 10.96.0.1', ['kubernetes.default.svc.cluster.local.']],
    ['-x fd00:10:96::1', ['kubernetes.default.svc.cluster.local.']],
    ['dns-version.cluster.local TXT', ['"1.1.0"']],
    ['search.default.svc.cluster.local A', ['192.0.2.80', 'www.example.com.']],
    ['www.test A', ['192.0.2.10']],
    ['www.test AAAA', ['2001:db8::10']],
    ['no.default.svc.cluster.local A', ['']],
  ];
  for (const [question, answers] of cases) {
    const words = question.split(' ');
    t.strictSame(await short(...words), answers, question);
    t.strictSame(await short('+tcp', ...words), answers, `${question} over TCP`);
  }
  t.strictSame(await short(`@${SERVER.v6}`, 'db.default.svc.cluster.local'), ['10.0.0.7', '10.0.0.8']);
  t.strictSame(await short(`@${SERVER.v6}`, '+tcp', 'www.test'), ['192.0.2.10']);
});

t.test('dig: EDNS, truncation, refusals and errors as it knows them', async (t) => {
  t.match(
    await dig('+noedns', 'kubernetes.default.svc.cluster.local'),
    /flags: qr aa rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0/,
  );
  t.match(await dig('kubernetes.default.svc.cluster.local'), /EDNS: version: 0, flags:; udp: 1232/);
  t.match(await dig('+edns=1', '+noednsnegotiation', 'www.test'), /status: BADVERS/);
  t.match(await dig('+ignore', 'many.test'), /flags: qr tc/);
  t.equal((await short('many.test')).length, 200, 'and over TCP whole');
  t.match(await dig('+opcode=update', 'www.test'), /status: NOTIMP/);
  t.match(await dig('-c', 'CH', 'version.bind', 'TXT'), /status: REFUSED/);
  t.match(await dig('cluster.local', 'AXFR'), /Transfer failed/);
  t.match(await dig('+norecurse', 'www.test'), /status: REFUSED/);
  t.match(await dig('www.test', 'ANY'), /HINFO\s+"RFC8482"/);
  t.match(await dig('KuBeRnEtEs.DeFaUlT.svc.cluster.local'), /KuBeRnEtEs\.DeFaUlT\.svc\.cluster\.local\. 5\s+IN\s+A/);
});

t.test('getent, with search paths and ndots: only names that are elsewhere leave', async (t) => {
  const getent = async (...argv: string[]) => (await must(inNetns(pod, ['getent', ...argv]))).trim().split(/\s+/)[0];
  t.equal(await getent('ahostsv4', 'kubernetes'), '10.96.0.1');
  t.equal(await getent('ahostsv4', 'kube-dns.kube-system'), '10.96.0.10');
  t.equal(await getent('ahostsv4', 'kubernetes.default.svc'), '10.96.0.1');
  t.equal(await getent('ahostsv4', 'other.test'), '192.0.2.11');
  const [, reverse] = (await must(inNetns(pod, ['getent', 'hosts', '10.96.0.1']))).trim().split(/\s+/);
  t.equal(reverse, 'kubernetes.default.svc.cluster.local');
  t.equal(asked('cluster.local'), asked('probe-'), 'of ours only what looks for loops was asked');
  t.equal(asked('other.test'), 1);
});

t.test('what is cached is asked for once, and TTLs count down', async (t) => {
  const before = asked('cached.other.test');
  for (let i = 0; i < 20; i++) t.strictSame(await short('cached.other.test'), ['192.0.2.11']);
  t.equal(asked('cached.other.test') - before, 1);
  await waitFor('a lower TTL', async () => /\s29\d\s+IN\s+A/.test(await dig('+noall', '+answer', 'cached.other.test')));
});

t.test('dnsperf while the zone is rewritten: nothing is lost, nothing is worse', async (t) => {
  const file = join(dir, 'queries.txt');
  writeFileSync(
    file,
    'kubernetes.default.svc.cluster.local A\ndb.default.svc.cluster.local A\nwww.test A\nno.default.svc.cluster.local A\n',
  );
  const running = run(inNetns(pod, ['dnsperf', '-s', SERVER.v4, '-d', file, '-n', '10000', '-q', '50', '-t', '30']));
  let isOver = false;
  const perf = running.finally(() => (isOver = true));
  let serial = 100;
  while (!isOver) {
    server.writeZone({ ...ZONE, serial: ++serial });
    t.equal(server.ask({ ask: 'zone' }).reply.serial, serial);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { stdout } = await perf;
  t.match(stdout, /Queries completed: +40000 \(100\.00%\)/);
  t.match(stdout, /Response codes: +NOERROR 30000 \(75\.00%\), NXDOMAIN 10000 \(25\.00%\)/);
  t.ok(serial > 110, `${serial - 100} zones`);
});

t.test('a zone file that is none changes nothing; the next one counts', async (t) => {
  server.writeZone('{"format":"sluice-dns-zone"');
  t.match(server.ask({ ask: 'zone' }).reply, { ok: false, problem: /line 1/ });
  t.strictSame(await short('kubernetes.default.svc.cluster.local'), ['10.96.0.1']);
  t.match(server.status.problem, /line 1/);
  t.equal(server.log.match(/the last good one stays/g)?.length, 1, 'told once');
  const services = [
    { namespace: 'shop', name: 'cart', kind: 'ClusterIP', addresses: ['10.96.0.99'], ports: [] },
  ] as const;
  server.writeZone({ ...ZONE, serial: 7000, services });
  await waitFor(
    'the new zone, without being told',
    async () => (await short('cart.shop.svc.cluster.local'))[0] === '10.96.0.99',
  );
  t.match(await dig('kubernetes.default.svc.cluster.local'), /status: NXDOMAIN/);
  server.writeZone(ZONE);
  t.match(server.ask({ ask: 'zone' }).reply, { ok: true, serial: 7 });
});

t.test('requests that are none are refused, and descriptors with them', async (t) => {
  t.match(server.ask('{').reply, { ok: false });
  t.match(server.ask({ ask: 'listen', sockets: [{ type: 'udp', address: SERVER.v4, port: 53 }] }).reply, {
    ok: false,
    problem: /found 0 descriptors, wanted 1/,
  });
  t.strictSame(await short('kubernetes.default.svc.cluster.local'), ['10.96.0.1']);
});

t.test('killed: what was asked meanwhile waits in the sockets, for the next one', async (t) => {
  await server.end('SIGKILL');
  const waiting = dig('+short', 'kubernetes.default.svc.cluster.local');
  await waitFor('the question in the socket', async () => {
    const sockets = await must(inNetns(dns, ['ss', '-Hlnu', 'sport = :53']));
    return sockets.split('\n').some((line) => Number(line.split(/ +/)[1]) > 0);
  });
  server.start();
  t.equal(await waiting, '10.96.0.1');
});

t.test('an agent that comes later gets the sockets back, and they are the same', async (t) => {
  const { reply, fds } = server.ask({ ask: 'sockets' });
  t.match(reply, { ok: true, sockets: { length: 4 } });
  t.equal(fds.length, 4);
  const { sockets } = reply as unknown as { sockets: unknown };
  t.match(server.ask({ ask: 'listen', sockets }, fds).reply, { ok: true });
  fds.forEach(closeFd);
  t.strictSame(await short('+tcp', 'kubernetes.default.svc.cluster.local'), ['10.96.0.1']);
  t.strictSame(await short('kubernetes.default.svc.cluster.local'), ['10.96.0.1']);
});

t.test('unbound asks it, with names in random case, over UDP and over TCP', async (t) => {
  for (const [port, isStream] of [
    [5301, 'no'],
    [5302, 'yes'],
  ] as const) {
    const config = join(dir, `unbound-${port}.conf`);
    writeFileSync(
      config,
      `server:
  interface: 127.0.0.1@${port}
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  pidfile: ""
  module-config: "iterator"
  use-caps-for-id: yes
  do-not-query-localhost: no
  tcp-upstream: ${isStream}
  local-zone: "10.in-addr.arpa." nodefault
  local-zone: "local." nodefault
  local-zone: "test." nodefault
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: ${SERVER.v4}
`,
    );
    const unbound = start(inNetns(pod, ['unbound', '-d', '-c', config]));
    t.teardown(() => unbound.stop());
    const ask = async (...argv: string[]) =>
      (await run(inNetns(pod, ['dig', '+short', '+tries=1', '-p', `${port}`, '@127.0.0.1', ...argv]))).stdout.trim();
    await waitFor('unbound', async () => (await ask('kubernetes.default.svc.cluster.local')) === '10.96.0.1');
    t.equal(await ask('www.test'), '192.0.2.10');
    t.equal(await ask('search.default.svc.cluster.local'), 'www.example.com.\n192.0.2.80');
    t.equal((await ask('many.test')).split('\n').length, 200);
    t.equal(await ask('no.default.svc.cluster.local'), '');
  }
});

t.test('unbound is asked by it, when the zone file says so', async (t) => {
  const config = join(dir, 'unbound-upstream.conf');
  writeFileSync(
    config,
    `server:
  interface: 127.0.0.1@5303
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  pidfile: ""
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  local-data: "only.unbound. 60 IN A 192.0.2.77"
  local-data: "only.unbound. 60 IN MX 10 mail.unbound."
remote-control:
  control-enable: no
`,
  );
  const unbound = start(inNetns(host, ['unbound', '-d', '-c', config]));
  t.teardown(() => unbound.stop());
  server.writeZone({ ...ZONE, serial: 8, upstreams: [{ address: '127.0.0.1', port: 5303 }] });
  server.ask({ ask: 'zone' });
  await waitFor('unbound', async () => (await short('only.unbound'))[0] === '192.0.2.77');
  t.strictSame(await short('only.unbound', 'MX'), ['10 mail.unbound.']);
  server.writeZone(ZONE);
  server.ask({ ask: 'zone' });
});

t.test('a server that asks us again is found out and not asked; when it does not, it is again', async (t) => {
  const loop = dnsmasq('127.0.0.2', `--server=${SERVER.v4}`);
  t.teardown(() => loop.stop());
  writeResolvConf(host, 'nameserver 127.0.0.2\n');
  await waitFor('the loop to be told', () =>
    server.log.includes('upstream 127.0.0.2#53 sends our questions back to us'),
  );
  t.match(server.status.upstreams, [{ server: '127.0.0.2#53', state: 'loop' }]);
  t.match(await dig('loops.example'), /status: SERVFAIL/);
  writeResolvConf(host, 'nameserver 127.0.0.1\n');
  await waitFor('the other server', async () => (await short('back.other.test'))[0] === '192.0.2.11');
});

t.test('when no server answers: what was true is told, and says so; what is new is SERVFAIL soon', async (t) => {
  await internet.stop();
  internet = dnsmasq('127.0.0.1', ...internetOf(1));
  await waitFor('a record of a second', async () =>
    /\s1\s+IN\s+A/.test(await dig('+noall', '+answer', 'stale.other.test')),
  );
  await internet.stop();
  await waitFor('its end', async () => /EDE: 3 \(Stale Answer\)/.test(await dig('stale.other.test')));
  t.match(await dig('stale.other.test'), /stale\.other\.test\.\s+30\s+IN\s+A\s+192\.0\.2\.11/);
  t.match(await dig('new.other.test'), /status: SERVFAIL[\s\S]*EDE: 22/);
  t.strictSame(await short('kubernetes.default.svc.cluster.local'), ['10.96.0.1'], 'ours as ever');
  internet = dnsmasq('127.0.0.1', ...internetOf(300));
  await waitFor('its return', async () => (await short('new.other.test'))[0] === '192.0.2.11');
});

t.test('a flood of connections and of nonsense: others are answered, and memory stays', async (t) => {
  const before = server.status.memoryBytes;
  const flood = `
    const net = require('node:net'), dgram = require('node:dgram'), crypto = require('node:crypto');
    for (let i = 0; i < 600; i++) net.connect(53, '${SERVER.v4}').on('error', () => {}).write(crypto.randomBytes(40));
    const udp = dgram.createSocket('udp4');
    let sent = 0;
    const more = () => { for (let i = 0; i < 200; i++) udp.send(crypto.randomBytes(60), 53, '${SERVER.v4}'); if ((sent += 200) < 40000) setImmediate(more); else process.exit(); };
    more();`;
  const flooding = run(inNetns(pod, [process.execPath, '-e', flood]));
  for (let i = 0; i < 10; i++) t.strictSame(await short('kubernetes.default.svc.cluster.local'), ['10.96.0.1']);
  t.equal((await flooding).code, 0);
  const { counters, memoryBytes } = server.status;
  t.ok(
    counters['malformed'] + counters['dropped'] > 1000,
    `${counters['malformed']} malformed, ${counters['dropped']} dropped`,
  );
  t.ok(memoryBytes - before < 64 << 20, `${(memoryBytes - before) >> 20} MiB more`);
});

t.test('it ends when it is asked to, and by SIGTERM, without a word of error', async (t) => {
  t.equal(await server.end('SIGTERM'), 0);
  server.start();
  t.strictSame(await short('kubernetes.default.svc.cluster.local'), ['10.96.0.1']);
  t.match(server.ask({ ask: 'stop' }).reply, { ok: true });
  await waitFor('its end', () => server.hasEnded);
  t.notMatch(server.log, /[Ee]rror|at .*\.cjs/);
});
