/**
 * Egress gateway policies, with servers outside that tell by which address they are asked:
 *
 *   shop/web, shop/db -- dataplane == <host> lan0 203.0.113.10, .11, .12 -- <net> 203.0.113.1, 198.51.100.1 on lo
 *                                            lan1 192.0.2.10
 */
import t from 'tap';
import { Cleanup, inNetns, makeNetns, mustAll, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { raiseInternet } from '../internet.ts';
import { SluiceInstance } from '../rig.ts';
import { isBroken, talk, talkThroughDeaths } from './talk.ts';

const name = `sleg${process.pid.toString(36)}`;
const [host, outside, web, db] = [`${name}-host`, `${name}-net`, `${name}-shop-web`, `${name}-shop-db`];
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

const POD = (app: string) => `apiVersion: v1
kind: Pod
metadata: { name: ${app}, namespace: shop, labels: { app: ${app} } }
spec: { containers: [{ name: c, image: none }] }
---
`;
const NODE = 'nodeSelector: { matchLabels: { kubernetes.io/hostname: gate } }';
const policy = (gateway: string, more = '') => `apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: { name: web }
spec:
  selectors: [{ podSelector: { matchLabels: { app: web } } }]
  destinationCIDRs: [198.51.100.0/24, "fd00:97:2::/64"]${more}
  egressGateway: { ${NODE}${gateway} }
`;
/** Answers each request and datagram with the address that it came from; what comes by a stream goes back. */
const SERVER = `const http = require('node:http'), dgram = require('node:dgram'), net = require('node:net');
  const from = (a) => a.replace('::ffff:', '');
  http.createServer((q, r) => r.end(from(q.socket.remoteAddress))).listen(8000, '::');
  net.createServer((s) => { s.on('error', () => {}); s.pipe(s); }).listen(9000, '::');
  const d = dgram.createSocket('udp6');
  d.on('message', (m, a) => d.send(from(a.address), a.port, a.address));
  d.bind(8000, '::ffff:198.51.100.1', () => console.log('listens'));`;
const DATAGRAM = `const [, to] = process.argv;
  const s = require('node:dgram').createSocket('udp4');
  s.on('message', (m) => { console.log(String(m)); process.exit(); });
  s.send('x', 8000, to); setTimeout(() => process.exit(1), 3000);`;

let instance: SluiceInstance;

t.before(async () => {
  await raiseInternet(name, cleanup, 'fd00:97');
  await makeNetns(cleanup, web, db);
  await mustAll(`
    ip -n ${host} link add lan1 type veth peer name eth1 netns ${outside}
    ip -n ${host} addr add 203.0.113.11/24 dev lan0
    ip -n ${host} addr add 203.0.113.12/24 dev lan0
    ip -n ${host} addr add fd00:97:1::11/64 dev lan0 nodad
    ip -n ${host} addr add 192.0.2.10/24 dev lan1
    ip -n ${host} link set lan1 up
    ip -n ${outside} addr add 192.0.2.1/24 dev eth1
    ip -n ${outside} link set eth1 up
    ip -n ${outside} addr add 198.51.100.2/32 dev lo`);
  const server = start(inNetns(outside, [process.execPath, '-e', SERVER]));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor('the server', () => server.output().includes('listens'));
  instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: host,
    netnsPrefix: `${name}-`,
    podCIDR4: '10.97.0.0/24',
    podCIDR6: 'fd00:97:9::/64',
    config: 'nodeName: gate\nuplink: { mode: host }',
  });
  await instance.send(POD('web') + POD('db'));
  await instance.untilReady(['shop/web', 'shop/db']);
});
t.teardown(() => instance.stop());

/** The address that a server outside sees, or what curl says. */
async function seen(netns: string, to: string): Promise<string> {
  const url = `http://${to.includes(':') ? `[${to}]` : to}:8000/`;
  const { stdout, stderr } = await run(inNetns(netns, ['curl', '-gsS', '-m', String(PATIENCE_SEC), url]));
  return stdout || stderr;
}

/** Waits until a pod is seen as this address: the host's interfaces are asked to give the answers away first. */
async function untilSeen(netns: string, to: string, wanted: string): Promise<void> {
  let last = '';
  await waitFor(`${netns} to be ${wanted} to ${to}`, async () => (last = await seen(netns, to)) === wanted).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}: ${last}`);
    },
  );
}

const problems = async () => ((await instance.read('/v1/status')) as { problems: string[] }).problems;

t.test(
  'the pods that a policy selects are seen with its address, by TCP, UDP and ping, and nobody else is',
  async (t) => {
    t.equal(await seen(web, '198.51.100.1'), '203.0.113.10');
    await instance.send(policy(', egressIP: 203.0.113.12', '\n  excludedCIDRs: [198.51.100.2/32]'));
    await untilSeen(web, '198.51.100.1', '203.0.113.12');
    const { stdout, stderr } = await run(inNetns(web, [process.execPath, '-e', DATAGRAM, '198.51.100.1']));
    t.equal(stdout.trim(), '203.0.113.12', stderr);
    t.equal((await run(inNetns(web, ['ping', '-c2', '-i0.2', `-w${PATIENCE_SEC}`, '198.51.100.1']))).code, 0);
    t.equal(await seen(web, '198.51.100.2'), '203.0.113.10', 'an exception');
    t.equal(await seen(web, '203.0.113.1'), '203.0.113.10', 'another destination');
    t.equal(await seen(db, '198.51.100.1'), '203.0.113.10', 'another pod');
    t.match(await seen(web, 'fd00:97:2::1'), /^fd00:97:1::1[01]$/, 'IPv6, with the first of the same interface');
    t.strictSame(await problems(), []);
    const list = (await instance.cli('bpf', 'egress', 'list')).stdout;
    t.match(list, /10\.97\.0\.\d+ +198\.51\.100\.2\/32 +0\.0\.0\.0 +Excluded CIDR/);
    t.match(list, /10\.97\.0\.\d+ +198\.51\.100\.0\/24 +203\.0\.113\.12 +this node/);
    t.match(
      (await instance.cli('get', 'cegp')).stdout,
      /^NAME +DESTINATIONS +EGRESS.*\nweb +198\.51\.100\.0\/24,fd00:97:2::\/64 +203\.0\.113\.12/,
    );
    t.match((await instance.cli('describe', 'ciliumegressgatewaypolicies', 'web')).stdout, /Egress: +203\.0\.113\.12/);
    await instance.send(policy(', egressIP: "fd00:97:1::11"'));
    await untilSeen(web, 'fd00:97:2::1', 'fd00:97:1::11');
  },
);

t.test('an interface gives its first address, whichever way the host routes', async () => {
  await mustAll(`ip -n ${outside} route add 192.0.2.10/32 dev eth1`);
  await instance.send(policy(', interface: lan1'));
  await untilSeen(web, '198.51.100.1', '192.0.2.10');
});

t.test('without a gateway or an address the frames are dropped, told and said in the status', async (t) => {
  const dropped = async (reason: string) => {
    await waitFor(`a drop: ${reason}`, async () => {
      await run(inNetns(web, ['ping', '-c1', '-w1', '198.51.100.1']));
      const flows = await instance.cli('observe', '--verdict', 'DROPPED', '--last', '5', '--pod', 'shop/web');
      return flows.stdout.includes(reason);
    });
  };
  await instance.send(policy(', egressIP: 203.0.113.99'));
  await dropped('No Egress IP configured');
  t.match(await problems(), [/egress policy web .*no IPv4 address by 203\.0\.113\.99.*204/, /IPv6/]);
  await mustAll(`ip -n ${host} addr add 203.0.113.99/24 dev lan0`);
  await untilSeen(web, '198.51.100.1', '203.0.113.99');
  await mustAll(`ip -n ${host} addr del 203.0.113.99/24 dev lan0`);
  await dropped('No Egress IP configured');
  await instance.send(policy('').replace('gate', 'elsewhere'));
  await dropped('No egress gateway found');
  t.match(await problems(), [/egress policy web .*found no node with these labels, wanted gate.*194/]);
  t.equal(await seen(db, '198.51.100.1'), '203.0.113.10', 'another pod goes on');
  await instance.send(policy(''), 'delete');
  await untilSeen(web, '198.51.100.1', '203.0.113.10');
  t.strictSame(await problems(), []);
});

t.test('connections outlive each process; with another address they are made anew', async (t) => {
  await instance.send(policy(', egressIP: 203.0.113.11'));
  await untilSeen(web, '198.51.100.1', '203.0.113.11');
  const clients = ['198.51.100.1', 'fd00:97:2::1'].map((to) => talk(web, cleanup, to, 9000));
  await talkThroughDeaths(instance, ['shop/web'], clients);
  t.notOk(clients.some(isBroken));
  t.equal(await seen(web, '198.51.100.1'), '203.0.113.11');
  await instance.send(policy(', egressIP: 203.0.113.12'));
  const [four] = clients;
  await waitFor('the connection to end', () => four.output().includes('error ECONNRESET'));
  await untilSeen(web, '198.51.100.1', '203.0.113.12');
});

t.test('a policy that is refused says where', async (t) => {
  const bad = policy(', egressIP: 203.0.113.11, interface: lan0');
  const { status, text } = await instance.call('POST', '/v1/apply?file=bad.yaml', bad);
  t.equal(status, 400, text);
  t.match(text, /gateway/);
  t.match(text, /"line": ?7/);
});
