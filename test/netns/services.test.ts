/**
 * Services end to end: what a client gets through an address that stands for pods.
 *
 *   <name>-host   sluiced, sluice-dataplane, <name>_host
 *     ├── <name>-shop-client, <name>-shop-other     clients
 *     └── <name>-shop-web-a, <name>-shop-web-b      named servers, TCP 8080 and UDP 5353
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  type Background,
  Cleanup,
  inNetns,
  isListening,
  makeNetns,
  must,
  PATIENCE_SEC,
  run,
  start,
  waitFor,
} from '../command.ts';
import { SluiceInstance } from '../rig.ts';
import { answersOf, isBroken, talk, untilAnswered } from './talk.ts';

const name = `slv${process.pid.toString(36)}`;
const host = `${name}-host`;
const SERVER = join(import.meta.dirname, 'named-server.js');
const PODS = ['client', 'other', 'web-a', 'web-b'];
const VIP = '10.96.0.80';
const VIP6 = 'fd00:10:96::80';

const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));

const pod = (podName: string, more = '') => `apiVersion: v1
kind: Pod
metadata: {name: ${podName}, namespace: shop, labels: {app: ${podName.replace(/-.$/, '')}, pod: ${podName}}${more}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}, {name: echo, containerPort: 5353, protocol: UDP}]}]}
---
`;
const service = (serviceName: string, spec: string) => `apiVersion: v1
kind: Service
metadata: {name: ${serviceName}, namespace: shop}
spec: {${spec}}
---
`;
const PORTS =
  'ports: [{name: http, port: 80, targetPort: http}, {name: echo, port: 7, targetPort: echo, protocol: UDP}]';
const WEB = service(
  'web',
  `selector: {app: web}, ipFamilyPolicy: RequireDualStack, clusterIPs: [${VIP}, "${VIP6}"], ${PORTS}`,
);

let instance: SluiceInstance;

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
    config: 'maps: { bpf-ct-global-tcp-max: 8192, bpf-ct-global-any-max: 8192, bpf-nat-global-max: 8192 }',
  });
  await apply(PODS.map((one) => pod(one)).join('') + WEB);
  await instance.untilReady(PODS.map((one) => `shop/${one}`));
  for (const one of ['web-a', 'web-b']) {
    const server = start(inNetns(netnsOf(one), ['node', SERVER, one, '8080', '5353']));
    cleanup.add(() => server.child.kill('SIGKILL'));
    await waitFor(`${one} to listen`, () => isListening(netnsOf(one), 8080));
  }
  await untilBackends(VIP, 2);
});
t.teardown(() => instance.stop());

const netnsOf = (one: string) => instance.netnsOf(`shop/${one}`);

const apply = (text: string) => instance.send(text);
const remove = (kind: string, ...names: string[]) =>
  instance.send(JSON.stringify(names.map((one) => ({ kind, namespace: 'shop', name: one }))), 'delete');

interface ServiceRow {
  readonly id: number;
  readonly frontend: string;
  readonly backends: readonly { readonly address: string; readonly state: string }[];
}

async function rows(): Promise<ServiceRow[]> {
  return JSON.parse((await instance.cli('service', 'list', '-o', 'json')).stdout) as ServiceRow[];
}

async function untilBackends(address: string, count: number): Promise<void> {
  const has = async () =>
    (await rows()).some(({ frontend, backends }) => frontend.startsWith(`${address}:`) && backends.length === count);
  await waitFor(`${count} backends of ${address}`, has);
}

/** What curl is answered; its exit code when it is not. @param seconds for as long silence is waited for */
async function get(from: string, url: string, seconds = PATIENCE_SEC): Promise<string> {
  const argv = ['curl', '-sS', '-g', '-m', String(seconds), '-w', '\n%{http_code}', url];
  const { code, stdout } = await run(inNetns(netnsOf(from), argv));
  return code === 0 ? stdout.trim() : `exit ${code}`;
}
const REFUSED = 'exit 7';
const SILENCE = 'exit 28';

/** Servers that answered so many requests of their own connections. */
async function answerers(from: string, url: string, count = 12): Promise<Set<string>> {
  const found = new Set<string>();
  for (let i = 0; i < count; i++) found.add((await get(from, url)).split(' ')[0]);
  return found;
}

async function echo(from: string, address: string, port: number): Promise<string> {
  const argv = ['nc', '-nu', '-w', '5', '-W', '1', address, String(port)];
  return (await run(inNetns(netnsOf(from), argv), { input: 'hello\n' })).stdout.trim();
}

/** A connection that talks until the test ends. */
const talkFrom = (from: string, address: string, port: number, ...more: string[]) =>
  talk(netnsOf(from), cleanup, address, port, ...more);

t.test('TCP and UDP of both families lead to either pod, and the client is who it is', async (t) => {
  t.same(await answerers('client', `http://${VIP}/x`), new Set(['web-a', 'web-b']));
  t.same(await answerers('client', `http://[${VIP6}]/x`), new Set(['web-a', 'web-b']));
  const [address] = (await must(inNetns(netnsOf('client'), ['hostname', '-I']))).split(' ');
  t.match(await get('client', `http://${VIP}/path`), new RegExp(`^web-[ab] ${address} GET /path`));
  const flows = (await instance.cli('observe', '--to-service', 'shop/web', '--last', '1', '-o', 'json')).stdout;
  t.match(JSON.parse(flows), { flow: { destination: { namespace: 'shop' }, destination_service: { name: 'web' } } });
  t.match(await echo('client', VIP, 7), new RegExp(`^web-[ab] ${address} hello$`));
  t.match(await echo('client', VIP6, 7), /^web-[ab] \S+ hello$/);
});

t.test('a pod reaches itself through its own Service, as somebody else', async (t) => {
  const spec = 'selector: {pod: web-a}, ipFamilyPolicy: RequireDualStack, clusterIPs: [10.96.0.81, "fd00:10:96::81"], ';
  await apply(service('self', `${spec}${PORTS}`));
  t.match(await get('web-a', 'http://10.96.0.81/x'), /^web-a 169\.254\.42\.1 GET \/x[^]*200$/);
  t.match(await get('web-a', 'http://[fd00:10:96::81]/x'), /^web-a fd00:10:96:ffff::1 GET/);
  t.equal(await echo('web-a', '10.96.0.81', 7), 'web-a 169.254.42.1 hello');
  await remove('Service', 'self');
  t.equal(await get('web-a', 'http://10.96.0.81/x', 1), SILENCE, "an address that is nobody's any more");
});

t.test(
  'a port that the Service has not is dropped, one without pods refuses, a headless one has no address',
  async (t) => {
    t.equal(await get('client', `http://${VIP}:81/`, 1), SILENCE);
    await apply(
      service('empty', 'selector: {app: nobody}, clusterIP: 10.96.0.82, ports: [{port: 80}]') +
        service('headless', 'selector: {app: web}, clusterIP: None, ports: [{port: 80}]') +
        service('named', 'type: ExternalName, externalName: db.example'),
    );
    t.equal(await get('client', 'http://10.96.0.82/'), REFUSED);
    t.equal(await get('client', `http://[${VIP6}]:81/`, 1), SILENCE);
    const metrics = (await instance.cli('bpf', 'metrics', 'list')).stdout;
    t.match(metrics, /[Ss]ervice/, 'each with a reason of its own');
    const { stdout } = await instance.cli('get', 'svc', '-n', 'shop', '--no-headers');
    t.match(stdout, /headless +ClusterIP +None/);
    t.match(stdout, /named +ExternalName +<none> +db\.example/);
    t.notOk((await rows()).some(({ frontend }) => frontend.startsWith('None')));
    await remove('Service', 'empty', 'headless', 'named');
  },
);

t.test('with affinity a client keeps its pod', async (t) => {
  const spec = `selector: {app: web}, clusterIP: 10.96.0.83, sessionAffinity: ClientIP, ${PORTS}`;
  await apply(service('sticky', spec));
  t.equal((await answerers('client', 'http://10.96.0.83/', 16)).size, 1);
  t.equal((await answerers('other', 'http://10.96.0.83/', 16)).size, 1);
  await remove('Service', 'sticky');
});

t.test('Maglev leads every connection somewhere, and a node port is on the address of the host', async (t) => {
  await apply(
    service(
      'node',
      `type: NodePort, selector: {app: web}, clusterIP: 10.96.0.84, ports: [{port: 80, targetPort: http, nodePort: 30080}]`,
    ).replace('namespace: shop}', 'namespace: shop, annotations: {service.cilium.io/lb-algorithm: maglev}}'),
  );
  t.ok((await answerers('client', 'http://10.96.0.84/')).has('web-a'));
  t.match(await get('client', 'http://10.244.0.1:30080/'), /^web-[ab] /);
  await remove('Service', 'node');
});

const cnp = (policy: string, app: string, rules: string) =>
  `apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: ${policy}, namespace: shop}\nspec: {endpointSelector: {matchLabels: {app: ${app}}}, ${rules}}\n---\n`;

t.test('policy is about the pods, whichever address they are asked by', async (t) => {
  await apply(cnp('egress', 'client', 'egress: [{toServices: [{k8sService: {serviceName: web, namespace: shop}}]}]'));
  t.match(await get('client', `http://${VIP}/`), /^web-/);
  await apply(cnp('egress', 'client', `egress: [{toCIDR: [${VIP}/32]}]`));
  t.equal(await get('client', `http://${VIP}/`, 1), SILENCE, 'a rule for the address of the Service means nobody');
  await apply(
    cnp(
      'egress',
      'client',
      'egress: [{toEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: "8080", protocol: TCP}]}]}]',
    ),
  );
  t.match(await get('client', `http://${VIP}/`), /^web-/, 'the port is that of the pod');
  await remove('CiliumNetworkPolicy', 'egress');
  const rule = 'toPorts: [{ports: [{port: "8080", protocol: TCP}], rules: {http: [{method: GET, path: /open}]}}]';
  await apply(cnp('ingress', 'web', `ingress: [{fromEndpoints: [{matchLabels: {app: client}}], ${rule}}]`));
  t.match(await get('client', `http://${VIP}/open`), /^web-[^]*200$/);
  t.match(await get('client', `http://${VIP}/shut`), /403$/);
  t.equal(await get('other', `http://${VIP}/open`, 1), SILENCE);
  await remove('CiliumNetworkPolicy', 'ingress');
});

t.test(
  'a pod that is about to go keeps its connections; one that is gone ends TCP, and UDP goes elsewhere',
  async (t) => {
    const datagrams = talkFrom('client', VIP, 7, 'udp');
    await untilAnswered(datagrams);
    const serverOf = (one: Background) => answersOf(one)[0].split(' ')[0];
    const doomed = serverOf(datagrams);
    const spared = doomed === 'web-a' ? 'web-b' : 'web-a';
    const talkers: Background[] = [];
    while (!talkers.some((one) => serverOf(one) === doomed) || !talkers.some((one) => serverOf(one) === spared)) {
      talkers.push(talkFrom('client', VIP, 80));
      await untilAnswered(talkers[talkers.length - 1]);
    }
    await apply(pod(doomed, ', deletionTimestamp: "2026-01-01T00:00:00Z"'));
    for (const one of [...talkers, datagrams]) await untilAnswered(one);
    t.same(await answerers('client', `http://${VIP}/`), new Set([spared]), 'new connections go to the other');
    await apply(pod(doomed).replace(`app: ${doomed.replace(/-.$/, '')},`, 'app: gone,'));
    await waitFor('UDP to go elsewhere', () => answersOf(datagrams).at(-1)?.startsWith(spared) === true);
    for (const one of talkers) {
      if (serverOf(one) === doomed) {
        await waitFor('a reset', () => /error ECONNRESET/.test(one.output()));
        t.match(one.output(), /closed/);
      } else await untilAnswered(one);
    }
    for (const one of [...talkers, datagrams]) await one.stop();
    await apply(pod(doomed));
    await untilBackends(VIP, 2);
  },
);

const MANY = 100;

/** The last line that each of many connections had answered. */
function progressOf(talker: Background): number[] {
  const last = new Array<number>(MANY).fill(-1);
  for (const [, id, number] of talker.output().matchAll(/^(\d+): \S+ \S+ (\d+)$/gm)) last[Number(id)] = Number(number);
  return last;
}

async function untilAllAnswered(talker: Background, more = 5): Promise<void> {
  const before = progressOf(talker);
  const isPast = () => progressOf(talker).every((number, i) => number >= before[i] + more);
  await waitFor(`${more} more answers on ${MANY} connections`, isPast);
}

t.test('connections live through kill -9 of the agent and of the dataplane', async (t) => {
  const talkers = [
    talkFrom('client', VIP, 80),
    talkFrom('client', VIP6, 80),
    talkFrom('other', VIP, 80),
    talkFrom('client', VIP, 7, 'udp'),
  ];
  const many = talkFrom('client', VIP, 80, 'tcp', String(MANY));
  for (const one of talkers) await untilAnswered(one);
  await untilAllAnswered(many);
  const before = await rows();
  instance.agent.child.kill('SIGKILL');
  await instance.untilAgentEnded();
  for (const one of talkers) await untilAnswered(one);
  t.match(await get('client', `http://${VIP}/`), /^web-/, 'new ones too, while there is no agent');
  t.same(await rows(), before, 'and the command line reads the tables');
  await instance.restartAgent();
  await instance.untilReady(PODS.map((one) => `shop/${one}`));
  for (const one of talkers) await untilAnswered(one);
  await untilAllAnswered(many);
  t.same(await rows(), before, 'the same ids and backends');
  const pid = Number(/"pid":(\d+)/.exec((await instance.cli('status', '-o', 'jsonpath={.dataplane}')).stdout)?.[1]);
  process.kill(pid, 'SIGKILL');
  for (const one of talkers) await untilAnswered(one);
  await untilAllAnswered(many);
  t.notOk([many, ...talkers].some(isBroken));
  for (const one of [many, ...talkers]) await one.stop();
});

t.test('a pod is reached through an EndpointSlice, and a Service keeps its address over a restart', async (t) => {
  const [address] = (await must(inNetns(netnsOf('web-b'), ['hostname', '-I']))).split(' ');
  const slice = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: by-hand, namespace: shop, labels: {kubernetes.io/service-name: by-hand}}
addressType: IPv4
endpoints: [{addresses: [${address}]}]
ports: [{port: 8080}]
`;
  await apply(service('by-hand', 'ports: [{port: 8000}]') + slice);
  const { stdout: given } = await instance.cli(
    'get',
    'svc',
    'by-hand',
    '-n',
    'shop',
    '-o',
    'jsonpath={.spec.clusterIP}',
  );
  t.match(await get('client', `http://${given.trim()}:8000/`), /^web-b/);
  instance.agent.child.kill('SIGKILL');
  await instance.restartAgent();
  const { stdout: again } = await instance.cli(
    'get',
    'svc',
    'by-hand',
    '-n',
    'shop',
    '-o',
    'jsonpath={.spec.clusterIP}',
  );
  t.equal(again, given);
  await remove('Service', 'by-hand');
  await remove('EndpointSlice', 'by-hand');
});

t.test('bulk data goes through an address of a Service', async (t) => {
  const server = start(inNetns(netnsOf('web-a'), ['iperf3', '-s']));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor('iperf3', () => isListening(netnsOf('web-a'), 5201));
  await apply(service('bulk', 'selector: {pod: web-a}, clusterIP: 10.96.0.85, ports: [{port: 5201}]'));
  const { stdout } = await run(inNetns(netnsOf('client'), ['iperf3', '-c', '10.96.0.85', '-n', '64M', '-J']));
  const { end } = JSON.parse(stdout) as { end: { sum_received: { bytes: number } } };
  t.ok(end.sum_received.bytes > 60e6, `${end.sum_received.bytes} bytes`);
  await server.stop();
  await remove('Service', 'bulk');
});

const HAS_SCTP = readFileSync('/proc/net/protocols', 'utf8').includes('SCTP');

t.test('SCTP', { skip: HAS_SCTP ? false : 'this kernel has no SCTP' }, async (t) => {
  const ECHO = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
s.bind(("0.0.0.0", 9000)); s.listen(); print("listening", flush=True)
while True:
    c, _ = s.accept(); c.sendall(c.recv(100)); c.close()`;
  const ASK = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132); s.settimeout(20)
s.connect(("10.96.0.86", 9)); s.sendall(b"hello"); print(s.recv(100).decode())`;
  for (const [file, text] of [
    ['echo.py', ECHO],
    ['ask.py', ASK],
  ])
    writeFileSync(join(folder, file), text);
  const server = start(inNetns(netnsOf('web-a'), ['python3', join(folder, 'echo.py')]));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor('the server', () => server.output().includes('listening'));
  await apply(
    service(
      'sctp',
      'selector: {pod: web-a}, clusterIP: 10.96.0.86, ports: [{port: 9, targetPort: 9000, protocol: SCTP}]',
    ),
  );
  t.equal((await must(inNetns(netnsOf('client'), ['python3', join(folder, 'ask.py')]))).trim(), 'hello');
  await server.stop();
  await remove('Service', 'sctp');
});
