/**
 * toFQDNs with a real server, real resolvers and real connections, in two rigs side by side: one whose processes live, and one whose
 * processes die. Pods that stand for the outside have the addresses of names:
 *
 *   <name>-shop-client ── Sluice ┬─ <name>-shop-dns     dnsmasq: names of the outside, a long TTL; one that ends at once on :54
 *                                ├─ <name>-out-one      203.0.113.1   one.example, and what shares its address
 *                                ├─ <name>-out-two      203.0.113.2   two.example
 *                                ├─ <name>-out-moving   203.0.113.3   short.example, whose TTL is a second
 *                                └─ <name>-out-inside   172.20.0.9    what no name of the outside may have
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Background, Cleanup, inNetns, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { PATIENT_NAMES, SluiceInstance } from '../rig.ts';
import { isBroken, talk, untilAnswered } from './talk.ts';

const DNS = '10.244.0.53';
const SERVER = join(import.meta.dirname, 'named-server.js');

const MASQ =
  'dnsmasq --conf-file=/dev/null --user=root --group= --no-resolv --no-hosts --no-daemon --pid-file= --local=/example/ --local=/test/';
const HOSTS = [
  'one.example,203.0.113.1,2001:db8:113::1',
  'two.example,203.0.113.2,2001:db8:113::2',
  'x.shared.example,203.0.113.1',
  'tcp.example,203.0.113.2',
  'later.example,203.0.113.2',
  'fresh.example,203.0.113.2',
  'evil.example,172.20.0.9',
  'evil.example,169.254.169.254',
  'evil.example,10.244.0.77',
  'short.example,203.0.113.3',
  'gone.example,203.0.113.2',
];
const masq = (port: number, ttl: number) =>
  `${MASQ} --port=${port} --local-ttl=${ttl} ${HOSTS.map((one) => `--host-record=${one}`).join(' ')}`;

function outsider(pod: string, ...ips: string[]): string {
  return `---
apiVersion: v1
kind: Pod
metadata: { name: ${pod}, namespace: out, annotations: { sluice.io/external: "true" } }
spec: { containers: [{ name: web, image: example/web, command: [node, "${SERVER}", ${pod}, "80", "9"] }] }
status: { podIPs: [${ips.map((ip) => `{ ip: "${ip}" }`).join(', ')}] }
`;
}

const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Namespace
metadata: { name: out }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec:
  dnsPolicy: None
  dnsConfig: { nameservers: [${DNS}] }
  containers: [{ name: shell, image: example/shell }]
status: { podIPs: [{ ip: 10.244.0.10 }, { ip: "fd00:10:244::10" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: secret, namespace: shop, labels: { app: secret } }
spec: { containers: [{ name: web, image: example/web, command: [node, examples/server.mjs, "80"] }] }
status: { podIPs: [{ ip: 10.244.0.77 }, { ip: "fd00:10:244::77" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: dns, namespace: shop, labels: { app: dns } }
spec: { containers: [{ name: server, image: example/dns, command: [sh, -c, "${masq(54, 1)} & exec ${masq(53, 300)}"] }] }
status: { podIPs: [{ ip: ${DNS} }, { ip: "fd00:10:244::53" }] }
${outsider('one', '203.0.113.1', '2001:db8:113::1')}${outsider('two', '203.0.113.2', '2001:db8:113::2')}${outsider('moving', '203.0.113.3')}${outsider('inside', '172.20.0.9')}`;

/** The client may ask for any name, and reach these. */
const policy = (...names: string[]) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { app: dns } }]
      toPorts: [{ ports: [{ port: "53", protocol: ANY }, { port: "54", protocol: ANY }], rules: { dns: [{ matchPattern: "*" }] } }]
    - toFQDNs: [${names.map((one) => `{ matchPattern: "${one}" }`).join(', ')}]
`;

interface Listed {
  source: string;
  fqdn: string;
  ips: string[];
}

async function goesOn(talker: Background): Promise<boolean> {
  await untilAnswered(talker);
  return !isBroken(talker);
}

async function kill(...pids: number[]): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  for (const pid of pids)
    await waitFor('the process to be gone', async () => {
      const { stdout } = await run(['ps', '-o', 'stat=', '-p', String(pid)]);
      return stdout.trim().replace(/^Z.*/, '') === '';
    });
}

/** A rig whose names are known, and what is asked of it. */
async function world(t: Test, track: string) {
  const cleanup = new Cleanup();
  const name = `slfq${process.pid.toString(36)}${track}`;
  const dir = mkdtempSync(`/tmp/${name}-`);
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  t.teardown(() => cleanup.finish());
  writeFileSync(join(dir, 'rig.yaml'), MANIFESTS);
  const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'), PATIENT_NAMES);
  t.teardown(() => instance.stop());
  const client = instance.netnsOf('shop/client');

  async function apply(...names: string[]): Promise<void> {
    const file = join(dir, 'policy.yaml');
    writeFileSync(file, policy(...names));
    await instance.apply(file);
  }

  const inClient = (argv: string) => run(inNetns(client, argv.split(' ')));

  /** @returns the code of curl: 0 = it is reached, 28 = it is not within `seconds` */
  async function curl(url: string, seconds = PATIENCE_SEC): Promise<number> {
    return (await inClient(`curl -s -o /dev/null -m ${seconds} ${url}`)).code;
  }
  /**
   * Nobody drops what is denied but the dataplane: it tells of the drop, while curl waits; at the latest after two seconds, of which
   * one is a retransmission.
   */
  async function isDenied(url: string): Promise<boolean> {
    const [address, since] = [new URL(url).hostname, new Date().toISOString()];
    const asking = start(inNetns(client, ['curl', '-s', '-o', '/dev/null', '-m', '2', url]));
    const { child } = asking;
    let isDropped = false;
    await waitFor('curl to end, or a drop', async () => {
      // Nobody tells while the agent is dead.
      const flows = await instance.flows().catch(() => []);
      isDropped = flows.some(
        ({ verdict, IP, time }) => verdict === 'DROPPED' && IP?.destination === address && time > since,
      );
      return child.exitCode !== null || isDropped;
    });
    const isWaiting = child.exitCode === null;
    await asking.stop();
    return isWaiting ? isDropped : child.exitCode === 28;
  }

  async function dig(...args: string[]): Promise<{ status: string; answer: string }> {
    const { stdout } = await run(inNetns(client, ['dig', `@${DNS}`, `+time=${PATIENCE_SEC}`, '+tries=1', ...args]));
    const section = /;; ANSWER SECTION:\n([\s\S]*?)\n\n/.exec(stdout)?.[1] ?? '';
    const addresses = section.split('\n').map((line) => line.split(/\s+/).at(-1));
    return { status: /status: (\w+)/.exec(stdout)?.[1] ?? 'none', answer: addresses.join(' ') };
  }

  const ipcache = async () => (await instance.cli('bpf', 'ipcache', 'list')).stdout;
  const cached = async (pattern = ''): Promise<Listed[]> => instance.read(`/v1/fqdn/cache?pattern=${pattern}`);
  const sourcesOf = async (pattern: string) => (await cached(pattern)).map(({ source }) => source);

  /** Frames to an address that were dropped by policy. */
  async function droppedTo(address: string): Promise<number> {
    const flows = await instance.flows();
    return flows.filter((one) => one.verdict === 'DROPPED' && one.IP?.destination === address).length;
  }

  await waitFor('dnsmasq to serve', async () => (await dig('none.test', '+time=1')).status === 'NXDOMAIN');
  return {
    cleanup,
    dir,
    instance,
    client,
    apply,
    inClient,
    curl,
    isDenied,
    dig,
    ipcache,
    cached,
    sourcesOf,
    droppedTo,
  };
}

t.jobs = 2;
t.test('processes that live', { buffered: true }, async (t) => {
  const {
    cleanup,
    dir,
    instance,
    client,
    apply,
    inClient,
    curl,
    isDenied,
    dig,
    ipcache,
    cached,
    sourcesOf,
    droppedTo,
  } = await world(t, 'a');
  t.test('a name that is asked for is reached at once, and nothing else is', async (t) => {
    await apply('one.example');
    t.ok(await isDenied('http://203.0.113.1/'), 'nobody has asked yet');
    const before = await droppedTo('203.0.113.1');
    t.equal(await curl('http://one.example/'), 0);
    t.equal(await droppedTo('203.0.113.1'), before, 'the first packet already passed');
    t.equal(await curl('-6 http://one.example/'), 0);
    t.equal(await curl('http://203.0.113.1/'), 0, 'the address is what is allowed');
    t.equal((await dig('two.example')).answer, '203.0.113.2');
    t.ok(await isDenied('http://203.0.113.2/'), 'the name may be asked for and not reached');
    t.match(await cached('one.example'), [{ source: 'lookup', fqdn: 'one.example.' }]);
    const { stdout } = await instance.cli('observe', '--to-fqdn', 'one.*', '--last', '1', '-o', 'json');
    t.match(JSON.parse(stdout.split('\n')[0] || '{}'), { flow: { destination_names: ['one.example'] } });
    t.equal((await instance.cli('observe', '--to-fqdn', 'three.*', '--last', '1')).stdout.trim(), '');
  });

  t.test('getent, dig over TCP, names that share an address, a policy that comes after the answer', async (t) => {
    t.equal((await inClient('getent ahosts two.example')).code, 0);
    await apply('one.example', 'two.example');
    t.equal(await curl('http://203.0.113.2/'), 0, 'what was learnt before');
    await apply('tcp.example');
    await waitFor('the names of the old policy to be out of force', () => isDenied('http://203.0.113.1/'));
    t.equal((await dig('+tcp', 'tcp.example')).answer, '203.0.113.2');
    t.equal(await curl('http://203.0.113.2/'), 0);
    await apply('*.shared.example');
    await dig('x.shared.example');
    t.equal(await curl('http://203.0.113.1/'), 0, 'one.example has it too, and no policy names that');
    t.ok(await isDenied('http://203.0.113.2/'));
  });

  t.test('a name of the outside does not lead inside', async (t) => {
    await apply('evil.example', 'one.example');
    t.equal((await dig('evil.example')).answer.split(' ').length, 3, 'the answer itself arrives');
    for (const address of ['172.20.0.9', '10.244.0.77']) t.ok(await isDenied(`http://${address}/`), address);
    t.same(await sourcesOf('evil.example'), ['guarded']);
    const { stdout } = await instance.cli('status');
    t.match(stdout, /^Names:.*3 of the inside refused$/m);
  });

  t.test(
    'when the TTL is over a connection stays, and nobody else comes; without one the name is forgotten',
    async (t) => {
      await apply('short.example');
      t.equal((await dig('-p', '54', 'short.example')).answer, '203.0.113.3');
      const talking = talk(client, cleanup, '203.0.113.3', 80);
      t.ok(await goesOn(talking));
      t.match(await ipcache(), '203.0.113.3/32');
      await waitFor('the TTL to be over', async () => (await sourcesOf('short.example'))[0] === 'connection');
      const { collected } = (await instance.read('/v1/status')).names;
      await dig('-p', '54', 'gone.example');
      await waitFor(
        'a round of collection',
        async () => (await instance.read('/v1/status')).names.collected > collected,
      );
      t.ok(await goesOn(talking), 'a zombie');
      t.same(await sourcesOf('short.example'), ['connection']);
      await talking.stop();
      // The entry of the connection ends some seconds after the connection.
      await waitFor('the name to be forgotten', async () => (await cached('short.example')).length === 0);
      t.ok(await isDenied('http://203.0.113.3/'));
      t.notMatch(await ipcache(), '203.0.113.3/32');
    },
  );

  t.test('toFQDNs without a DNS rule: the status says for whom nothing is learnt', async (t) => {
    t.same((await instance.read('/v1/status')).names.unlearnt, []);
    const file = join(dir, 'policy.yaml');
    writeFileSync(file, policy('one.example').replace(', rules: { dns: [{ matchPattern: "*" }] }', ''));
    await instance.apply(file);
    t.same((await instance.read('/v1/status')).names.unlearnt, [
      { policy: 'CiliumNetworkPolicy/shop/names', pods: ['shop/client'] },
    ]);
    t.match(
      (await instance.cli('status')).stdout,
      /^Names: +toFQDNs of CiliumNetworkPolicy\/shop\/names: nothing is learnt/m,
    );
    await apply('one.example');
  });

  t.test('fqdn cache clean takes names out of force, fqdn names tells what selectors stand for', async (t) => {
    await dig('one.example');
    const listed = JSON.parse((await instance.cli('fqdn', 'names', '-o', 'json')).stdout);
    t.match(listed[0], { selector: 'one.example', names: ['one.example.'] });
    t.ok(listed[0].ips.includes('203.0.113.1'));
    t.equal((await instance.cli('fqdn', 'cache', 'clean', '-p', '*.example')).code, 0);
    await instance.cli('fqdn', 'cache', 'clean', '-p', 'one.example');
    t.same(await cached('one.example'), []);
    t.ok(await isDenied('http://203.0.113.1/'));
  });
});

t.test('processes that die', { buffered: true }, async (t) => {
  const { cleanup, instance, client, apply, curl, isDenied, dig } = await world(t, 'b');
  t.test('agent dead: connections and known answers go on, new ones fail; the next agent learns again', async (t) => {
    await apply('one.example', 'fresh.example');
    await dig('one.example');
    const talking = talk(client, cleanup, '203.0.113.1', 80);
    t.ok(await goesOn(talking));
    await kill(instance.agent.pid);
    t.ok(await goesOn(talking));
    t.equal((await dig('one.example')).answer, '203.0.113.1', 'a known answer passes');
    t.equal((await dig('fresh.example')).status, 'SERVFAIL', 'nobody publishes what it teaches');
    t.ok(await isDenied('http://203.0.113.2/'));
    await instance.restartAgent();
    t.ok(await goesOn(talking), 'the next agent has the names before it publishes');
    await waitFor('answers to be learnt', async () => (await dig('fresh.example')).status === 'NOERROR');
    t.equal(await curl('http://fresh.example/'), 0);
    await talking.stop();
  });

  t.test('dataplane dead, and both: the connection goes on', async (t) => {
    await dig('one.example');
    const talking = talk(client, cleanup, '203.0.113.1', 80);
    t.ok(await goesOn(talking));
    const [dataplane] = instance.dataplanePids();
    await kill(dataplane);
    await waitFor('another dataplane', () => instance.dataplanePids().some((pid) => pid !== dataplane));
    t.ok(await goesOn(talking));
    await waitFor('answers to be learnt', async () => (await dig('later.example')).status === 'NOERROR');
    const [second] = instance.dataplanePids();
    await kill(instance.agent.pid, second);
    await instance.restartAgent();
    await waitFor('another dataplane', () => instance.dataplanePids().some((pid) => pid !== second));
    t.ok(await goesOn(talking));
    t.equal(await curl('http://one.example/'), 0);
    await talking.stop();
  });
});
