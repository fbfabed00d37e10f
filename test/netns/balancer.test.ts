/**
 * Load balancer addresses on a LAN where nobody has a route to them, in both ways out:
 *
 *   shop/web -- dataplane == <host> lan0 203.0.113.10 (`host`), or lan0 is the dataplane's (`interface`)
 *                                     |
 *                                  <net> eth0 203.0.113.1, .2 (two stations)
 *
 * and the host as a client of cluster and load balancer addresses.
 */
import t, { type Test } from 'tap';
import { Cleanup, inNetns, makeNetns, mustAll, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { raiseLan } from '../internet.ts';
import { SluiceInstance } from '../rig.ts';

const CLIENTS = ['203.0.113.1', '203.0.113.2', 'fd00:95:1::1'];
const [POOL, POOL6] = ['203.0.113.200/29', 'fd00:95:1::200/125'];
const OBJECTS = `apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { containers: [{ name: c, image: none }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8000 }]
---
apiVersion: v1
kind: Service
metadata: { name: few, namespace: shop, annotations: { lbipam.cilium.io/ips: "203.0.113.206" } }
spec:
  type: LoadBalancer
  loadBalancerSourceRanges: [203.0.113.2/32]
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8000 }]
---
apiVersion: v1
kind: Service
metadata: { name: theirs, namespace: shop }
spec:
  type: LoadBalancer
  loadBalancerClass: example.com/other
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8000 }]
status: { loadBalancer: { ingress: [{ ip: 203.0.113.205 }] } }
---
apiVersion: v1
kind: Service
metadata: { name: taken, namespace: shop }
spec: { externalIPs: [203.0.113.77], selector: { app: web }, ports: [{ port: 80, targetPort: 8000 }] }
`;
const SERVER = `require('node:http').createServer((q, r) => r.end(q.socket.remoteAddress.replace('::ffff:', '')))
  .listen(8000, '::', () => console.log('listens'));`;

interface Setting {
  instance: SluiceInstance;
  host: string;
  outside: string;
  web: string;
  /** Addresses that shop/web has been given. */
  vip: string;
  vip6: string;
}

async function setting(t: Test, mode: 'host' | 'interface'): Promise<Setting> {
  const name = `sleb${mode[0]}${process.pid.toString(36)}`.slice(0, 10);
  const cleanup = new Cleanup();
  t.teardown(() => cleanup.finish());
  const { host, net: outside } = await raiseLan(name, cleanup, 'fd00:95');
  const web = `${name}-shop-web`;
  await makeNetns(cleanup, web);
  await mustAll(`ip -n ${outside} addr add 203.0.113.2/24 dev eth0`);
  const server = start(inNetns(web, [process.execPath, '-e', SERVER]));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor('the server', () => server.output().includes('listens'));
  const way = mode === 'host' ? 'mode: host' : 'interface: lan0, gateway4: 203.0.113.1, gateway6: "fd00:95:1::1"';
  const instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: host,
    netnsPrefix: `${name}-`,
    podCIDR4: '10.95.0.0/24',
    podCIDR6: 'fd00:95:9::/64',
    config: `uplink: { ${way} }\nmasquerade: { mode: always }\nloadBalancerCIDRs: { ipv4: ${POOL}, ipv6: '${POOL6}' }`,
  });
  t.teardown(() => instance.stop());
  await instance.send(OBJECTS);
  await instance.untilReady(['shop/web']);
  const { stdout } = await instance.cli(
    'get',
    'svc',
    'web',
    '-n',
    'shop',
    '-o',
    'jsonpath={.status.loadBalancer.ingress[*].ip}',
  );
  const [vip = '', vip6 = ''] = stdout.trim().split(' ');
  return { instance, host, outside, web, vip, vip6 };
}

async function curl(netns: string, address: string, ...more: string[]): Promise<string> {
  const url = `http://${address.includes(':') && !address.includes('.') ? `[${address}]` : address}/`;
  const seconds = more.length > 0 ? more : ['-m', String(PATIENCE_SEC)];
  const { stdout, stderr } = await run(inNetns(netns, ['curl', '-gsS', ...seconds, url]));
  return stdout || stderr;
}

for (const mode of ['host', 'interface'] as const) {
  t.test(`uplink.mode ${mode}: the LAN finds load balancer addresses by ARP and neighbour discovery`, async (t) => {
    const { instance, host, outside, vip, vip6 } = await setting(t, mode);
    t.match([vip, vip6], [/^203\.0\.113\.20\d$/, /^fd00:95:1::20\d$/]);
    await waitFor('the address to answer', async () => (await curl(outside, vip, '-m', '2')) === CLIENTS[0]);
    t.equal(await curl(outside, vip6), CLIENTS[2], 'the client keeps its address');
    const { stdout: neighbors } = await run(['ip', '-n', outside, 'neigh']);
    const mac = /link\/ether (\S+)/.exec((await run(['ip', '-n', host, 'link', 'show', 'lan0'])).stdout)?.[1] ?? 'none';
    t.match(neighbors, new RegExp(`${vip.replaceAll('.', '\\.')} dev eth0 lladdr ${mac}`));
    t.match(neighbors, new RegExp(`${vip6} dev eth0 lladdr ${mac}`));
    t.match(await curl(outside, `${vip}:81`, '-m', '1'), /timed out/i, 'a port that no service has');
    t.match(await curl(outside, '203.0.113.206', '-m', '1'), /timed out/i, 'a client outside loadBalancerSourceRanges');
    t.equal(await curl(outside, '203.0.113.206', '--interface', '203.0.113.2', '-m', '5'), CLIENTS[1]);
    for (const address of ['203.0.113.205', '203.0.113.77', '203.0.113.201'].filter((one) => one !== vip)) {
      t.match(
        await curl(outside, address, '-m', '2'),
        /timed out|route|reach|connect/i,
        `${address} is not ours to announce`,
      );
    }
    t.strictSame(((await instance.read('/v1/status')) as { problems: string[] }).problems, []);
    const { stdout: maps } = await instance.cli('map', 'list');
    t.match(maps, 'l2_responder');
  });
}

t.test(
  'the host reaches cluster and load balancer addresses; what moves here is told, and what goes is not answered for',
  async (t) => {
    const { instance, host, outside, vip, vip6 } = await setting(t, 'host');
    const { stdout } = await instance.cli('get', 'svc', 'web', '-n', 'shop', '-o', 'jsonpath={.spec.clusterIPs[*]}');
    for (const address of [...stdout.trim().split(' '), vip, vip6]) {
      t.match(await curl(host, address), /^10\.95\.0\.1$|^fd00:95:9::1$/, `from the host to ${address}`);
    }
    await waitFor('the address to answer', async () => (await curl(outside, vip, '-m', '2')) === CLIENTS[0]);
    // Somebody else had it: the next dataplane tells everybody that it is here.
    const wrong = '02:00:00:00:be:ef';
    await mustAll(`ip -n ${outside} neigh replace ${vip} lladdr ${wrong} dev eth0 nud stale
    ip -n ${outside} neigh replace ${vip6} lladdr ${wrong} dev eth0 nud stale
    ip netns exec ${outside} sysctl -qw net.ipv4.conf.eth0.arp_accept=1`);
    const { dataplane } = (await instance.read('/v1/status')) as { dataplane: { pid: number } };
    process.kill(dataplane.pid, 'SIGKILL');
    await waitFor('the neighbours to be told', async () => {
      const { stdout: neighbors } = await run(['ip', '-n', outside, 'neigh']);
      return !neighbors.includes(wrong);
    });
    t.equal(await curl(outside, vip), CLIENTS[0]);
    instance.agent.child.kill('SIGKILL');
    await run(['ip', '-n', outside, 'neigh', 'flush', 'dev', 'eth0']);
    t.equal(await curl(outside, vip), CLIENTS[0], 'with the agent dead');
    await instance.restartAgent();
    await instance.untilReady(['shop/web']);
    t.equal(await curl(outside, vip6), CLIENTS[2]);
    t.equal((await instance.cli('delete', 'svc', 'web', '-n', 'shop')).code, 0);
    await waitFor('nobody to answer for it', async () => {
      await run(['ip', '-n', outside, 'neigh', 'flush', 'dev', 'eth0']);
      return /timed out|route|reach|connect/i.test(await curl(outside, vip, '-m', '4'));
    });
    const { stdout: routes } = await run(['ip', '-n', host, 'route']);
    t.notMatch(routes, vip);
    t.match(routes, /10\.96\.0\.0\/16 via 169\.254\.1\.1 dev \S+_host/);
  },
);
