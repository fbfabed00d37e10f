/**
 * The way out by the host, with clients and servers that know nothing of it:
 *
 *   shop/web -- dataplane == <host> (ip_forward=0) 203.0.113.10 -- <net> 203.0.113.1, 198.51.100.1 on lo, no route to pods
 *
 * and the way in: node ports, from outside with the client's own address, and from the host itself.
 */
import t from 'tap';
import { Cleanup, inNetns, makeNetns, must, mustAll, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { raiseInternet } from '../internet.ts';
import { SluiceInstance } from '../rig.ts';
import { isBroken, talk, talkThroughDeaths } from './talk.ts';

const name = `slq${process.pid.toString(36)}`;
const [host, outside, web] = [`${name}-host`, `${name}-net`, `${name}-shop-web`];
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

const OBJECTS = `apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { containers: [{ name: c, image: none }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  type: NodePort
  externalTrafficPolicy: Local
  ipFamilyPolicy: RequireDualStack
  selector: { app: web }
  externalIPs: [192.0.2.80]
  ports: [{ port: 80, targetPort: 8000, nodePort: 30080 }]
`;
/** Answers each request with the address and port that it came from, and each datagram likewise; 'stream' goes on for ever. */
const SERVER = `const http = require('node:http'), dgram = require('node:dgram'), net = require('node:net');
  const from = (a, p) => a.replace('::ffff:', '') + ' ' + p;
  http.createServer((q, r) => r.end(from(q.socket.remoteAddress, q.socket.remotePort))).listen(8000, '::');
  net.createServer((s) => { s.on('error', () => {}); s.pipe(s); }).listen(9000, '::');
  const d = dgram.createSocket('udp6');
  d.on('message', (m, a) => d.send(m.length > 2000 ? m : from(a.address, a.port), a.port, a.address));
  d.bind(8000, () => console.log('listens'));`;
const DATAGRAM = `const [, to, size] = process.argv;
  const s = require('node:dgram').createSocket(to.includes(':') ? 'udp6' : 'udp4');
  s.on('message', (m) => { console.log(m.length > 2000 ? m.length : String(m)); process.exit(); });
  s.send(Buffer.alloc(Number(size), 1), 8000, to); setTimeout(() => process.exit(1), 3000);`;
/** Tells the host, in both families, that a segment from this port of its was too big. */
const TOO_BIG = `import socket, struct, sys
ports = struct.pack('!HHI', int(sys.argv[1]), 1234, 0)
def summed(b): s = sum(struct.unpack('!%dH' % (len(b) // 2), b)); s = (s & 65535) + (s >> 16); return ~(s + (s >> 16)) & 65535
four = struct.pack('!BBHHHBBH', 0x45, 0, 60, 0, 0, 64, 6, 0) + socket.inet_aton('203.0.113.10') + socket.inet_aton('198.51.100.1') + ports
six = struct.pack('!IHBB', 0x60000000, 20, 6, 64) + socket.inet_pton(10, 'fd00:98:1::10') + socket.inet_pton(10, 'fd00:98:2::1') + ports
error = struct.pack('!BBHI', 3, 4, 0, 1400) + four
error = error[:2] + struct.pack('!H', summed(error)) + error[4:]
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(error, ('203.0.113.10', 0))
socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6).sendto(struct.pack('!BBHI', 2, 0, 0, 1400) + six, ('fd00:98:1::10', 0))`;

let instance: SluiceInstance;

t.before(async () => {
  await raiseInternet(name, cleanup, 'fd00:98');
  await makeNetns(cleanup, web);
  for (const one of [outside, web]) {
    const server = start(inNetns(one, [process.execPath, '-e', SERVER]));
    cleanup.add(() => server.child.kill('SIGKILL'));
    await waitFor(`the server of ${one}`, () => server.output().includes('listens'));
  }
  instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: host,
    netnsPrefix: `${name}-`,
    podCIDR4: '10.98.0.0/24',
    podCIDR6: 'fd00:98:9::/64',
    config: 'uplink: { mode: host }',
  });
  await instance.send(OBJECTS);
  await instance.untilReady(['shop/web']);
});
t.teardown(() => instance.stop());

const curl = (netns: string, url: string) => run(inNetns(netns, ['curl', '-gsS', '-m', String(PATIENCE_SEC), url]));

t.test('curl, datagrams and ping reach what the host reaches, with its address and a port of the range', async (t) => {
  for (const [to, near, seen] of [
    ['198.51.100.1', '203.0.113.1', '203.0.113.10'],
    ['fd00:98:2::1', 'fd00:98:1::1', 'fd00:98:1::10'],
  ]) {
    const url = `http://${to.includes(':') ? `[${to}]` : to}:8000/`;
    const { stdout, stderr } = await curl(web, url);
    const [address, port] = stdout.split(' ');
    t.equal(address, seen, stderr);
    t.ok(Number(port) >= 61000, `port ${port}`);
    const datagram = await run(inNetns(web, [process.execPath, '-e', DATAGRAM, near, '10']));
    t.match(datagram.stdout, new RegExp(`^${seen} 6[1-5]\\d\\d\\d$`, 'm'), datagram.stderr);
    const big = await run(inNetns(web, [process.execPath, '-e', DATAGRAM, near, '4000']));
    t.match(big.stdout, /^4000$/m, 'in fragments, there and back');
    t.equal((await run(inNetns(web, ['ping', '-c2', '-i0.2', `-w${PATIENCE_SEC}`, to]))).code, 0);
  }
  const refused = await curl(web, 'http://198.51.100.1:7/');
  t.match(refused.stderr, /connect to server/i, 'a reset comes back');
  const { stdout } = await instance.cli('bpf', 'nat', 'list');
  t.match(stdout, /masquerade/);
  t.match(stdout, '198.51.100.1');
  t.strictSame(((await instance.read('/v1/status')) as { problems: string[] }).problems, []);
});

t.test('errors of the host and of routers on the way reach the pod', async (t) => {
  const first = await run(inNetns(web, ['ping', '-c1', '-t2', '-w3', '198.51.100.1']));
  t.match(first.stdout, /203\.0\.113\.10.*Time to live exceeded|From 203\.0\.113\.10/i, first.stdout);
  await mustAll(`ip -n ${host} route add unreachable 192.0.2.0/24`);
  const unreachable = await run(inNetns(web, ['ping', '-c1', '-w3', '192.0.2.9']));
  t.match(unreachable.stdout, /unreachable/i);
});

t.test('policy says who of outside is reached, and the host is not outside', async (t) => {
  const policy = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: one, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  egress: [{ toCIDR: [203.0.113.1/32] }]
`;
  await instance.send(policy);
  t.equal((await curl(web, 'http://203.0.113.1:8000/')).code, 0);
  t.not((await run(inNetns(web, ['ping', '-c1', '-w1', '198.51.100.1']))).code, 0);
  t.not((await run(inNetns(web, ['ping', '-c1', '-w1', '203.0.113.10']))).code, 0, 'the host');
  await instance.send(policy, 'delete');
});

t.test('long connections outlive each process, and a flushed rule set is put back', async (t) => {
  const clients = ['198.51.100.1', 'fd00:98:2::1'].map((to) => talk(web, cleanup, to, 9000));
  const table = async () => (await run(inNetns(host, ['nft', 'list', 'table', 'netdev', `${name}_out`]))).stdout;
  const before = await table();
  await talkThroughDeaths(instance, ['shop/web'], clients);
  t.notOk(clients.some(isBroken));
  for (const { child } of clients) child.kill('SIGKILL');
  await mustAll(`ip netns exec ${host} nft flush ruleset`);
  await waitFor('the table', async () => (await table()) === before);
  t.not(before, '');
  t.match((await curl(web, 'http://198.51.100.1:8000/')).stdout, '203.0.113.10');
});

t.test("a node port is reached from outside with the client's own address, and from the host", async (t) => {
  t.match((await curl(outside, 'http://203.0.113.10:30080/')).stdout, /^203\.0\.113\.1 /);
  t.match((await curl(outside, 'http://[fd00:98:1::10]:30080/')).stdout, /^fd00:98:1::1 /);
  t.match((await curl(host, 'http://203.0.113.10:30080/')).stdout, /^203\.0\.113\.10 /);
  t.match((await curl(host, 'http://[fd00:98:1::10]:30080/')).stdout, /^fd00:98:1::10 /);
});

t.test(
  "errors about a node port are the pods', errors about the host's own server on a service's port are the host's",
  async (t) => {
    const errors = async () => {
      const { stdout } = await run(inNetns(host, ['cat', '/proc/net/snmp', '/proc/net/snmp6']));
      const [names = [], numbers = []] = [...stdout.matchAll(/^Icmp: (.*)$/gm)].map(([, line]) => line.split(' '));
      const tooBig = /^Icmp6InPktTooBigs\s+(\d+)$/m.exec(stdout)?.[1];
      return [Number(numbers[names.indexOf('InDestUnreachs')]), Number(tooBig)];
    };
    const before = await errors();
    await must(inNetns(outside, ['python3', '-c', TOO_BIG, '30080']));
    t.strictSame(await errors(), before);
    await must(inNetns(outside, ['python3', '-c', TOO_BIG, '80']));
    t.strictSame(
      await errors(),
      before.map((count) => count + 1),
    );
  },
);

t.test(
  'an external address is reached by a route to this machine, and from the host by the route that docs/outside.md names',
  async (t) => {
    await mustAll(`
    ip -n ${outside} route add 192.0.2.80 via 203.0.113.10
    ip -n ${host} route add 192.0.2.80 via 169.254.1.1 dev ${name}_host onlink`);
    t.match((await curl(outside, 'http://192.0.2.80/')).stdout, /^203\.0\.113\.1 /);
    t.match((await curl(host, 'http://192.0.2.80/')).stdout, /^10\.98\.0\.\d+ /);
  },
);

t.test('another address of the host counts within seconds; without one nothing leaves', async (t) => {
  await mustAll(`
    ip -n ${host} addr add 203.0.113.20/24 dev lan0
    ip -n ${host} route replace default via 203.0.113.1 src 203.0.113.20`);
  let seen = '';
  await waitFor('the other address', async () => {
    seen = (await curl(web, 'http://198.51.100.1:8000/')).stdout;
    return seen.startsWith('203.0.113.20 ');
  });
  t.match(seen, /^203\.0\.113\.20 6\d{4}$/);
  await mustAll(`ip -n ${host} addr flush dev lan0\nip -n ${host} link set lan0 down`);
  let flows = '';
  await waitFor('a frame that goes nowhere', async () => {
    await run(inNetns(web, ['ping', '-c1', '-w1', '198.51.100.1']));
    flows = (await instance.cli('observe', '--verdict', 'DROPPED', '--ip', '198.51.100.1')).stdout;
    return flows.includes('FIB lookup failed');
  });
  t.match(flows, /shop\/web.*198\.51\.100\.1.*FIB lookup failed DROPPED/);
});
