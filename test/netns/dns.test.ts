/**
 * DNS rules with a real server, real resolvers and hostile messages. The server logs each query that it gets, so that "never
 * forwarded" is measured where it matters.
 *
 *   <name>-shop-client ── Sluice (policy below) ┬─ <name>-shop-dns    dnsmasq
 *                                               └─ <name>-shop-liar   lying-dns-server.ts
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DnsMessage } from '../../wire/dns/message.ts';
import { Cleanup, inNetns, must, PATIENCE_MS, PATIENCE_SEC, run, waitFor } from '../command.ts';
import { address, answer, message, nameBytes, query } from '../dns-messages.ts';
import { SluiceInstance } from '../rig.ts';

const DNS = ['10.244.0.53', 'fd00:10:244::53'] as const;
const LIAR = '10.244.0.54';
const DATAGRAM_CLIENT = join(import.meta.dirname, 'datagram-client.js');
const LYING_SERVER = join(import.meta.dirname, 'lying-dns-server.js');

const cleanup = new Cleanup();
const name = `sldn${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
const LOG = join(dir, 'queries.log');
const DNSMASQ = [
  'dnsmasq --keep-in-foreground --user=root --group= --no-resolv --no-hosts --no-daemon --pid-file= --edns-packet-max=1232',
  `--log-queries --log-facility=${LOG} --local=/example/ --local=/test/`,
  '--host-record=api.example,192.0.2.10,2001:db8::10 --host-record=www.api.example,192.0.2.11 --host-record=secret.example,192.0.2.66',
  '--cname=alias.example,api.example --txt-record=txt.example,hello --mx-host=api.example,mail.example,10',
  ...Array.from({ length: 60 }, (_, i) => `--host-record=many.example,198.51.100.${i + 1}`),
]
  .join(' ')
  .split(' ');

const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec: { containers: [{ name: shell, image: example/shell }] }
status: { podIPs: [{ ip: 10.244.0.10 }, { ip: "fd00:10:244::10" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: dns, namespace: shop, labels: { app: dns } }
spec: { containers: [{ name: server, image: example/dns, command: ${JSON.stringify(DNSMASQ)} }] }
status: { podIPs: [{ ip: ${DNS[0]} }, { ip: "${DNS[1]}" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: liar, namespace: shop, labels: { app: dns } }
spec: { containers: [{ name: server, image: example/dns, command: [node, "${LYING_SERVER}"] }] }
status: { podIPs: [{ ip: ${LIAR} }, { ip: "fd00:10:244::54" }] }
`;

/** The client may ask for these names, and for nothing else. */
const policy = (...rules: string[]) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { app: dns } }]
      toPorts: [{ ports: [{ port: "53", protocol: ANY }], rules: { dns: [${rules.join(', ')}] } }]
`;
const RULES = [
  '{ matchName: api.example }',
  '{ matchPattern: "*.api.example" }',
  '{ matchPattern: "a*s.example" }',
  '{ matchName: txt.example }',
  '{ matchName: many.example }',
];

cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(join(dir, 'rig.yaml'), `${MANIFESTS}---\n${policy(...RULES)}`);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

const client = instance.netnsOf('shop/client');
// What `ip netns exec` shows programs in the namespace as theirs.
const etc = `/etc/netns/${client}`;
mkdirSync(etc, { recursive: true });
cleanup.add(() => rmSync(etc, { recursive: true, force: true }));
writeFileSync(
  join(etc, 'resolv.conf'),
  `nameserver ${DNS[0]}\nsearch shop.svc.test svc.test test\noptions ndots:2 timeout:2\n`,
);

interface Dug {
  status: string;
  answer: string[];
  text: string;
}

async function dig(...args: string[]): Promise<Dug> {
  const server = args.some((arg) => arg.startsWith('@')) ? [] : [`@${DNS[0]}`];
  const { stdout } = await run(inNetns(client, ['dig', ...server, `+time=${PATIENCE_SEC}`, '+tries=1', ...args]));
  const section = /;; ANSWER SECTION:\n([\s\S]*?)\n\n/.exec(stdout)?.[1] ?? '';
  const answer = section === '' ? [] : section.split('\n').map((line) => line.split(/\s+/).slice(3).join(' '));
  return { status: /status: (\w+)/.exec(stdout)?.[1] ?? 'none', answer, text: stdout };
}

await waitFor('dnsmasq to serve', async () => (await dig('api.example', '+time=1')).status === 'NOERROR');

/** Queries that the server saw, as its log names them: `query[A] name`. */
const seen = () =>
  [...readFileSync(LOG, 'utf8').matchAll(/query\[(\w+)\] (\S+)/g)].map(([, type, asked]) => `${type} ${asked}`);
/** Whether it saw anything of a name. */
const sawName = (part: string) => seen().some((line) => line.toLowerCase().includes(part));

async function send(to: string, ...datagrams: Buffer[]): Promise<Buffer[]> {
  const input = {
    address: to,
    port: 53,
    datagrams: datagrams.map((bytes) => bytes.toString('base64')),
    patienceMs: PATIENCE_MS,
    lingerMs: 200,
  };
  const output = await must(inNetns(client, [process.execPath, DATAGRAM_CLIENT]), { input: JSON.stringify(input) });
  return (JSON.parse(output).answers as string[]).map((text) => Buffer.from(text, 'base64'));
}

t.test('allowed names resolve: A, AAAA, TXT, an alias, over IPv4 and IPv6, UDP and TCP', async (t) => {
  for (const server of DNS) {
    for (const transport of ['+notcp', '+tcp']) {
      const ask = (...args: string[]) => dig(`@${server}`, transport, ...args);
      t.same((await ask('api.example')).answer, ['A 192.0.2.10']);
      t.same((await ask('api.example', 'AAAA')).answer, ['AAAA 2001:db8::10']);
      t.same((await ask('api.example', 'MX')).answer, ['MX 10 mail.example.']);
      t.same((await ask('txt.example', 'TXT')).answer, ['TXT "hello"']);
      t.same((await ask('www.api.example')).answer, ['A 192.0.2.11']);
      t.same((await ask('alias.example')).answer, ['CNAME api.example.', 'A 192.0.2.10']);
      t.equal((await ask('none.api.example')).status, 'NXDOMAIN', "the server's own answer");
    }
  }
});

t.test('other names are REFUSED, of any type, over any transport, and the server does not see them', async (t) => {
  for (const server of DNS) {
    for (const transport of ['+notcp', '+tcp']) {
      const dug = await dig(`@${server}`, transport, 'secret.example');
      t.equal(dug.status, 'REFUSED');
      t.match(dug.text, /EDE: 18 \(Prohibited\)/);
    }
  }
  for (const type of ['AAAA', 'TXT', 'MX', 'SRV', 'NS', 'SOA', 'PTR', 'HTTPS', 'ANY', 'NULL', 'TYPE65280']) {
    t.equal((await dig('secret.example', type)).status, 'REFUSED', type);
  }
  t.equal((await dig('+tcp', 'secret.example', 'AXFR')).answer.length, 0);
  t.equal((await dig('.', 'NS')).status, 'REFUSED', 'the root');
  t.equal((await dig('a.b.api.example')).status, 'REFUSED', 'a star is within one label');
  t.equal((await dig('example')).status, 'REFUSED');
  t.equal((await dig('-x', '192.0.2.10')).status, 'REFUSED');
  t.equal((await dig('version.bind', 'TXT', 'CH')).status, 'REFUSED', 'another class');
  t.equal((await dig('+noedns', 'secret.example')).status, 'REFUSED');
  t.equal((await dig('+bufsize=512', '+dnssec', '+cookie', 'secret.example')).status, 'REFUSED');
  for (const part of ['secret', 'a.b.api', 'in-addr', 'bind']) t.equal(sawName(part), false, part);
});

t.test('the case of a name is kept and says nothing', async (t) => {
  const dug = await dig('aPi.eXaMPLe');
  t.same(dug.answer, ['A 192.0.2.10']);
  t.match(dug.text, /aPi\.eXaMPLe\.\s+IN\s+A/, 'as it was asked, for resolvers that compare (0x20)');
  t.match((await dig('SeCReT.example')).text, /;SeCReT\.example\./);
});

t.test('a long answer is cut over UDP and whole over TCP', async (t) => {
  const cut = await dig('+noedns', '+ignore', 'many.example');
  t.match(cut.text, /flags:[^;]* tc/);
  t.equal((await dig('+noedns', 'many.example')).answer.length, 60, 'dig comes back by TCP');
  t.equal((await dig('+bufsize=1232', 'many.example')).answer.length, 60);
});

t.test('getent finds an allowed name beside search domains that are refused', async (t) => {
  const hosts = (asked: string) => run(inNetns(client, ['getent', 'ahosts', asked]));
  t.match((await hosts('api.example')).stdout, /^192\.0\.2\.10 /m, 'tried in the search domains first');
  t.match((await hosts('api.example')).stdout, /^2001:db8::10 /m);
  t.equal((await hosts('secret.example')).code, 2, 'not found');
  t.equal(sawName('svc.test'), false, 'search domains are names like any other');
});

t.test('messages that can be read in two ways reach nobody', async (t) => {
  const fence = () => query('api.example', { id: 0x7777 });
  const hostile: Record<string, Buffer> = {
    'two questions, the second refused': message({ questions: [{ name: 'api.example' }, { name: 'evil1.example' }] }),
    'two questions, both allowed': message({ questions: [{ name: 'api.example' }, { name: 'txt.example' }] }),
    'no question': message({}),
    'a question that is a pointer': query(
      Buffer.concat([Buffer.from([5]), Buffer.from('evil2'), Buffer.from([0xc0, 12])]),
    ),
    'a pointer into the header': query(Buffer.from([0xc0, 4])),
    'bytes behind the end': query('api.example', { trailing: Buffer.from('evil3') }),
    'a record behind the question': query('api.example', { additionals: [address('evil4.example', '192.0.2.1')] }),
    'a count that lies': query('api.example', { counts: [1, 0, 0, 1] }),
    'an answer': answer('api.example', []),
    'an update': query('api.example', { flags: 5 << 11 }),
    'eleven bytes': query('api.example').subarray(0, 11),
    nothing: Buffer.alloc(0),
  };
  const before = seen().length;
  for (const [shape, bytes] of Object.entries(hostile)) {
    const answers = await send(DNS[0], bytes, fence());
    t.same(
      answers.map((one) => one.readUInt16BE(0)),
      [0x7777],
      shape,
    );
  }
  t.equal(seen().length - before, Object.keys(hostile).length, 'the server saw the fences, and nothing else');
  const odd = [Buffer.from('a.pi'), Buffer.from('api\0'), Buffer.from('\xe4pi', 'latin1')];
  for (const label of odd) {
    const asked = query(Buffer.concat([Buffer.from([label.length]), label, nameBytes('example')]), { id: 9 });
    const [refused] = await send(DNS[0], asked);
    const read = new DnsMessage();
    t.equal(read.parse(refused, 0, refused.length), 0);
    t.equal(read.rcode, 5, `${label.toString('latin1')}: an odd byte in a label`);
  }
});

t.test('an answer that matches no question does not arrive', async (t) => {
  const answers = await send(LIAR, query('api.example', { id: 0x1234 }));
  t.equal(answers.length, 1, 'the right one, once');
  t.equal(answers[0].subarray(-4).join('.'), '192.0.2.1');
  const metrics = (await instance.cli('bpf', 'metrics', 'list', '-o', 'json')).stdout;
  t.match(metrics, /unasked/);
});

t.test('queries and answers are told as hubble tells them', async (t) => {
  await dig('api.example');
  await dig('secret.example');
  let lines = '';
  await waitFor('the flows of DNS', async () => {
    lines = (await instance.cli('observe', '--last', '200', '--protocol', 'dns')).stdout;
    return /secret/.test(lines);
  });
  t.match(
    lines,
    /shop\/client:\d+ \(ID:\d+\) -> shop\/dns:53 \(ID:\d+\) dns-request proxy FORWARDED \(DNS Query api\.example\. A\)/,
  );
  t.match(
    lines,
    /shop\/client:\d+ \(ID:\d+\) <- shop\/dns:53 \(ID:\d+\) dns-response proxy FORWARDED \(DNS Answer "192\.0\.2\.10" TTL: \d+ \(Proxy api\.example\. A\)\)/,
  );
  t.match(lines, /dns-request proxy DROPPED \(DNS Query secret\.example\. A\)/);
  const [flow] = (await instance.flows()).filter((one) => one.l7?.dns?.query === 'secret.example.');
  t.match(flow, {
    verdict: 'DROPPED',
    l7: { type: 'REQUEST', dns: { qtypes: ['A'], observation_source: 'proxy' } },
    l4: { UDP: { destination_port: 53 } },
  });
});

t.test('rules take effect while conversations live: a name that is taken away is refused from then on', async (t) => {
  t.equal((await dig('txt.example', 'TXT')).status, 'NOERROR');
  writeFileSync(join(dir, 'policy.yaml'), policy('{ matchName: api.example }'));
  await instance.apply(join(dir, 'policy.yaml'));
  await waitFor('the name to be refused', async () => (await dig('txt.example', 'TXT')).status === 'REFUSED');
  t.equal((await dig('api.example')).status, 'NOERROR');
});

t.test('a dataplane that was killed is followed by one that judges as it did', async (t) => {
  for (const pid of instance.dataplanePids()) process.kill(pid, 'SIGKILL');
  await waitFor('DNS again', async () => (await dig('+time=1', 'api.example')).status === 'NOERROR');
  t.equal((await dig('secret.example')).status, 'REFUSED');
  t.equal(sawName('secret'), false);
});
