/**
 * DNS answers that wait for an agent which is stopped, and go on when it does: from pods and from the address of a service, over both
 * families and transports. The agent is stopped by SIGSTOP, so that what happens in between is seen and not guessed.
 *
 *   <name>-shop-client ── Sluice ── <name>-shop-dns   dnsmasq: n1.example to n99.example, also at the addresses of Service dns
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, PATIENCE_SEC, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const POD = ['10.244.0.53', 'fd00:10:244::53'] as const;
const VIP = ['10.96.0.53', 'fd00:10:96::53'] as const;
const DELAY_SEC = 8;

const cleanup = new Cleanup();
const name = `slha${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));

const hosts = Array.from(
  { length: 99 },
  (_, i) => `--host-record=n${i + 1}.example,192.0.2.${i + 1},2001:db8::${i + 1}`,
);
const DNSMASQ = [
  'dnsmasq --conf-file=/dev/null --keep-in-foreground --user=root --group= --no-resolv --no-hosts --no-daemon --pid-file=',
  '--local=/example/ --local-ttl=300',
  ...hosts,
]
  .join(' ')
  .split(' ');

const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec: { containers: [{ name: shell, image: example/shell }] }
status: { podIPs: [{ ip: 10.244.0.10 }, { ip: "fd00:10:244::10" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: dns, namespace: shop, labels: { app: dns } }
spec: { containers: [{ name: server, image: example/dns, command: ${JSON.stringify(DNSMASQ)} }] }
status: { podIPs: [{ ip: ${POD[0]} }, { ip: "${POD[1]}" }] }
`;
const SERVICE_AND_POLICY = `apiVersion: v1
kind: Service
metadata: { name: dns, namespace: shop }
spec:
  selector: { app: dns }
  ipFamilyPolicy: RequireDualStack
  clusterIPs: [${VIP[0]}, "${VIP[1]}"]
  ports: [{ name: udp, port: 53, protocol: UDP }, { name: tcp, port: 53, protocol: TCP }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { app: dns } }]
      toPorts: [{ ports: [{ port: "53", protocol: ANY }], rules: { dns: [{ matchPattern: "*" }] } }]
    - toFQDNs: [{ matchPattern: "*.example" }]
`;

writeFileSync(join(dir, 'rig.yaml'), MANIFESTS);
const config = `policy: { tofqdns-proxy-response-max-delay: ${DELAY_SEC}s }`;
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'), config);
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
await instance.send(SERVICE_AND_POLICY);

const client = instance.netnsOf('shop/client');
let names = 0;
/** A name that nobody has asked for yet. */
const fresh = () => `n${++names}.example`;

interface Dug {
  readonly status: string;
  readonly address: string;
}

/** Asks once. */
async function dig(server: string, asked: string, ...args: string[]): Promise<Dug> {
  const argv = ['dig', `@${server}`, `+time=${PATIENCE_SEC}`, '+tries=1', ...args, asked];
  const { stdout } = await run(inNetns(client, argv));
  const address = /;; ANSWER SECTION:\n.*\s(\S+)\n/.exec(stdout)?.[1] ?? '';
  return { status: /status: (\w+)/.exec(stdout)?.[1] ?? 'none', address };
}

/** What the counters whose text begins so come to; read from the maps, without the agent. */
async function counted(text: string): Promise<number> {
  const { stdout } = await instance.cli('bpf', 'metrics', 'list', '-o', 'json');
  const rows = JSON.parse(stdout) as { counter?: string; value: number }[];
  return rows.filter(({ counter }) => counter?.startsWith(text)).reduce((sum, { value }) => sum + value, 0);
}
const heldSoFar = () => counted('dns_held{');

/** While the agent is stopped. */
async function withoutAgent(run: () => Promise<void>): Promise<void> {
  process.kill(instance.agent.pid, 'SIGSTOP');
  try {
    await run();
  } finally {
    process.kill(instance.agent.pid, 'SIGCONT');
  }
}

await waitFor('dnsmasq to serve, behind the service too', async () => {
  for (const server of [...POD, ...VIP])
    if ((await dig(server, 'none.example', '+time=1')).status !== 'NXDOMAIN') return false;
  return true;
});
await waitFor('answers to wait', async () => {
  const { status } = await dig(POD[0], fresh());
  return status === 'NOERROR' && (await heldSoFar()) > 0;
});

t.test('an answer that waited comes from where it was asked, over any way, and is told once', async (t) => {
  for (const server of [...POD, ...VIP]) {
    for (const transport of ['+notcp', '+tcp']) {
      const asked = fresh();
      const before = await heldSoFar();
      let answer: Promise<Dug> | undefined;
      await withoutAgent(async () => {
        answer = dig(server, asked, transport);
        await waitFor('the answer to wait', async () => (await heldSoFar()) > before);
      });
      t.match(await answer, { status: 'NOERROR', address: `192.0.2.${names}` }, `${server} ${transport}`);
      const isAnswer = (flow: any) => flow.l7?.dns?.query === `${asked}.` && flow.l7.type === 'RESPONSE';
      await waitFor('its flow', async () => (await instance.flows()).some(isAnswer));
      const told = (await instance.flows()).filter(isAnswer);
      t.match(
        told.map(({ verdict }) => verdict),
        ['FORWARDED'],
      );
    }
  }
  t.equal(await counted('dns_unpublished'), 0);
  t.equal(await counted('dns_held_lost'), 0);
});

t.test('an agent that stays away: SERVFAIL in time, known answers go on, and what was denied stays so', async (t) => {
  const known = fresh();
  t.equal((await dig(VIP[0], known)).status, 'NOERROR');
  const asked = [fresh(), fresh()];
  await withoutAgent(async () => {
    const began = Date.now();
    const waiting = Promise.all([dig(VIP[0], asked[0]), dig(POD[1], asked[1], '+tcp')]);
    t.equal((await dig(POD[0], known)).status, 'NOERROR', 'a known answer');
    t.equal((await dig(POD[0], 'none.example')).status, 'NXDOMAIN', 'one without addresses');
    t.same(
      (await waiting).map(({ status }) => status),
      ['SERVFAIL', 'SERVFAIL'],
    );
    t.ok(Date.now() - began >= DELAY_SEC * 1000 - 100);
  });
  t.equal(await counted('dns_unpublished{cause="delay"'), 2);
  await waitFor('its flow', async () =>
    (await instance.flows()).some((flow) => flow.l7?.dns?.query === `${asked[0]}.` && flow.verdict === 'ERROR'),
  );
  await waitFor('status to tell', async () => (await instance.cli('status')).stdout.includes('not published in time'));
  await waitFor(
    'the agent to have learnt it meanwhile',
    async () => (await dig(POD[0], asked[0])).status === 'NOERROR',
  );
});

t.test('the dataplane dies while answers wait: they are lost, asked for again, and learnt once', async (t) => {
  const [udp, tcp] = [fresh(), fresh()];
  const [dataplane] = instance.dataplanePids();
  const before = await heldSoFar();
  let lost: Promise<Dug[]> | undefined;
  await withoutAgent(async () => {
    lost = Promise.all([dig(VIP[0], udp, '+time=2'), dig(POD[1], tcp, '+tcp', '+time=2')]);
    await waitFor('both to wait', async () => (await heldSoFar()) === before + 2);
    process.kill(dataplane, 'SIGKILL');
  });
  t.match(await lost, [{ status: 'none' }, { status: 'none' }]);
  await waitFor('another dataplane', () => instance.dataplanePids().some((pid) => pid !== dataplane));
  for (const [server, asked, how] of [
    [VIP[0], udp, '+notcp'],
    [POD[1], tcp, '+tcp'],
  ])
    await waitFor(
      `${asked} to be answered`,
      async () => (await dig(server, asked, how, '+time=1')).status === 'NOERROR',
    );
  t.equal((await dig(VIP[1], fresh())).status, 'NOERROR', 'new names are learnt as before');
});
