/**
 * The agent on a machine of its own: attaching, surviving, reporting, and leaving nothing behind.
 *
 *   <name>-host   sluiced, sluice-dataplane, <name>_host
 *     ├── veth ── <name>-shop-veth
 *     ├── TAP  ── <name>-shop-tap
 *     ├── pair made here ── <name>-shop-own      10.95.9.9, outside the pod ranges
 *     └── uplink `out0` ── <name>-outside          192.0.2.2, gateway of the pods
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  Cleanup,
  inNetns,
  isListening,
  makeNetns,
  must,
  mustAll,
  PATIENCE_SEC,
  run,
  start,
  waitFor,
} from '../command.ts';
import { programPath } from '../../linux/programs.ts';
import { SluiceInstance } from '../rig.ts';

const AGENT = programPath('sluiced');
const name = `sld${process.pid.toString(36)}`;
const host = `${name}-host`;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
const manifests = mkdtempSync(join(folder, 'manifests-'));

const pod = (namespace: string, podName: string, annotations = '{}', rest = '') =>
  `apiVersion: v1
kind: Pod
metadata: { name: ${podName}, namespace: ${namespace}, labels: { app: ${podName} }, annotations: ${annotations} }
spec: { containers: [{ name: c, image: none }] }
${rest}`;
const WORLD = [
  pod('shop', 'veth'),
  pod('shop', 'tap', '{ sluice.io/attach: tap }'),
  pod(
    'shop',
    'own',
    `{ sluice.io/interface: ${name}own }`,
    'status: { podIPs: [{ ip: 10.95.9.9 }, { ip: "fd00:95::9" }] }',
  ),
  pod('shop', 'late'),
].join('\n---\n');
const policy = (policyName: string, app: string, ingress: string) =>
  `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: ${policyName}, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: ${app} } }
  ingress: ${ingress}
`;

const cleanup = new Cleanup();
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
t.teardown(() => cleanup.finish());
t.jobs = 1;

let instance: SluiceInstance;

t.before(async () => {
  await makeNetns(cleanup, host, `${name}-outside`, `${name}-shop-veth`, `${name}-shop-tap`, `${name}-shop-own`);
  const [own, outside] = [`${name}-shop-own`, `${name}-outside`];
  await mustAll(`
    ip -n ${host} link add ${name}own type veth peer name eth0 netns ${own}
    ip -n ${host} link set ${name}own up
    ip -n ${own} link set eth0 up
    ip -n ${own} addr add 10.95.9.9/32 dev eth0
    ip -n ${own} route add default dev eth0
    ip -n ${own} addr add fd00:95::9/128 dev eth0 nodad
    ip -n ${own} route add ::/0 dev eth0
    ip -n ${host} link add out0 type veth peer name eth0 netns ${outside}
    ip -n ${host} addr add 192.0.2.1/24 dev out0
    ip -n ${host} link set out0 up
    ip -n ${outside} addr add 192.0.2.2/24 dev eth0
    ip -n ${outside} link set eth0 up
    ip -n ${outside} route add 10.95.0.0/16 via 192.0.2.1
    ip -n ${outside} addr add fd00:95:f::1/32 dev eth0 nodad`);
  instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: host,
    netnsPrefix: `${name}-`,
    podCIDR4: '10.95.0.0/24',
    podCIDR6: 'fd00:95:1::/64',
    config: `manifests: ${manifests}
uplink: { interface: out0, gateway4: 192.0.2.2, gateway6: "fd00:95:f::1" }
maps: { bpf-policy-map-max: 40 }
healthProbeInterval: 1`,
  });
  await instance.send(WORLD);
  await instance.untilReady(['shop/veth', 'shop/tap', 'shop/own']);
});

interface Endpoint {
  id: number;
  namespace: string;
  pod: string;
  state: string;
  problem?: string;
  ipv4: string;
  ipv6: string;
  interface: string;
  identity: number;
  health: Record<string, { isReachable: boolean } | undefined>;
}

async function endpoint(podName: string): Promise<Endpoint> {
  const all = (await instance.read('/v1/endpoints')) as Endpoint[];
  const found = all.find((one) => one.pod === podName);
  if (found === undefined) throw new Error(`no endpoint ${podName}`);
  return found;
}

const netns = (podName: string) => `${name}-shop-${podName}`;
const status = () =>
  instance.read('/v1/status') as Promise<{ problems: string[]; dataplane: { pid: number; state: string } }>;

/** Waits until the agent has nothing to complain of. */
const untilWell = () => waitFor('no problem to be left', async () => (await status()).problems.length === 0);

/** Whether an echo request is answered in the end. */
async function reaches(from: string, address: string): Promise<boolean> {
  const { code } = await run(inNetns(from, ['ping', '-c1', '-i0.2', `-w${PATIENCE_SEC / 2}`, address]));
  return code === 0;
}

/** Whether no echo request is answered for two seconds. */
async function isSilent(from: string, address: string): Promise<boolean> {
  const { code } = await run(inNetns(from, ['ping', '-c1', '-i0.2', '-w2', address]));
  return code === 1;
}

/**
 * Pings at 100 a second until `work` is done and a later request is answered; how many before that were not. Counts from
 * the first line that is still there: of a long output only the end is kept.
 */
async function lostDuring(from: string, address: string, work: () => Promise<void>): Promise<number> {
  const ping = start(inNetns(from, ['ping', '-i0.01', address]));
  const answered = () => [...ping.output().matchAll(/icmp_seq=(\d+) ttl/g)].map(([, sequence]) => Number(sequence));
  await waitFor('the first answer', () => answered().some((sequence) => sequence >= 3));
  await work();
  const before = answered().at(-1) ?? 0;
  await waitFor('an answer afterwards', () => (answered().at(-1) ?? 0) > before + 3);
  await ping.stop();
  const all = answered();
  return Math.max(...all) - Math.min(...all) + 1 - new Set(all).size;
}

t.test('pods on a veth, a TAP and a pair of others reach one another and the host, over IPv4 and IPv6', async (t) => {
  const pods = await Promise.all(['veth', 'tap', 'own'].map(endpoint));
  for (const from of pods) {
    const others = pods.filter((one) => one !== from).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
    for (const address of [...others, '10.95.0.1', 'fd00:95:1::1']) {
      t.ok(await reaches(netns(from.pod), address), `${from.pod} -> ${address}`);
    }
  }
  for (const { ipv4, ipv6 } of pods) for (const to of [ipv4, ipv6]) t.ok(await reaches(host, to), `host -> ${to}`);
});

t.test('what is no pod goes out by the uplink, and comes in by it', async (t) => {
  for (const to of ['192.0.2.2', 'fd00:95:f::1']) t.ok(await reaches(netns('tap'), to), to); // out0 has no IPv6 address
  t.ok(await reaches(`${name}-outside`, (await endpoint('veth')).ipv4));
});

t.test('the host stack sees nothing of what the dataplane forwards', async (t) => {
  const { stdout } = await run(inNetns(host, ['nft', 'list', 'table', 'netdev', name]));
  for (const device of [(await endpoint('veth')).interface, `${name}own`, `${name}_net`, 'out0']) {
    t.match(stdout, new RegExp(`hook ingress device "${device}"[^}]*policy drop`), device);
  }
});

t.test('health probes reach every address of every pod', async () => {
  await waitFor('health of all', async () => {
    const all = await Promise.all(['veth', 'tap', 'own'].map(endpoint));
    return all.every(({ ipv4, ipv6, health }) => health[ipv4]?.isReachable && health[ipv6]?.isReachable);
  });
});

t.test('a pod whose namespace is missing is reported, and attached when it appears', async (t) => {
  await waitFor('the problem', async () => (await endpoint('late')).state === 'waiting');
  t.match(await endpoint('late'), { problem: /namespace missing: ip netns add .*shop-late/ });
  t.match((await status()).problems, [/pod shop\/late: namespace missing/]);
  await makeNetns(cleanup, netns('late'));
  await instance.untilReady(['shop/late']);
  t.ok(await reaches(netns('late'), (await endpoint('tap')).ipv4));
  await untilWell();
});

t.test('a namespace that is removed and made again is attached again', async (t) => {
  const before = await endpoint('late');
  await must(['ip', 'netns', 'del', netns('late')]);
  await waitFor('the loss to be seen', async () => (await endpoint('late')).state !== 'ready');
  await makeNetns(cleanup, netns('late'));
  await instance.untilReady(['shop/late']);
  t.match(await endpoint('late'), { id: before.id, identity: before.identity, ipv4: before.ipv4 });
  t.ok(await reaches(netns('late'), (await endpoint('veth')).ipv4));
});

t.test('a pod that is ready is connected: not one of its first questions is lost', async (t) => {
  const { ipv4, ipv6 } = await endpoint('own');
  for (const mode of ['veth', 'tap']) {
    for (const round of [1, 2, 3]) {
      const podName = `new-${mode}-${round}`;
      await makeNetns(cleanup, netns(podName));
      await instance.send(pod('shop', podName, `{ sluice.io/attach: ${mode} }`));
      await instance.untilReady([`shop/${podName}`]);
      const answers = await Promise.all([ipv4, ipv6].map((address) => reaches(netns(podName), address)));
      t.strictSame(answers, [true, true], podName);
      await waitFor('an answer to each question', async () => {
        const counters = await must(inNetns(netns(podName), ['cat', '/proc/net/snmp6']));
        const count = (name: string) => Number(new RegExp(`^Icmp6${name}\\s+(\\d+)$`, 'm').exec(counters)?.[1]);
        const asked = count('OutNeighborSolicits');
        return asked > 0 && asked === count('InNeighborAdvertisements');
      });
      await instance.send(pod('shop', podName), 'delete');
    }
  }
});

t.test('the host reaches pods outside the pod ranges, however they are attached', async (t) => {
  const addresses = { veth: '10.95.9.21', tap: '10.95.9.22', pcap: '10.95.9.23' };
  const documents = Object.entries(addresses)
    .map(([mode, ip]) => pod('shop', `far-${mode}`, `{ sluice.io/attach: ${mode} }`, `status: { podIP: ${ip} }`))
    .join('\n---\n');
  const modes = Object.keys(addresses);
  await makeNetns(cleanup, ...modes.map((mode) => netns(`far-${mode}`)));
  await instance.send(documents);
  await instance.untilReady(modes.map((mode) => `shop/far-${mode}`));
  for (const [mode, ip] of Object.entries(addresses)) t.ok(await reaches(host, ip), mode);
  await instance.send(documents, 'delete');
});

t.test('pods read through libpcap carry TCP, and one that removes its interface takes nobody down', async (t) => {
  const { dataplane } = await status();
  const annotations = '{ sluice.io/attach: pcap }';
  const outside = 'status: { podIPs: [{ ip: 10.95.8.8 }, { ip: "fd00:95::88" }] }'; // of the pod ranges
  const documents = `${pod('shop', 'pcap1', annotations)}\n---\n${pod('shop', 'pcap2', annotations, outside)}`;
  await makeNetns(cleanup, netns('pcap1'), netns('pcap2'));
  await instance.send(documents);
  await instance.untilReady(['shop/pcap1', 'shop/pcap2']);
  const { ipv4, ipv6 } = await endpoint('veth');
  const server = start(inNetns(netns('veth'), ['iperf3', '-s', '-1']));
  await waitFor('iperf3 to listen', () => isListening(netns('veth'), 5201));
  await must(inNetns(netns('pcap1'), ['iperf3', '-n', '1M', '-c', ipv6]));
  await server.stop();
  t.ok(await reaches(netns('pcap2'), (await endpoint('pcap1')).ipv4), 'from one to the other');
  await waitFor('the host to reach a pcap pod outside the pod ranges', () => reaches(host, '10.95.8.8'));
  t.match(await must(inNetns(host, ['ip', 'route', 'get', '10.95.8.8'])), `dev ${name}_host`);
  // libpcap's package ends its process when an interface goes before the port is closed.
  const child = await must(['ps', '--ppid', String(dataplane.pid), '-o', 'pid=']);
  process.kill(Number(child), 'SIGABRT');
  t.ok(await reaches(netns('pcap2'), ipv4), 'goes on in another process');
  await must(['ip', '-n', netns('pcap1'), 'link', 'del', 'eth0']);
  t.ok(await reaches(netns('pcap2'), ipv6), 'the other one goes on');
  t.ok(await reaches(netns('veth'), (await endpoint('pcap2')).ipv6), 'and is reached');
  await waitFor('pcap1 to be attached anew', () => reaches(netns('pcap1'), ipv4));
  t.equal((await status()).dataplane.pid, dataplane.pid, 'the dataplane lives');
  await instance.send(documents, 'delete');
});

t.test('faults and traces are put on ports while they run, and taken off', async (t) => {
  const { ipv4 } = await endpoint('own');
  const ping = ['ping', '-c3', '-i0.2', '-W2', ipv4];
  for (const podName of ['veth', 'tap']) {
    const { id } = await endpoint(podName);
    const annotate = (more: string) => instance.send(pod('shop', podName, `{ sluice.io/attach: ${podName}${more} }`));
    await annotate(', sluice.io/fault: drop=100%, sluice.io/trace: "true"');
    await waitFor('no ping to come through', async () => (await run(inNetns(netns(podName), ping))).code !== 0);
    await annotate(', sluice.io/fault: "delay=40ms,seed=5", sluice.io/trace: "true"');
    await waitFor('pings to come through', () => reaches(netns(podName), ipv4));
    const delayed = await must(inNetns(netns(podName), ping));
    t.ok(Number(/= ([\d.]+)\//.exec(delayed)?.[1]) >= 40, `${podName}: each comes late: ${delayed}`);
    const log = join(instance.runDir, 'dataplane.log');
    await waitFor('frames to be told', () => / trace in .* 0x0800/.test(readFileSync(log, 'utf8')));
    await annotate('');
    await waitFor('pings to be fast again', async () => {
      const fast = await must(inNetns(netns(podName), ping));
      return Number(/= ([\d.]+)\//.exec(fast)?.[1]) < 40;
    });
    t.equal((await endpoint(podName)).id, id, `${podName}: was never attached anew`);
  }
  t.match((await instance.cli('bpf', 'metrics', 'list')).stdout, /Dropped on purpose/);
});

for (const mode of ['veth', 'tap']) {
  t.test(`an eth0 of somebody else's is left alone (${mode})`, async (t) => {
    await makeNetns(cleanup, netns(`taken-${mode}`));
    await must(['ip', '-n', netns(`taken-${mode}`), 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other']);
    const document = pod('shop', `taken-${mode}`, `{ sluice.io/attach: ${mode} }`);
    await instance.send(document);
    await waitFor('the refusal', async () => (await endpoint(`taken-${mode}`)).state === 'failed');
    t.match((await endpoint(`taken-${mode}`)).problem, /has an eth0 of somebody else's/);
    await instance.send(document, 'delete');
    t.equal((await run(['ip', '-n', netns(`taken-${mode}`), 'link', 'show', 'eth0'])).code, 0);
  });
}

t.test('a policy that does not fit closes its endpoint and is reported', async (t) => {
  const ports = Array.from({ length: 30 }, (_, i) => `{ port: "${1000 + i * 7}", protocol: TCP }`).join(', ');
  const big = policy('big', 'veth', `[{ fromEndpoints: [{}] }, { toPorts: [{ ports: [${ports}] }] }]`);
  const { ipv4, id } = await endpoint('veth');
  await instance.send(big);
  t.match((await status()).problems, [new RegExp(`endpoint ${id} is closed: .*policy_${id}`)]);
  t.same([(await endpoint('veth')).state, await isSilent(netns('tap'), ipv4)], ['closed', true]);
  await instance.send(big, 'delete');
  await untilWell();
  t.ok(await reaches(netns('tap'), ipv4));
});

t.test('the directory of manifests is live; a broken file keeps its last good version', async (t) => {
  const file = join(manifests, 'deny.yaml');
  const put = (text: string) => {
    writeFileSync(`${file}.part`, text);
    renameSync(`${file}.part`, file);
  };
  const { ipv4 } = await endpoint('veth');
  const policies = async () => ((await instance.read('/v1/policies')) as unknown[]).length;
  put(policy('deny', 'veth', '[{}]'));
  await waitFor('the policy', async () => (await policies()) === 1);
  t.ok(await isSilent(netns('tap'), ipv4));
  put('kind: CiliumNetworkPolicy\nspec: [\n');
  await waitFor('the problem', async () => (await status()).problems.some((one) => one.startsWith(`${file}:`)));
  t.equal(await policies(), 1);
  rmSync(file);
  await waitFor('the policy to go', async () => (await policies()) === 0);
  await untilWell();
  t.ok(await reaches(netns('tap'), ipv4));
});

t.test('killing the agent costs nothing; the next one takes over what it finds', async (t) => {
  const before = await Promise.all(['veth', 'tap', 'own'].map(endpoint));
  const { dataplane } = await status();
  const links = await must(['ip', '-n', host, '-o', 'link']);
  const takeOver = async () => {
    process.kill(instance.agent.pid, 'SIGKILL');
    await instance.restartAgent();
    await instance.untilReady(['shop/veth', 'shop/tap', 'shop/own']);
  };
  const lost = await lostDuring(netns('veth'), before[1].ipv4, takeOver);
  t.equal(lost, 0, 'echo requests unanswered');
  t.equal((await status()).dataplane.pid, dataplane.pid);
  const after = await Promise.all(['veth', 'tap', 'own'].map(endpoint));
  const identity = ({ id, ipv4, ipv6, identity: number, interface: device }: Endpoint) => [
    id,
    ipv4,
    ipv6,
    number,
    device,
  ];
  t.strictSame(after.map(identity), before.map(identity));
  t.equal(await must(['ip', '-n', host, '-o', 'link']), links, 'no interface was made anew');
});

t.test('a killed dataplane is replaced, TAP and veth and connections with it', async (t) => {
  const { dataplane } = await status();
  const replaced = async () => {
    process.kill(dataplane.pid, 'SIGKILL');
    await waitFor('another', async () => {
      const now = (await status()).dataplane;
      return now.pid !== dataplane.pid && now.state === 'running';
    });
  };
  await lostDuring(netns('tap'), (await endpoint('veth')).ipv6, replaced);
  t.ok(await reaches(netns('tap'), (await endpoint('veth')).ipv6));
  t.ok(await reaches(netns('veth'), (await endpoint('tap')).ipv4));
});

t.test('agent and dataplane killed together: the next agent finds pods and TAP as they were', async (t) => {
  const before = await endpoint('tap');
  for (const pid of instance.pids()) process.kill(pid, 'SIGKILL');
  await instance.restartAgent();
  await instance.untilReady(['shop/veth', 'shop/tap', 'shop/own']);
  t.match(await endpoint('tap'), { id: before.id, ipv4: before.ipv4, identity: before.identity });
  await waitFor('the dataplane', async () => (await status()).dataplane.state === 'running');
  t.ok(await reaches(netns('tap'), (await endpoint('veth')).ipv4));
  t.ok(await reaches(netns('veth'), before.ipv6));
});

t.test('a dataplane that its agent had no time to note is ended, and another takes its place', async (t) => {
  const { dataplane } = await status();
  process.kill(instance.agent.pid, 'SIGKILL');
  rmSync(join(instance.runDir, 'state/dataplane.json'));
  await instance.restartAgent();
  await instance.untilReady(['shop/veth', 'shop/tap', 'shop/own']);
  t.equal(instance.dataplanePids().length, 1);
  t.not((await status()).dataplane.pid, dataplane.pid);
  t.ok(await reaches(netns('tap'), (await endpoint('veth')).ipv4));
});

t.test('SIGUSR2 ends the agent and nothing else', async (t) => {
  const { dataplane } = await status();
  const lost = await lostDuring(netns('veth'), (await endpoint('own')).ipv4, async () => {
    process.kill(instance.agent.pid, 'SIGUSR2');
    await waitFor('the end', () => instance.agent.child.exitCode !== null);
    t.equal(instance.agent.child.exitCode, 0);
    await instance.restartAgent();
  });
  t.equal(lost, 0);
  t.equal((await status()).dataplane.pid, dataplane.pid);
});

const agentHere = (...args: string[]) => run(['nsenter', `--net=/run/netns/${host}`, process.execPath, AGENT, ...args]);
const agentAgain = () => agentHere('--config', instance.configFile);

t.test('a pod range that another device holds is refused, naming both', async (t) => {
  const other = `${name}x`;
  for (const [range, why] of [
    ['10.95.0.0/24', `podCIDRs.ipv4: 10.95.0.0/24 is routed through ${name}_host here already`],
    ['192.0.0.0/16', 'podCIDRs.ipv4: 192.0.0.0/16, of which 192.0.2.0/24 is routed through out0 here already'],
  ]) {
    const options = ['--name', other, '--set', `podCIDRs.ipv4=${range}`, '--set', 'podCIDRs.ipv6=fd00:96::/64'];
    const { code, stderr } = await agentHere(...options);
    t.equal(code, 1);
    t.ok(stderr.startsWith(`sluiced: ${why}`), stderr);
    t.match(stderr, /give another podCIDRs\.ipv4/);
    t.notOk(existsSync(`/run/${other}`), 'nothing is left of it');
  }
  t.notMatch(await must(['ip', '-n', host, '-o', 'link']), `${other}_`);
});

t.test('an interface of others is left alone, even if it has the name of one of ours', async (t) => {
  const other = `${name}y`;
  await must(['ip', '-n', host, 'link', 'add', `${other}_net`, 'type', 'veth', 'peer', 'name', `${other}peer`]);
  const ranges = ['--set', 'podCIDRs.ipv4=10.98.0.0/24', '--set', 'podCIDRs.ipv6='];
  const { code, stderr } = await agentHere('--name', other, ...ranges);
  t.equal(code, 1);
  t.match(stderr, `make ${other}_net: there is an interface of this name that this instance did not make: remove it`);
  t.equal((await run(['ip', '-n', host, 'link', 'show', `${other}_net`])).code, 0);
  await must(['ip', '-n', host, 'link', 'del', `${other}_net`]);
});

t.test('a second agent for the same run directory is refused', async (t) => {
  const { code, stderr } = await agentAgain();
  t.equal(code, 1);
  t.match(stderr, new RegExp(`another sluiced \\(pid ${instance.agent.pid}\\) serves ${instance.runDir}`));
  t.equal(stderr.trim().split('\n').length, 1, 'one sentence');
});

t.test('wrong usage of sluiced ends with 2', async (t) => {
  const { code, stderr } = await agentHere('--frobnicate');
  t.equal(code, 2);
  t.match(stderr, /^sluiced: Unknown option '--frobnicate'.*see sluiced --help/);
});

t.test('SIGHUP takes over what may change, and names what may not', async () => {
  const text = readFileSync(instance.configFile, 'utf8');
  writeFileSync(instance.configFile, `${text}\nlogLevel: debug\nmtu: 1400\n`);
  process.kill(instance.agent.pid, 'SIGHUP');
  await waitFor('the log', () => instance.agent.output().includes('configuration read again'));
  await waitFor('what may not', () => /"options":\["mtu"\].*need a restart/.test(instance.agent.output()));
  writeFileSync(instance.configFile, 'mtu: tiny\n');
  process.kill(instance.agent.pid, 'SIGHUP');
  await waitFor('the refusal', () => instance.agent.output().includes('configuration not read again'));
  writeFileSync(instance.configFile, text);
});

t.test('a map file that is not what its name says is refused by name', async (t) => {
  for (const pid of instance.pids()) process.kill(pid, 'SIGKILL');
  await instance.untilAgentEnded();
  await waitFor('both to be gone', () => instance.dataplanePids().length === 0);
  const path = join(instance.runDir, 'maps/ipcache');
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.from('junk'), 0, 4, 0);
  closeSync(fd);
  const { code, stderr } = await agentAgain();
  t.equal(code, 1);
  t.match(stderr, new RegExp(`open map ${path}: magic word`));
  rmSync(path);
  await instance.restartAgent();
  await instance.untilReady(['shop/veth', 'shop/tap', 'shop/own']);
});

t.test('SIGTERM leaves nothing behind', async (t) => {
  await instance.stop();
  const links = await must(['ip', '-n', host, '-o', 'link']);
  t.notMatch(links, new RegExp(`${name}_`));
  t.match(links, new RegExp(`${name}own`), 'what others made stays');
  t.equal((await run(inNetns(host, ['nft', 'list', 'tables']))).stdout.trim(), '');
  for (const one of ['veth', 'tap']) t.not((await run(['ip', '-n', netns(one), 'link', 'show', 'eth0'])).code, 0);
  t.equal((await run(['ls', instance.runDir])).code, 2, 'the run directory is gone');
});
