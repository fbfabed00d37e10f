/**
 * Masquerading on an interface of the dataplane's own, with a range of four ports:
 *
 *   shop/web -- dataplane == lan0 203.0.113.10 -- <router> 203.0.113.1, mtu 1280 beyond -- <far> 198.51.100.1
 */
import t from 'tap';
import { Cleanup, inNetns, makeNetns, mustAll, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const name = `slem${process.pid.toString(36)}`.slice(0, 10);
const [host, router, far, web] = ['host', 'router', 'far', 'shop-web'].map((one) => `${name}-${one}`);
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

const PODS = ['web', 'db'].map(
  (app) =>
    `{apiVersion: v1, kind: Pod, metadata: {name: ${app}, namespace: shop}, spec: {containers: [{name: c, image: none}]}}\n---\n`,
);
/** Says who asks; what is posted is counted. Connections stay open. */
const SERVER = `require('node:http').createServer((q, r) => { let n = 0; q.on('data', (d) => (n += d.length));
  q.on('end', () => r.end(q.socket.remoteAddress.replace('::ffff:', '') + ' ' + q.socket.remotePort + ' ' + n)); })
  .listen(8000, '::', () => console.log('listens'));
  require('node:net').createServer((s) => s.on('error', () => {})).listen(9000, '::');`;
const HOLD = `for (let i = 0; i < 6; i++) { const s = require('node:net').connect(9000, process.argv[1]);
  s.on('connect', () => console.log('open ' + s.localPort)); s.on('error', () => {}); }`;

let instance: SluiceInstance;

t.before(async () => {
  await makeNetns(cleanup, host, router, far, web, `${name}-shop-db`);
  await mustAll(`
    ip -n ${host} link add lan0 type veth peer name near netns ${router}
    ip -n ${router} link add beyond mtu 1280 type veth peer name eth0 netns ${far}
    ip netns exec ${router} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n ${host} addr add 203.0.113.10/24 dev lan0
    ip -n ${host} addr add fd00:94:1::10/64 dev lan0 nodad
    ip -n ${host} link set lan0 up
    ip -n ${router} addr add 203.0.113.1/24 dev near
    ip -n ${router} addr add fd00:94:1::1/64 dev near nodad
    ip -n ${router} link set near up
    ip -n ${router} addr add 198.51.100.254/24 dev beyond
    ip -n ${router} addr add fd00:94:2::fe/64 dev beyond nodad
    ip -n ${router} link set beyond up
    ip -n ${far} addr add 198.51.100.1/24 dev eth0
    ip -n ${far} addr add fd00:94:2::1/64 dev eth0 nodad
    ip -n ${far} link set eth0 up
    ip -n ${far} route add default via 198.51.100.254
    ip -n ${far} -6 route add default via fd00:94:2::fe`);
  const server = start(inNetns(far, [process.execPath, '-e', SERVER]));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor('the server', () => server.output().includes('listens'));
  instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: host,
    netnsPrefix: `${name}-`,
    podCIDR4: '10.94.0.0/24',
    podCIDR6: 'fd00:94:9::/64',
    config:
      'uplink: { interface: lan0, gateway4: 203.0.113.1, gateway6: "fd00:94:1::1" }\nmasquerade: { mode: always, ipv4: 203.0.113.50, ports: 40000-40003 }',
  });
  await instance.send(PODS.join(''));
  await instance.untilReady(['shop/web', 'shop/db']);
});
t.teardown(() => instance.stop());

const curl = async (url: string, ...more: string[]) => {
  const { stdout, stderr } = await run(inNetns(web, ['curl', '-gsS', '-m', String(PATIENCE_SEC), ...more, url]));
  return stdout || stderr;
};

t.test('pods leave with an address that the interface does not have, or with its own', async (t) => {
  t.match(await curl('http://198.51.100.1:8000/'), /^203\.0\.113\.50 4000[0-3] 0$/);
  t.match(await curl('http://[fd00:94:2::1]:8000/'), /^fd00:94:1::10 4000[0-3] 0$/);
  t.equal((await run(inNetns(web, ['ping', '-c1', `-w${PATIENCE_SEC}`, '198.51.100.1']))).code, 0);
});

t.test('a narrow link behind the router: its errors find the pod, and bulk data comes through', async (t) => {
  const data = 'x'.repeat(200_000);
  for (const [url, who] of [
    ['http://198.51.100.1:8000/', '203.0.113.50'],
    ['http://[fd00:94:2::1]:8000/', 'fd00:94:1::10'],
  ]) {
    const { stdout, stderr } = await run(
      inNetns(web, ['curl', '-gsS', '-m', String(PATIENCE_SEC), '-H', 'Expect:', '--data-binary', '@-', url]),
      { input: data },
    );
    t.match(stdout, new RegExp(`^${who} 4000[0-3] 200000$`), stderr);
  }
  const hops = await run(inNetns(web, ['ping', '-c1', '-t2', '-W3', '198.51.100.1']));
  t.match(hops.stdout, /From 203\.0\.113\.1.*Time to live exceeded/i, 'the second hop of a traceroute');
  const six = await run(inNetns(web, ['ping', '-6', '-c1', '-t2', '-W3', 'fd00:94:2::1']));
  t.match(six.stdout, /From fd00:94:1::1.*Hop limit|Time exceeded/i);
});

t.test('when no port is left the connection is dropped, counted and told, and one that ends makes room', async (t) => {
  const holder = start(inNetns(web, [process.execPath, '-e', HOLD, '198.51.100.1']));
  cleanup.add(() => holder.child.kill('SIGKILL'));
  await waitFor('four to be open', () => (holder.output().match(/open/g) ?? []).length === 4);
  await waitFor('a drop', async () => {
    const { stdout } = await instance.cli('observe', '--verdict', 'DROPPED', '--last', '5', '--pod', 'shop/web');
    return stdout.includes('No mapping for NAT masquerade');
  });
  t.equal((holder.output().match(/open/g) ?? []).length, 4, 'no more than there are ports');
  t.match((await instance.cli('bpf', 'metrics', 'list')).stdout, /masquerade_exhausted +[1-9]/);
  await waitFor('the status to say so', async () => {
    const { problems } = (await instance.read('/v1/status')) as { problems: string[] };
    return problems.some((one) => one.includes('masquerade'));
  });
  t.match(
    await curl('http://198.51.100.1:8000/'),
    /^203\.0\.113\.50 /,
    'another destination port has ports of its own',
  );
  holder.child.kill('SIGKILL');
  await waitFor('room for another', async () => {
    const one = start(inNetns(web, [process.execPath, '-e', HOLD, '198.51.100.1']));
    cleanup.add(() => one.child.kill('SIGKILL'));
    await run(['sleep', '0.5']);
    one.child.kill('SIGKILL');
    return one.output().includes('open');
  });
});
