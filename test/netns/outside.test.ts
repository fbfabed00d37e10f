/**
 * What pods reach beyond the pods, on a machine without an uplink that routes for others:
 *
 *   <name>-shop-web ── dataplane ── <name>-host (ip_forward=1) ── <name>-outside 198.51.100.1
 *
 * A flushed rule set opens no way past the dataplane. Without a way out nothing outside is reached; by the host what policies allow, and then whatever the kernel takes for its own is the host.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import {
  type Background,
  Cleanup,
  inNetns,
  makeNetns,
  must,
  mustAll,
  PATIENCE_SEC,
  run,
  start,
  waitFor,
} from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const name = `slo${process.pid.toString(36)}`;
const [host, outside, web] = [`${name}-host`, `${name}-outside`, `${name}-shop-web`];
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

const POD = `apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { containers: [{ name: c, image: none }] }
`;
const NOT_THE_HOST = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: not-the-host, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  egress: [{ toEntities: [world] }]
  egressDeny: [{ toEntities: [host] }]
`;
/** Each is the host's in another way: a router's address, an interface's, one on lo, a broadcast, an address of a local route. */
const OF_THE_HOST = ['10.97.0.1', '203.0.113.10', '203.0.113.77', '203.0.113.255', '192.0.2.200', 'fd00:97:7::7'];

let instance: SluiceInstance;

t.before(async () => {
  await makeNetns(cleanup, host, outside, web);
  await mustAll(`
    ip netns exec ${host} sysctl -qw net.ipv4.ip_forward=1
    ip -n ${host} link add lan0 type veth peer name eth0 netns ${outside}
    ip -n ${host} addr add 203.0.113.10/24 brd 203.0.113.255 dev lan0
    ip -n ${host} link set lan0 up
    ip -n ${host} addr add 203.0.113.77/32 dev lo
    ip -n ${host} addr add fd00:97:7::7/128 dev lo
    ip -n ${host} route add local 192.0.2.0/24 dev lo
    ip -n ${host} route add 198.51.100.0/24 dev lan0
    ip -n ${outside} addr add 198.51.100.1/24 dev eth0
    ip -n ${outside} link set eth0 up
    ip -n ${outside} route add 203.0.113.0/24 dev eth0
    ip -n ${outside} route add 10.97.0.0/16 via 203.0.113.10`);
  instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: host,
    netnsPrefix: `${name}-`,
    podCIDR4: '10.97.0.0/24',
    podCIDR6: 'fd00:97:1::/64',
  });
  await instance.send(POD);
  await instance.untilReady(['shop/web']);
});
t.teardown(() => instance.stop());

const ping = (address: string, sec: number) => run(inNetns(web, ['ping', '-c1', '-i0.2', `-w${sec}`, address]));

/** Prints every datagram that comes to port 9999 of the host, over either family. */
async function startServer(): Promise<Background> {
  const script = `const s = require('node:dgram').createSocket('udp6');
    s.on('message', (m) => console.log('got ' + m));
    s.bind(9999, () => console.log('bound'));`;
  const server = start(inNetns(host, [process.execPath, '-e', script]));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor('the server', () => server.output().includes('bound'));
  return server;
}

/** The interfaces that the host's stack is kept off, each with what becomes of its frames. */
async function shields(): Promise<string[]> {
  const { stdout } = await run(inNetns(host, ['nft', 'list', 'table', 'netdev', name]));
  const all = [...stdout.matchAll(/hook ingress device "([^"]+)".* policy (\w+);/g)];
  return stdout.includes('dormant') ? [] : all.map(([, device, policy]) => `${device} ${policy}`).sort();
}

t.test('a flushed rule set opens nothing, is told, and is put back', async (t) => {
  const closed = NOT_THE_HOST.replace(/egress: .*/, 'egress: [{}]').replace(/egressDeny: .*/, '');
  await instance.send(closed);
  const server = await startServer();
  const sender = `const s = require('node:dgram').createSocket('udp4'); let n = 0;
    setInterval(() => s.send('from pod', 9999, '10.97.0.1', () => n++), 2); setInterval(() => console.log('sent ' + n), 100);`;
  const attacker = start(inNetns(web, [process.execPath, '-e', sender]));
  cleanup.add(() => attacker.child.kill('SIGKILL'));
  const sent = () => Number(/sent (\d+)\s*$/.exec(attacker.output())?.[1] ?? 0);
  const before = await shields();
  t.match(before, [new RegExp(`^${name}_\\w+ drop$`), `${name}_net drop`]);
  const changes = [
    'flush ruleset',
    `flush ruleset; add table netdev ${name}`,
    `add table netdev ${name} { flags dormant; }`,
    `add chain netdev ${name} p_${name}_net { policy accept; }`,
  ];
  for (const change of changes) {
    const from = sent();
    await must(inNetns(host, ['nft', change]));
    await waitFor(`the table after: ${change}`, async () => isDeepStrictEqual(await shields(), before), 10_000);
    await waitFor('more to be sent', () => sent() > from + 100);
  }
  const { problems } = (await instance.read('/v1/status')) as { problems: string[] };
  t.match(problems.join(), /somebody removed what keeps the host's stack off .*put back/);
  const { stdout } = await run(inNetns(host, ['nft', 'list', 'ruleset']));
  t.notMatch(stdout, 'accept');
  await attacker.stop();
  await must(inNetns(host, [process.execPath, '-e', SENDER, 'host', '10.97.0.1']));
  await waitFor('the server to hear its own host', () => server.output().includes('from host'));
  t.notMatch(server.output(), 'from pod', `none of ${sent()} datagrams has passed`);
  await server.stop();
  await instance.send(closed, 'delete');
});

/** Sends a datagram to each address that it is given, saying from whom. */
const SENDER = `const [, from, ...to] = process.argv;
  Promise.all(to.map((address) => new Promise((done) => {
    const s = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
    s.bind(0, () => {
      if (!address.includes(':')) s.setBroadcast(true);
      s.send(address + ' from ' + from, 9999, address, (error) => { s.close(); done(); });
    });
  })))`;

t.test('without an uplink nothing leaves, and the drop says why', async (t) => {
  t.not((await ping('198.51.100.1', 2)).code, 0);
  t.equal((await ping('203.0.113.77', PATIENCE_SEC)).code, 0, 'an address on lo is the host, which a pod may reach');
  t.equal((await ping('192.0.2.200', PATIENCE_SEC)).code, 0, 'so is one that a local route makes its own');
  const { stdout } = await instance.cli('observe', '--verdict', 'DROPPED', '--ip', '198.51.100.1');
  t.match(stdout, /FIB lookup failed DROPPED/);
});

t.test('by the host, and with their own addresses, pods reach what is outside, which the host is not', async (t) => {
  const text = readFileSync(instance.configFile, 'utf8');
  writeFileSync(
    instance.configFile,
    text.replace('uplink: { mode: none }', 'uplink: { mode: host }\nmasquerade: { mode: never }'),
  );
  instance.agent.child.kill('SIGUSR2');
  await instance.restartAgent();
  await instance.untilReady(['shop/web']);
  await instance.send(NOT_THE_HOST);
  t.equal((await ping('198.51.100.1', PATIENCE_SEC)).code, 0);
  t.not((await ping('10.97.0.77', 1)).code, 0, 'but not what would be a pod and is none');
  t.match((await instance.cli('observe', '--ip', '10.97.0.77')).stdout, /Stale or unroutable IP DROPPED/);
  const server = await startServer();
  await must(inNetns(web, [process.execPath, '-e', SENDER, 'pod', ...OF_THE_HOST]));
  await must(inNetns(host, [process.execPath, '-e', SENDER, 'host', '203.0.113.77']));
  await waitFor('the server to hear the host itself', () => server.output().includes('from host'));
  t.notMatch(server.output(), 'from pod');
  await server.stop();
  const { stdout } = await instance.cli('observe', '--verdict', 'DROPPED', '--port', '9999', '-o', 'json');
  for (const address of OF_THE_HOST) t.match(stdout, address, `${address} is denied`);
});
