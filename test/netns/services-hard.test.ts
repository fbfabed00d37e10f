/**
 * Services where it is hard: bulk data on a pod that is about to go, an affinity that ends, policies about locality, one family
 * alone, names of ports that differ, fragments and ICMP errors through an address that stands for pods, HTTP rules behind it.
 *
 *   <name>-host -- <name>-shop-client, <name>-shop-web-a (8080, 5353), <name>-shop-web-b (9090, 5353)
 */
import t from 'tap';
import { Cleanup, inNetns, isListening, makeNetns, must, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { join } from 'node:path';
import { SluiceInstance } from '../rig.ts';

const name = `slvh${process.pid.toString(36)}`.slice(0, 10);
const host = `${name}-host`;
const SERVER = join(import.meta.dirname, 'named-server.js');
const PODS = { client: 1, 'web-a': 8080, 'web-b': 9090 };
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

let instance: SluiceInstance;
const netnsOf = (pod: string) => instance.netnsOf(`shop/${pod}`);

const pod = (podName: string, port: number, more = '') => `apiVersion: v1
kind: Pod
metadata: {name: ${podName}, namespace: shop, labels: {app: ${podName.replace(/-.$/, '')}, pod: ${podName}}${more}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: ${port}}, {name: echo, containerPort: 5353, protocol: UDP}]}]}
---
`;
const service = (serviceName: string, spec: string) =>
  `{apiVersion: v1, kind: Service, metadata: {name: ${serviceName}, namespace: shop}, spec: {${spec}}}\n---\n`;
const HTTP = 'ports: [{name: http, port: 80, targetPort: http}]';

const apply = (text: string) => instance.send(text);

t.before(async () => {
  await makeNetns(cleanup, host);
  instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: host,
    netnsPrefix: `${name}-`,
    createNamespaces: true,
    podCIDR4: '10.244.0.0/24',
    podCIDR6: 'fd00:10:244::/64',
    config: 'nodeName: here',
  });
  await apply(
    Object.entries(PODS)
      .map(([one, port]) => pod(one, port))
      .join(''),
  );
  await instance.untilReady(Object.keys(PODS).map((one) => `shop/${one}`));
  for (const one of ['web-a', 'web-b'] as const) {
    const server = start(inNetns(netnsOf(one), ['node', SERVER, one, String(PODS[one]), '5353']));
    cleanup.add(() => server.child.kill('SIGKILL'));
    await waitFor(`${one} to listen`, () => isListening(netnsOf(one), PODS[one]));
  }
});
t.teardown(() => instance.stop());

async function get(url: string, seconds = PATIENCE_SEC, from = 'client'): Promise<string> {
  const { code, stdout } = await run(inNetns(netnsOf(from), ['curl', '-sS', '-g', '-m', String(seconds), url]));
  return code === 0 ? stdout.trim() : `exit ${code}`;
}

async function answerers(url: string, count = 12): Promise<string[]> {
  const found = new Set<string>();
  for (let i = 0; i < count; i++) found.add((await get(url)).split(' ')[0]);
  return [...found].sort();
}

t.test('a name of a port is looked up in each pod', async (t) => {
  await apply(service('web', `selector: {app: web}, clusterIP: 10.96.0.80, ${HTTP}`));
  await waitFor('both', async () => (await answerers('http://10.96.0.80/')).join() === 'web-a,web-b');
  t.pass('8080 here and 9090 there');
});

t.test('one family alone: there is an address of that one, and of no other', async (t) => {
  await apply(
    service('four', `selector: {app: web}, ipFamilies: [IPv4], ${HTTP}`) +
      service('six', `selector: {app: web}, ipFamilies: [IPv6], ${HTTP}`),
  );
  const addresses = async (one: string) =>
    (await instance.cli('get', 'svc', one, '-n', 'shop', '-o', 'jsonpath={.spec.clusterIPs[*]}')).stdout.trim();
  t.match(await addresses('four'), /^10\.96\.\d+\.\d+$/);
  const six = await addresses('six');
  t.match(six, /^fd00:10:96::\S+$/);
  await waitFor('IPv6', async () => (await get(`http://[${six}]/`)).startsWith('web-'));
});

t.test('internalTrafficPolicy: Local without a pod here refuses, with one it leads to that', async (t) => {
  const local = `clusterIP: 10.96.0.86, internalTrafficPolicy: Local, ports: [{port: 80}]`;
  const slice = (nodeName: string) =>
    `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: local-1, namespace: shop, labels: {kubernetes.io/service-name: local}}, addressType: IPv4, ports: [{port: 8080}], endpoints: [{addresses: [${address}], nodeName: ${nodeName}}]}\n`;
  const [address] = (await must(inNetns(netnsOf('web-a'), ['hostname', '-I']))).split(' ');
  // An address that no pod has, so that the slice says where it is.
  await apply(service('local', local) + slice('elsewhere').replace(address, '198.51.100.9'));
  await waitFor('a refusal', async () => (await get('http://10.96.0.86/', 2)) === 'exit 7');
  await apply(slice('here'));
  await waitFor('the pod that is here', async () => (await get('http://10.96.0.86/')).startsWith('web-a '));
  t.pass('an endpoint of this node');
});

t.test('an affinity ends with its time', async (t) => {
  const spec = `selector: {app: web}, clusterIP: 10.96.0.83, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 1}}, ${HTTP}`;
  await apply(service('sticky', spec));
  await waitFor('an answer', async () => (await get('http://10.96.0.83/')).startsWith('web-'));
  const seen = new Set<string>();
  const pause = () => run(['sleep', '2.1']); // longer than the affinity: the clock counts whole seconds
  for (let i = 0; i < 20 && seen.size < 2; i++) {
    seen.add((await get('http://10.96.0.83/')).split(' ')[0]);
    await pause();
  }
  t.equal(seen.size, 2);
});

t.test('bulk data to a pod that is about to go ends when it is done, while new connections go elsewhere', async (t) => {
  for (const one of ['web-a', 'web-b']) {
    const server = start(inNetns(netnsOf(one), ['iperf3', '-s']));
    cleanup.add(() => server.child.kill('SIGKILL'));
    await waitFor('iperf3', () => isListening(netnsOf(one), 5201));
  }
  // iperf3 has two connections, which must meet: only web-a is there at first.
  await apply(service('bulk', 'selector: {pod: web-a}, clusterIP: 10.96.0.85, ports: [{port: 5201}]'));
  const bulk = start(inNetns(netnsOf('client'), ['iperf3', '-c', '10.96.0.85', '-t', '6', '-i', '1', '--forceflush']));
  cleanup.add(() => bulk.child.kill('SIGKILL'));
  await waitFor('data', () => /\[ *\d+\] +0\.00-/.test(bulk.output()));
  await apply(
    pod('web-a', 8080, ', deletionTimestamp: "2026-01-01T00:00:00Z"') +
      service('bulk', 'selector: {app: web}, clusterIP: 10.96.0.85, ports: [{port: 5201}]'),
  );
  await waitFor(
    'new ones to go to the other',
    async () => (await answerers('http://10.96.0.80/', 6)).join() === 'web-b',
  );
  await waitFor('the end', () => bulk.output().includes('iperf Done') || bulk.child.exitCode !== null);
  t.match(bulk.output(), /receiver[^]*iperf Done/);
  t.notMatch(bulk.output(), /error/);
  await apply(pod('web-a', 8080));
  await waitFor('both again', async () => (await answerers('http://10.96.0.80/')).join() === 'web-a,web-b');
});

t.test('datagrams in fragments, both ways', async (t) => {
  await apply(
    service(
      'echo',
      'selector: {app: web}, ipFamilyPolicy: RequireDualStack, clusterIPs: [10.96.0.87, "fd00:10:96::87"], ports: [{port: 7, targetPort: 5353, protocol: UDP}]',
    ),
  );
  const script = `const [, to] = process.argv; const s = require('node:dgram').createSocket(to.includes(':') ? 'udp6' : 'udp4');
    s.on('message', (m) => { console.log(String(m).slice(0, 5), m.length); process.exit(); });
    s.send('x'.repeat(5000), 7, to); setTimeout(() => process.exit(1), 3000);`;
  for (const address of ['10.96.0.87', 'fd00:10:96::87']) {
    let said = '';
    await waitFor(`an answer of ${address}`, async () => {
      said = (await run(inNetns(netnsOf('client'), [process.execPath, '-e', script, address]))).stdout;
      return said !== '';
    });
    t.match(said, /^web-[ab] 50\d\d/);
  }
});

t.test('ICMP errors about a Service speak of the Service', async (t) => {
  const closed = 'selector: {pod: web-a}, clusterIP: 10.96.0.88, ports: [{port: 7, targetPort: 9, protocol: UDP}]';
  await apply(service('closed', closed));
  const script = `const s = require('node:dgram').createSocket('udp4');
    s.on('error', (e) => { console.log(e.code); process.exit(); }); s.connect(7, '10.96.0.88', () => s.send('x'));
    setTimeout(() => process.exit(1), 2000);`;
  await waitFor('the refusal of a datagram', async () => {
    return (await run(inNetns(netnsOf('client'), [process.execPath, '-e', script]))).stdout.includes('ECONNREFUSED');
  });
  // A hop count of 1: the dataplane is the first router, and says so of the address that was asked for.
  const probe = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(0, 2, 1); s.setsockopt(0, 11, 1); s.settimeout(3)
s.connect(('10.96.0.88', 7)); s.send(b'x')
try:
  s.recv(1)
except OSError as e:
  print(e.strerror)
  m = s.recvmsg(512, 512, 0x2000); print(m[3], socket.inet_ntoa(m[1][0][2][20:24]), m[1][0][2][5])
`;
  const { stdout, stderr } = await run(inNetns(netnsOf('client'), ['python3', '-c', probe]));
  t.match(stdout, /No route to host[^]*\('10\.96\.0\.88', 7\) 10\.244\.0\.1 11/, stderr);
});

t.test(
  'HTTP rules hold for all who come through a Service; a pod that reaches itself is not judged, as in Cilium',
  async (t) => {
    await apply(
      `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: http, namespace: shop}, spec: {endpointSelector: {matchLabels: {pod: web-a}}, ingress: [{fromEndpoints: [{}], toPorts: [{ports: [{port: "8080", protocol: TCP}], rules: {http: [{path: "/good"}]}}]}]}}\n---\n` +
        service('self', `selector: {pod: web-a}, clusterIP: 10.96.0.81, ${HTTP}`),
    );
    await waitFor('the refusal', async () => (await get('http://10.96.0.81/bad')).includes('Access denied'));
    t.match(await get('http://10.96.0.81/good'), /^web-a \S+ GET \/good/);
    t.match(await get('http://10.96.0.81/good', PATIENCE_SEC, 'web-a'), /^web-a 169\.254\.42\.1 GET \/good/);
    t.match(await get('http://10.96.0.81/bad', PATIENCE_SEC, 'web-a'), /^web-a 169\.254\.42\.1 GET \/bad/);
  },
);
