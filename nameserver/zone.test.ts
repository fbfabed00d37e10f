/** The cluster's names, by the Kubernetes DNS specification 1.1; section numbers are its. */
import t from 'tap';
import { CLUSTER, playServer } from '../test/name-server.ts';
import type { ZoneFile } from './zone-file.ts';

const SOA = 'cluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local.';
const NXDOMAIN = { rcode: 3, isAuthoritative: true, answers: [], authority: [SOA] };
const NODATA = { ...NXDOMAIN, rcode: 0 };
const ask = (file: ZoneFile = CLUSTER) => playServer(file).ask;
const sorted = (texts: readonly string[] | undefined) => [...(texts ?? [])].sort();

t.test('2.2 the version of the schema', async (t) => {
  t.match(ask()('dns-version.cluster.local', 'TXT'), {
    rcode: 0,
    isAuthoritative: true,
    answers: ['dns-version.cluster.local. 5 TXT 1.1.0'],
  });
});

t.test('2.3.1 a service with a cluster address: A and AAAA', async (t) => {
  const name = 'kubernetes.default.svc.cluster.local';
  t.strictSame(ask()(name, 'A')?.answers, [`${name}. 5 A 10.96.0.1`]);
  t.strictSame(ask()(name, 'AAAA')?.answers, [`${name}. 5 AAAA fd00:10:96::1`]);
  t.match(ask()('kube-dns.kube-system.svc.cluster.local', 'AAAA'), NODATA, 'of one family only');
});

t.test('2.3.2 its named ports: SRV, with the addresses beside', async (t) => {
  const name = '_https._tcp.kubernetes.default.svc.cluster.local';
  t.match(ask()(name, 'SRV'), {
    rcode: 0,
    answers: [`${name}. 5 SRV 0 100 443 kubernetes.default.svc.cluster.local.`],
    additional: [
      'kubernetes.default.svc.cluster.local. 5 A 10.96.0.1',
      'kubernetes.default.svc.cluster.local. 5 AAAA fd00:10:96::1',
    ],
  });
  t.match(ask()('_dns._udp.kubernetes.default.svc.cluster.local', 'SRV')?.answers, [/SRV 0 100 53 kubernetes/]);
  t.match(ask()('_dns._tcp.kubernetes.default.svc.cluster.local', 'SRV'), NXDOMAIN, 'of the other protocol');
  t.match(ask()('_tcp.kubernetes.default.svc.cluster.local', 'SRV'), NODATA, 'what has names below exists');
  t.match(ask()(name, 'A'), NODATA);
});

t.test('2.3.3 its addresses: PTR', async (t) => {
  const v6 = `1.${'0.'.repeat(19)}6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa`;
  t.strictSame(ask()('1.0.96.10.in-addr.arpa', 'PTR')?.answers, [
    '1.0.96.10.in-addr.arpa. 5 PTR kubernetes.default.svc.cluster.local.',
  ]);
  t.match(ask()(v6, 'PTR')?.answers, [/PTR kubernetes\.default\.svc\.cluster\.local\.$/]);
});

t.test('2.4.1 a headless service: the addresses of its endpoints, and each under its own name', async (t) => {
  const name = 'db.default.svc.cluster.local';
  t.strictSame(sorted(ask()(name, 'A')?.answers), [`${name}. 5 A 10.0.0.7`, `${name}. 5 A 10.0.0.8`]);
  t.strictSame(ask()(name, 'AAAA')?.answers, [`${name}. 5 AAAA fd00::7`]);
  t.strictSame(ask()(`db-0.${name}`, 'A')?.answers, [`db-0.${name}. 5 A 10.0.0.7`]);
  t.strictSame(ask()(`db-0.${name}`, 'AAAA')?.answers, [`db-0.${name}. 5 AAAA fd00::7`]);
  t.strictSame(ask()(`10-0-0-8.${name}`, 'A')?.answers, [`10-0-0-8.${name}. 5 A 10.0.0.8`]);
  t.match(ask()(`10-0-0-7.${name}`, 'A'), NXDOMAIN, 'who has a host name has no other');
  t.match(ask()('empty.default.svc.cluster.local', 'A'), NXDOMAIN, 'without endpoints there is no name');
});

t.test('2.4.2 its named ports: an SRV record for each endpoint', async (t) => {
  const name = '_sql._tcp.db.default.svc.cluster.local';
  const answer = ask()(name, 'SRV');
  t.strictSame(sorted(answer?.answers), [
    `${name}. 5 SRV 0 50 5432 db-0.db.default.svc.cluster.local.`,
    `${name}. 5 SRV 0 50 5433 10-0-0-8.db.default.svc.cluster.local.`,
  ]);
  t.strictSame(sorted(answer?.additional), [
    '10-0-0-8.db.default.svc.cluster.local. 5 A 10.0.0.8',
    'db-0.db.default.svc.cluster.local. 5 A 10.0.0.7',
    'db-0.db.default.svc.cluster.local. 5 AAAA fd00::7',
  ]);
});

t.test('2.4.3 its endpoints: PTR', async (t) => {
  t.match(ask()('7.0.0.10.in-addr.arpa', 'PTR')?.answers, [/PTR db-0\.db\.default\.svc\.cluster\.local\.$/]);
  t.match(ask()('8.0.0.10.in-addr.arpa', 'PTR')?.answers, [/PTR 10-0-0-8\.db\.default/]);
});

t.test('2.5 an external name: CNAME, and what it leads to', async (t) => {
  const played = playServer();
  const name = 'search.default.svc.cluster.local';
  t.match(played.ask(name, 'CNAME'), { rcode: 0, answers: [`${name}. 5 CNAME www.example.com.`] });
  t.equal(played.asked.length, 0);
  t.match(played.ask('near.default.svc.cluster.local', 'A')?.answers, [
    'near.default.svc.cluster.local. 5 CNAME kubernetes.default.svc.cluster.local.',
    'kubernetes.default.svc.cluster.local. 5 A 10.96.0.1',
  ]);
  t.match(played.ask('gone.default.svc.cluster.local', 'A'), { rcode: 3, answers: [/CNAME/], authority: [SOA] });
  t.equal(played.ask('circle.default.svc.cluster.local', 'A')?.answers.length, 9, 'a circle ends');
});

t.test('pods: by namespace and address', async (t) => {
  const answers = (label: string, type: 'A' | 'AAAA') => ask()(`${label}.default.pod.cluster.local`, type)?.answers;
  t.strictSame(answers('10-0-0-7', 'A'), ['10-0-0-7.default.pod.cluster.local. 5 A 10.0.0.7']);
  t.strictSame(answers('fd00--7', 'AAAA'), ['fd00--7.default.pod.cluster.local. 5 AAAA fd00::7']);
  t.match(ask()('fd00--7.default.pod.cluster.local', 'A'), NODATA);
  for (const label of ['10-0-0-9', '10-0-0', '010-0-0-7', '10-0-0-7-8', 'fd00--8', 'web', '-', 'fd00--7%'])
    t.match(ask()(`${label}.default.pod.cluster.local`, 'A'), NXDOMAIN, label);
  t.match(ask()('10-0-0-7.shop.pod.cluster.local', 'A'), NXDOMAIN, 'of another namespace');
  t.match(ask()('a.10-0-0-7.default.pod.cluster.local', 'A'), NXDOMAIN, 'below one');
});

t.test('names between exist, others do not, and search paths end quickly', async (t) => {
  const played = playServer();
  for (const name of ['', 'svc.', 'default.svc.', 'pod.', 'default.pod.', '_tcp.db.default.svc.', 'dns.'])
    t.match(played.ask(`${name}cluster.local`, 'A'), NODATA, name);
  for (const name of [
    'web',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.default.svc',
    'shop.svc',
    'a.b.c.d.e',
  ])
    t.match(played.ask(`${name}.cluster.local`, 'A'), NXDOMAIN, name);
  t.match(played.ask('kubernetes.default.svc.cluster.local', 'TXT'), NODATA);
  t.equal(played.asked.length, 0, 'nobody else was asked');
});

t.test('the top: SOA and NS; the name server has the addresses of kube-dns', async (t) => {
  t.strictSame(ask()('cluster.local', 'SOA')?.answers, [SOA]);
  t.strictSame(ask()('cluster.local', 'NS')?.answers, ['cluster.local. 5 NS ns.dns.cluster.local.']);
  t.strictSame(ask()('ns.dns.cluster.local', 'A')?.answers, ['ns.dns.cluster.local. 5 A 10.96.0.10']);
});

t.test('addresses of ours without a name have none anywhere; others are for others to know', async (t) => {
  const played = playServer();
  t.match(played.ask('9.9.96.10.in-addr.arpa', 'PTR'), { rcode: 3, authority: [/^96\.10\.in-addr\.arpa\. 5 SOA/] });
  t.match(played.ask('1.0.15.10.in-addr.arpa', 'PTR'), { rcode: 3, authority: [/^15\.10\.in-addr\.arpa\. 5 SOA/] });
  t.match(played.ask('0.96.10.in-addr.arpa', 'PTR'), { rcode: 0, authority: [/^96\.10\.in-addr/] }, 'has names below');
  t.equal(played.asked.length, 0);
  for (const name of ['1.0.16.10.in-addr.arpa', '10.in-addr.arpa', 'in-addr.arpa', 'arpa', '1.0.97.10.in-addr.arpa'])
    t.equal(played.ask(name, 'PTR'), undefined, name);
  t.equal(played.asked.length, 5);
});

t.test('an endpoint at a foreign address has its PTR; its other types are for others', async (t) => {
  const services = [
    { namespace: 'a', name: 'b', kind: 'headless', endpoints: [{ address: '192.0.2.7', hostname: 'c', ports: [] }] },
  ] as const;
  const played = playServer({ ...CLUSTER, services });
  t.match(played.ask('7.2.0.192.in-addr.arpa', 'PTR')?.answers, [/PTR c\.b\.a\.svc/]);
  t.equal(played.ask('7.2.0.192.in-addr.arpa', 'TXT'), undefined);
  t.equal(played.ask('8.2.0.192.in-addr.arpa', 'PTR'), undefined);
});

t.test('another domain, of one label', async (t) => {
  const played = playServer({ ...CLUSTER, domain: 'k8s', ttlSec: 0 });
  t.match(played.ask('kubernetes.default.svc.k8s', 'A')?.answers, ['kubernetes.default.svc.k8s. 0 A 10.96.0.1']);
  t.equal(played.ask('kubernetes.default.svc.cluster.local', 'A'), undefined);
  t.equal(played.ask('xk8s', 'A'), undefined);
});

t.test('names that would be too long are nowhere, and what has none is told without', async (t) => {
  const long = 'x'.repeat(63);
  const endpoints = [
    { address: '10.0.0.7', hostname: long, ports: [{ name: 'p', protocol: 'TCP', port: 1 }] },
  ] as const;
  const services = [{ namespace: long, name: long, kind: 'headless', endpoints }] as const;
  const { ask } = playServer({ ...CLUSTER, domain: `${long}.local`, services });
  t.equal(ask(`${long}.${long}.svc.${long}.local`, 'A')?.answers.length, 1);
  t.match(ask('7.0.0.10.in-addr.arpa', 'PTR'), { rcode: 0, answers: [] });
});

t.test('several addresses come in an order of chance', async (t) => {
  const endpoints = Array.from({ length: 4 }, (_, i) => ({ address: `10.0.0.${i}`, ports: [] }));
  const services = [{ namespace: 'a', name: 'b', kind: 'headless', endpoints }] as const;
  const { ask } = playServer({ ...CLUSTER, services });
  const firsts = new Set(Array.from({ length: 200 }, () => ask('b.a.svc.cluster.local', 'A')?.answers[0]));
  t.equal(firsts.size, 4);
});

t.test('ten thousand endpoints are built in time, and the same one is told once', async (t) => {
  const endpoints = Array.from({ length: 10_000 }, (_, i) => ({
    address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    ports: [{ name: 'p', protocol: 'TCP' as const, port: 80 }],
  }));
  const services = [{ namespace: 'a', name: 'b', kind: 'headless', endpoints: [...endpoints, ...endpoints] }] as const;
  const { ask } = playServer({ ...CLUSTER, services });
  const answer = ask('b.a.svc.cluster.local', 'A', { isStream: true });
  t.ok(answer?.isCut, 'more than a message holds');
  t.equal(answer?.answers.length, Math.floor((65535 - 12 - 27) / 16));
});

t.test('a PTR question looks at the endpoints that have the address, and at no others', async (t) => {
  let looks = 0;
  const endpoints = Array.from({ length: 1000 }, (_, i) => ({
    get address() {
      looks++;
      return `10.1.${i >> 8}.${i & 255}`;
    },
    ports: [],
  }));
  const many = Array.from({ length: 20 }, (_, i) => {
    return { namespace: 'default', name: `big-${i}`, kind: 'headless', endpoints } as const;
  });
  const played = ask({ ...CLUSTER, services: [...CLUSTER.services, ...many] });
  looks = 0;
  t.equal(played('9.3.1.10.in-addr.arpa', 'PTR', { isStream: true })?.answers.length, 20);
  t.ok(looks <= 100, `${looks} looks for 20 answers`);
});
