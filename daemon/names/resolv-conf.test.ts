/** What pods find in resolv.conf and hosts, by what their documents say. */
import t from 'tap';
import { read } from '../../test/policy/documents.ts';
import { podNames, type PodNames } from '../../policy/document/pod-names.ts';
import { hostNamesOf, hostsFile } from './hosts-file.ts';
import { formatResolvConf, parseResolvConf, podResolvConf } from './resolv-conf.ts';

const HOST = '# ours\nnameserver 192.0.2.53\nsearch corp.example\noptions timeout:2\n';
const STUB = 'nameserver 127.0.0.53\nsearch corp.example\n';

function namesOf(spec: string): PodNames {
  const { documents, problems } = read(`apiVersion: v1\nkind: Pod\nmetadata: {name: web-0}\nspec: {${spec}}\n`);
  t.same(problems, []);
  return podNames(documents[0].object);
}

function conf(spec: string, { host = HOST, nameservers = ['10.96.0.10'] } = {}): string[] | undefined {
  const site = { namespace: 'shop', domain: 'cluster.local', nameservers, host: parseResolvConf(host) };
  const found = podResolvConf(namesOf(spec), site);
  return found && formatResolvConf(found).split('\n').slice(0, -1);
}

const CLUSTER = 'shop.svc.cluster.local svc.cluster.local cluster.local';
const FIRST = [`search ${CLUSTER} corp.example`, 'nameserver 10.96.0.10', 'options ndots:5'];

t.test('dnsPolicy says where a pod begins to look', async (t) => {
  t.same(conf(''), FIRST);
  t.same(conf('dnsPolicy: ClusterFirst'), FIRST);
  t.same(conf('dnsPolicy: ClusterFirstWithHostNet'), FIRST);
  t.same(conf('dnsPolicy: Default'), undefined, 'the file of the host does');
  t.same(conf('dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.1]}'), ['nameserver 192.0.2.1']);
  t.same(conf('', { nameservers: [] }), undefined, 'without a name server of the cluster, as the host');
});

t.test('a name server on the loopback of the host is none for a pod', async (t) => {
  t.same(conf('dnsPolicy: Default', { host: STUB }), ['search corp.example', 'nameserver 10.96.0.10']);
  const both = `${STUB}nameserver ::1\nnameserver 192.0.2.53\n`;
  t.same(conf('dnsPolicy: Default', { host: both }), ['search corp.example', 'nameserver 192.0.2.53']);
});

t.test('dnsConfig adds to what the policy gives, within the limits of resolvers', async (t) => {
  const more = 'nameservers: [192.0.2.1, 10.96.0.10, 192.0.2.2], searches: [a.example, cluster.local], ';
  t.same(conf(`dnsConfig: {${more}options: [{name: ndots, value: "2"}, {name: edns0}]}`), [
    `search ${CLUSTER} corp.example a.example`,
    'nameserver 10.96.0.10',
    'nameserver 192.0.2.1',
    'nameserver 192.0.2.2',
    'options ndots:2 edns0',
  ]);
  const three = 'dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3]}';
  t.same(conf(three)?.filter((line) => line.startsWith('nameserver')).length, 3);
  const searches = Array.from({ length: 32 }, (_, i) => `s${i}.example`).join(', ');
  t.equal(conf(`dnsConfig: {searches: [${searches}]}`)?.[0].split(' ').length, 1 + 32);
  t.same(conf('dnsPolicy: Default, dnsConfig: {options: [{name: timeout, value: "9"}]}'), [
    'search corp.example',
    'nameserver 192.0.2.53',
    'options timeout:9',
  ]);
});

t.test('parseResolvConf() takes what resolvers take', async (t) => {
  t.same(parseResolvConf('domain a.example\nsearch b.example\tc.example\nnameserver fe80::1%eth0\nnameserver x\n;\n'), {
    nameservers: ['fe80::1%eth0'],
    searches: ['b.example', 'c.example'],
    options: [],
  });
  const four = parseResolvConf([1, 2, 3, 4].map((i) => `nameserver 192.0.2.${i}\n`).join(''));
  t.same(four.nameservers, ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
});

t.test('hosts has the pod by its names, and its aliases', async (t) => {
  const pod = { namespace: 'shop', name: 'web-0' };
  const lines = (spec: string) =>
    hostsFile(pod, namesOf(spec), { domain: 'cluster.local', addresses: ['10.0.0.7', 'fd00::7'] })
      .split('\n')
      .slice(7, -1);
  t.same(lines(''), ['10.0.0.7\tweb-0', 'fd00::7\tweb-0']);
  t.same(lines('hostname: db-0, subdomain: db, hostAliases: [{ip: 192.0.2.1, hostnames: [a, b.example]}]'), [
    '10.0.0.7\tdb-0.db.shop.svc.cluster.local\tdb-0',
    'fd00::7\tdb-0.db.shop.svc.cluster.local\tdb-0',
    '192.0.2.1\ta\tb.example',
  ]);
  const called = (spec: string) =>
    hostsFile(pod, namesOf(spec), { domain: 'cluster.local', addresses: [] }).split('\n')[0].split(' ').at(-1);
  t.equal(called(''), 'web-0');
  t.equal(called('hostname: db-0, subdomain: db'), 'db-0');
  t.equal(called('hostname: db-0, subdomain: db, setHostnameAsFQDN: true'), 'db-0.db.shop.svc.cluster.local');
  const long = { namespace: 'shop', name: `${'a'.repeat(62)}-b` };
  t.equal(hostNamesOf(long, namesOf(''), 'cluster.local').short, 'a'.repeat(62), 'cut to what a host may be called');
});
