/**
 * Settled connections in the hands of the kernel (`offload: nft`), against the kernel: what takes that way, what does not, what takes it
 * out again, and what is left behind. What an element has counted says which way bytes went.
 *
 *     shop/a -- eth0 == <name>_1 --[netdev <name>_fast]-- <name>_2 == eth0 -- shop/b          shop/c: a stranger
 *                          \-- macvlan -- packet socket -- dataplane --/
 */
import { existsSync } from 'node:fs';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import t from 'tap';
import { programPath } from '../../linux/programs.ts';
import { type Background, Cleanup, inNetns, makeNetns, must, start, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const cleanup = new Cleanup();
t.jobs = 1;
t.teardown(() => cleanup.finish());
const name = `slo${process.pid.toString(36)}`;
const host = `${name}-host`;
const table = `${name}_fast`;

const pod = (short: string, address: string) => `---
apiVersion: v1
kind: Pod
metadata: { name: ${short}, namespace: shop, labels: { app: ${short} } }
spec: { containers: [{ name: x, image: pause }] }
status: { podIPs: [{ ip: 10.244.0.${address} }, { ip: "fd00:10:244::${address}" }] }
`;
const policy = (from: string) => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: b, namespace: shop }
spec:
  podSelector: { matchLabels: { app: b } }
  policyTypes: [Ingress]
  ingress: [{ from: [{ podSelector: { matchLabels: { app: ${from} } } }] }]
`;
const pods = pod('a', '11') + pod('b', '12') + pod('c', '13');
await makeNetns(cleanup, host);
const instance = await SluiceInstance.start({
  name,
  cleanup,
  netns: host,
  netnsPrefix: `${name}-`,
  createNamespaces: true,
  podCIDR4: '10.244.0.0/16',
  podCIDR6: 'fd00:10:244::/64',
  config: 'offload: nft\noffloadAfterBytes: 20000\nmaps: { bpf-offload-map-max: 16 }\n',
});
t.teardown(() => instance.stop());
await instance.send(pods + policy('a'));
await instance.untilReady(['shop/a', 'shop/b', 'shop/c']);

interface Element {
  readonly map: string;
  readonly key: string;
  readonly packets: number;
  readonly bytes: number;
}

/** What the kernel has, by `nft`: not by the code that put it there. */
function elements(): Element[] {
  const found: Element[] = [];
  for (const map of ['tcp4', 'tcp6', 'udp4', 'udp6']) {
    const [command, ...args] = inNetns(host, ['nft', 'list', 'map', 'netdev', table, map]);
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    for (const [, key, packets, bytes] of text.matchAll(/("\S+" \. [^"]*?) counter packets (\d+) bytes (\d+)/g))
      found.push({ map, key, packets: Number(packets), bytes: Number(bytes) });
  }
  return found;
}

const sum = (map: string) => elements().reduce((all, one) => all + (one.map === map ? one.bytes : 0), 0);

const SERVER = `
import socket, sys, threading
def serve(address):
    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 7000)); s.listen(64)
    while True:
        c, _ = s.accept()
        threading.Thread(target=drain, args=(c,), daemon=True).start()
def drain(c):
    try:
        while True:
            b = c.recv(65536)
            if not b: break
            if b'\\n' in b: c.sendall(b'.' * b.count(b'\\n'))
    except OSError: pass
    c.close()
for a in sys.argv[1:]: threading.Thread(target=serve, args=(a,), daemon=True).start()
print('ready', flush=True)
threading.Event().wait()
`;
/** Connects from a port, and then does what each line of its input says: `send N`, `fin`, `rst`. Answers each. */
const CLIENT = `
import socket, struct, sys
src, dst, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ':' in dst else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((src, port)); s.settimeout(30); s.connect((dst, 7000))
print('connected', flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    if word == 'send':
        n = int(rest[0]); s.sendall(b'x' * (n - 1) + b'\\n'); s.recv(1)
    elif word == 'try':
        s.settimeout(float(rest[0]))
        try: s.sendall(b'\\n'); s.recv(1); print('passed', flush=True); continue
        except socket.timeout: print('stuck', flush=True); s.settimeout(30); continue
    elif word == 'fin': s.close()
    elif word == 'rst': s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()
    print('done ' + line.strip(), flush=True)
`;

let server: Background;
function startServer(): void {
  const started = start(
    inNetns(instance.netnsOf('shop/b'), ['python3', '-c', SERVER, '10.244.0.12', 'fd00:10:244::12']),
  );
  cleanup.add(() => started.child.kill('SIGKILL'));
  server = started;
}
startServer();
await waitFor('the server', () => server.output().includes('ready'));

class Client {
  readonly #process: ChildProcess;
  #output = '';
  #answers = 1;

  private constructor(argv: readonly string[]) {
    const [command, ...args] = inNetns(instance.netnsOf('shop/a'), argv);
    this.#process = spawn(command, args, { stdio: 'pipe' });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on('data', (text) => (this.#output += text));
    cleanup.add(() => this.#process.kill('SIGKILL'));
  }

  static async connect(port: number, isV6 = false): Promise<Client> {
    const ends = isV6 ? ['fd00:10:244::11', 'fd00:10:244::12'] : ['10.244.0.11', '10.244.0.12'];
    const argv = ['python3', '-c', CLIENT, ...ends, String(port)];
    const client = new Client(argv);
    await client.#answered(1);
    return client;
  }

  async say(line: string): Promise<string> {
    this.#process.stdin?.write(`${line}\n`);
    return this.#answered(++this.#answers);
  }

  /** Sends until the kernel carries it. */
  async settle(map: string): Promise<void> {
    await waitFor('the kernel to carry it', async () => {
      await this.say('send 30000');
      return elements().some((one) => one.map === map && one.packets > 0);
    });
  }

  async #answered(count: number): Promise<string> {
    const lines = () => this.#output.split('\n').filter((line) => line !== '');
    await waitFor(`answer ${count}`, () => lines().length >= count).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.#output}`);
    });
    return lines()[count - 1];
  }
}

const none = () => waitFor('nothing to be left in the kernel', () => elements().length === 0);

for (const [family, map, port] of [
  ['IPv4', 'tcp4', 4001],
  ['IPv6', 'tcp6', 4002],
] as const) {
  t.test(`a TCP connection of ${family} goes on in the kernel, and its FIN ends that`, async (t) => {
    const client = await Client.connect(port, family === 'IPv6');
    await client.settle(map);
    const before = sum(map);
    await client.say('send 5000000');
    t.ok(sum(map) - before >= 5_000_000, 'all bytes went by the kernel');
    t.equal(elements().filter((one) => one.map === map).length, 2, 'one element a direction');
    const { stdout } = await instance.cli('bpf', 'ct', 'list', 'tcp', '-o', 'json');
    const entry = JSON.parse(stdout).find((one: any) => one.sourcePort === port);
    t.ok(entry.flagNames.includes('Offloaded'));
    t.match((await instance.cli('status')).stdout, /^Offload: +1 connection of at most 16 in the kernel/m);
    await waitFor('conntrack to have counted them', async () => {
      const { stdout: now } = await instance.cli('bpf', 'ct', 'list', 'tcp', '-o', 'json');
      return JSON.parse(now).find((one: any) => one.sourcePort === port).bytes > 5_000_000;
    });
    await client.say('fin');
    await none();
  });
}

/** Sends ten frames of the connection of port 4007 from `shop/a`, each with one thing about it that is another. */
const FORGER = `
import socket, struct, sys
kind, own, router, src, dst = sys.argv[1:6]
mac = lambda text: bytes.fromhex(text.replace(':', ''))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0))
flags = {'syn': 0x02, 'synack': 0x12, 'fin': 0x11, 'rst': 0x14, 'urg': 0x30, 'none': 0}.get(kind, 0x10)
options = b'\\x01' * 4 if kind == 'options' else b''
tcp = struct.pack('!HHIIBBHHH', 4007, 7000, 1, 1, 5 << 4, flags, 1000, 0, 0)
total = 20 + len(options) + len(tcp)
frag = {'first': 0x2000, 'later': 0x0010}.get(kind, 0)
version = (6 if kind == 'version' else 4) << 4 | (5 + len(options) // 4)
ip = struct.pack('!BBHHHBBH4s4s', version, 0, total, 1, frag, 1 if kind == 'ttl' else 64, 6, 0,
                 socket.inet_aton(src), socket.inet_aton(dst)) + options
source = mac('02:00:00:00:00:99') if kind == 'mac' else mac(own)
to = mac('02:00:00:00:00:98') if kind == 'router' else mac(router)
tag = struct.pack('!HH', 0x8100, 5) if kind == 'vlan' else b''
for _ in range(10): s.send(to + source + tag + b'\\x08\\x00' + ip + tcp)
`;

t.test('what is not plainly of the connection comes to the dataplane', async (t) => {
  const client = await Client.connect(4007);
  await client.settle('tcp4');
  const linkOf = async (pod: string) => {
    const [{ address }] = JSON.parse(await must(inNetns(instance.netnsOf(pod), ['ip', '-j', 'link', 'show', 'eth0'])));
    return String(address);
  };
  const neighbours = JSON.parse(await must(inNetns(instance.netnsOf('shop/a'), ['ip', '-j', '-4', 'neigh'])));
  const router = neighbours.find((one: any) => one.lladdr !== undefined).lladdr;
  const packets = () => elements().reduce((all, one) => all + one.packets, 0);
  /** How many of ten frames the kernel forwarded by itself. */
  const taken = async (kind: string, from = 'shop/a') => {
    const before = packets();
    const ends = [await linkOf(from), router, '10.244.0.11', '10.244.0.12'];
    await must(inNetns(instance.netnsOf(from), ['python3', '-c', FORGER, kind, ...ends]));
    return packets() - before;
  };
  t.ok((await taken('plain')) >= 10, 'as the pod itself would send them');
  for (const kind of ['ttl', 'options', 'first', 'later', 'version', 'mac', 'router', 'vlan', 'urg', 'none', 'synack'])
    t.equal(await taken(kind), 0, kind);
  t.equal(await taken('plain', 'shop/c'), 0, 'from another pod, with its own MAC');
  await client.say('rst');
  await none();
});

t.test('a reset ends it', async () => {
  const client = await Client.connect(4003);
  await client.settle('tcp4');
  await client.say('rst');
  await none();
});

t.test('a new denial cuts a connection that the kernel carried, and nothing of it passes', async (t) => {
  const client = await Client.connect(4004);
  await client.settle('tcp4');
  await instance.send(policy('c'));
  t.strictSame(elements(), [], 'it is out when the publication is answered');
  t.equal(await client.say('try 1'), 'stuck');
  await instance.send(policy('a'));
  t.match(await client.say('try 30'), /passed/, 'allowed again it goes on');
  await client.settle('tcp4');
  await client.say('rst');
  await none();
});

t.test('a full map leaves connections to the dataplane, and counts them', async (t) => {
  const clients: Client[] = [];
  for (let i = 0; i < 20; i++) clients.push(await Client.connect(4100 + i));
  await waitFor('the map to be full', async () => {
    for (const client of clients) await client.say('send 30000');
    return elements().length === 32;
  });
  const { maps } = await instance.read('/v1/status');
  const row = maps.find((one: any) => one.name === 'offload_flows');
  t.equal(row.count, 16);
  t.ok(row.full > 0);
  for (const client of clients) await client.say('fin');
  await none();
});

t.test('an agent that is killed leaves it to the kernel; the next one takes it back and no byte is lost', async (t) => {
  const client = await Client.connect(4005);
  await client.settle('tcp4');
  process.kill(instance.agent.pid, 'SIGKILL');
  for (const pid of instance.dataplanePids()) process.kill(pid, 'SIGKILL');
  const before = sum('tcp4');
  await client.say('send 1000000');
  t.ok(sum('tcp4') - before >= 1_000_000, 'with both dead it goes on');
  await instance.restartAgent();
  await instance.untilReady(['shop/a', 'shop/b']);
  await client.say('send 1000000');
  await client.settle('tcp4');
  await client.say('fin');
  await none();
});

t.test('rules that somebody flushes, and an interface that somebody deletes, come back', async (t) => {
  const client = await Client.connect(4008);
  await client.settle('tcp4');
  await must(inNetns(host, ['nft', 'flush', 'ruleset']));
  await client.say('send 100000');
  await waitFor('the table to be there', async () =>
    (await must(inNetns(host, ['nft', 'list', 'tables']))).includes(table),
  );
  await client.settle('tcp4');
  const links = async () =>
    (await must(['ip', '-n', host, '-br', 'link'])).split('\n').map((line) => line.split('@')[0]);
  const upper = (await links()).find((one) => /_[0-9a-f]+u$/.test(one)) ?? '';
  await must(['ip', '-n', host, 'link', 'delete', upper]);
  await waitFor('the interface to be there', async () => (await links()).includes(upper));
  await instance.untilReady(['shop/a', 'shop/b', 'shop/c']);
  await (await Client.connect(4009)).settle('tcp4');
  t.pass('and the kernel has connections again');
});

t.test('cleanup after both were killed leaves neither table nor interface', async (t) => {
  process.kill(instance.agent.pid, 'SIGKILL');
  for (const pid of instance.dataplanePids()) process.kill(pid, 'SIGKILL');
  await instance.untilAgentEnded();
  const [command, ...args] = inNetns(host, [
    process.execPath,
    programPath('sluice'),
    'cleanup',
    '--run-dir',
    instance.runDir,
  ]);
  execFileSync(command, args, { stdio: 'ignore' });
  t.notMatch(await must(inNetns(host, ['nft', 'list', 'tables'])), new RegExp(name));
  t.notMatch(await must(['ip', '-n', host, '-br', 'link']), new RegExp(`${name}_`));
  await instance.restartAgent();
  await instance.send(pods + policy('a'));
  await instance.untilReady(['shop/a', 'shop/b', 'shop/c']);
  startServer();
  await waitFor('the server', () => server.output().includes('ready'));
});

t.test('a clean stop leaves no table', async (t) => {
  const client = await Client.connect(4006);
  await client.settle('tcp4');
  await instance.stop();
  t.notMatch(await must(inNetns(host, ['nft', 'list', 'tables'])), new RegExp(name));
  t.notOk(existsSync(`/run/${name}`));
});
