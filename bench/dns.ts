/**
 * DNS through a rule, through a rule about the port alone, and over a wire between the same two namespaces that we have no part
 * in; what learnt addresses take; and the cluster's name server beside dnsmasq, each asked inside its own namespace.
 *
 *   slb-client ──── sluice: 53 under a DNS rule, 5353 open ──── slb-server   dnsmasq on 53 and on 5353
 *        └────────────────────── wire ─────────────────────────────┘
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cleanup, inNetns, must, mustAll, run, start, waitFor } from '../test/command.ts';
import type { SluiceInstance } from '../test/rig.ts';
import type { Load, Reading } from './load.ts';
import { memoryMiB } from './machine.ts';
import { median, type Results } from './series.ts';
import { raiseSluice } from './sluice.ts';
import { CLIENT, makeNamespaces, SERVER } from './subject.ts';
import { inTurn } from './turns.ts';

const PLAIN_PORT = 5353;
const WIRE_SERVER = '10.97.0.2';
const RATE = 1000; // questions a second, where it is latency that is measured
const LEARNT_NAMES = 1000;
const ADDRESSES_OF_A_NAME = 10;
const SERVICE_NAME = 'server.bench.svc.cluster.local';
const CLUSTER_DNS = '10.96.0.10';
const NAME_SERVER_NETNS = 'slb-kube-dns';

const MORE = `---
apiVersion: v1
kind: Service
metadata: { name: server, namespace: bench }
spec: { clusterIP: 10.96.200.1, selector: { app: server }, ports: [{ port: 80 }] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: dns-server, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: server } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts: [{ ports: [{ port: "53", protocol: ANY }, { port: "${PLAIN_PORT}", protocol: ANY }] }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: dns-client, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { app: server } }]
      toPorts:
        - ports: [{ port: "${PLAIN_PORT}", protocol: ANY }]
        - ports: [{ port: "53", protocol: ANY }]
          rules: { dns: [{ matchPattern: "**.bench.example" }] }
    - toFQDNs: [{ matchPattern: "**.bench.example" }]
`;

const nameOf = (index: number) => `host${index}.bench.example`;

/** What dnsmasq knows: a file of hosts, public addresses in it. */
function hosts(): string {
  const lines = Array.from({ length: LEARNT_NAMES * ADDRESSES_OF_A_NAME }, (_, i) => {
    return `20.0.${i >> 8}.${i & 255} ${nameOf(Math.floor(i / ADDRESSES_OF_A_NAME))}`;
  });
  return `${lines.join('\n')}\n21.0.0.1 www.bench.example\n10.96.200.1 ${SERVICE_NAME}\n`;
}

/** Questions of a file, asked over and over. */
interface Asking {
  readonly netns: string;
  readonly address: string;
  readonly port: number;
  readonly file: string;
}

async function dnsperf({ netns, address, port, file }: Asking, ...more: string[]): Promise<string> {
  const argv = ['dnsperf', '-s', address, '-p', String(port), '-d', file, ...more];
  return must(inNetns(netns, argv), { timeoutMs: 120_000 });
}

function requireAnswers(report: string): void {
  const lost = /Queries lost:\s+(\d+)/.exec(report)?.[1];
  const codes = /Response codes:\s+(.*)/.exec(report)?.[1] ?? '';
  if (lost === undefined || !/^NOERROR \d+ \(100\.00%\)/.test(codes))
    console.error(`bench: dnsperf: lost ${lost}, response codes ${codes}`);
}

/** As many as go through; the address of a way names all of it. */
const rate = (metric: string, askingOf: (way: string) => Asking): Load => ({
  name: metric,
  perUnit: 'request',
  run: async (way, seconds) => {
    const report = await dnsperf(askingOf(way), '-l', String(seconds), '-q', '100');
    requireAnswers(report);
    return [{ metric, value: Number(/Queries per second:\s+([\d.]+)/.exec(report)?.[1]) / 1000, unit: 'k/s' }];
  },
});

/** A thousand a second, and how long each took. */
const latency = (askingOf: (way: string) => Asking): Load => ({
  name: 'dns latency',
  perUnit: 'none',
  run: async (way, seconds) => {
    const report = await dnsperf(askingOf(way), '-l', String(seconds), '-Q', String(RATE), '-v');
    requireAnswers(report);
    const times = [...report.matchAll(/^> \S+ \S+ \S+ ([\d.]+)/gm)].map((match) => Number(match[1]) * 1e6);
    times.sort((a, b) => a - b);
    const at = (percent: number): Reading => {
      const value = times[Math.floor((times.length * percent) / 100)] ?? Number.NaN;
      return { metric: `dns p${percent}`, value, unit: 'us' };
    };
    return [at(50), at(99)];
  },
});

interface Rig {
  readonly instance: SluiceInstance;
  readonly address: string;
  readonly dir: string;
}

async function raise(cleanup: Cleanup): Promise<Rig> {
  const dir = mkdtempSync('/tmp/slb-dns-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  await makeNamespaces(cleanup, CLIENT, SERVER);
  const config = 'dns: { enabled: true }\n';
  const rig = { attach: 'default', rules: 'l4', bystanders: 0, more: MORE, config } as const;
  const { instance, address } = await raiseSluice(rig, cleanup);
  await mustAll(`
    ip -n ${CLIENT} link add wire type veth peer name wire netns ${SERVER}
    ip -n ${CLIENT} addr add 10.97.0.1/30 dev wire
    ip -n ${SERVER} addr add ${WIRE_SERVER}/30 dev wire
    ip -n ${CLIENT} link set wire up
    ip -n ${SERVER} link set wire up
  `);
  writeFileSync(join(dir, 'hosts'), hosts());
  writeFileSync(join(dir, 'one'), 'www.bench.example A\n');
  writeFileSync(join(dir, 'many'), Array.from({ length: LEARNT_NAMES }, (_, i) => `${nameOf(i)} A\n`).join(''));
  writeFileSync(join(dir, 'service'), `${SERVICE_NAME} A\n`);
  const dnsmasq = [
    'dnsmasq',
    '--keep-in-foreground',
    '--user=root',
    '--group=',
    '--no-resolv',
    '--no-hosts',
    '--pid-file=',
  ];
  for (const port of [53, PLAIN_PORT]) {
    const argv = [...dnsmasq, `--port=${port}`, `--addn-hosts=${join(dir, 'hosts')}`, '--local-ttl=3600'];
    const server = start(inNetns(SERVER, argv));
    cleanup.add(() => server.child.kill());
    const ask = ['dig', '+short', '+time=1', '+tries=1', '-p', String(port), `@${address}`, 'www.bench.example'];
    await waitFor('dnsmasq to answer', async () => (await run(inNetns(CLIENT, ask))).stdout === '21.0.0.1\n');
  }
  return { instance, address, dir };
}

/** What a DNS rule costs beside the wire, in the same round. */
async function measureRules({ instance, address, dir }: Rig, seconds: number, results: Results): Promise<void> {
  const ways = [
    { name: 'wire', address: `${WIRE_SERVER}:${PLAIN_PORT}` },
    { name: 'sluice L4 rule', address: `${address}:${PLAIN_PORT}`, pids: () => instance.pids() },
    { name: 'sluice DNS rule', address: `${address}:53`, pids: () => instance.pids() },
  ];
  const askingOf = (way: string): Asking => {
    const [server = '', port] = way.split(':');
    return { netns: CLIENT, address: server, port: Number(port), file: join(dir, 'one') };
  };
  const before = results.valuesOf('dns p99', 'wire').length;
  await inTurn(ways, [rate('dns', askingOf), latency(askingOf)], seconds, results);
  const p99 = (subject: string) => median(results.valuesOf('dns p99', subject).slice(before));
  for (const subject of ['sluice L4 rule', 'sluice DNS rule'])
    results.add(subject, 'dns p99 beyond the wire', p99(subject) - p99('wire'), 'us');
}

/** Every name is asked for once. */
async function measureLearning({ instance, address, dir }: Rig, results: Results): Promise<void> {
  const memory = () => instance.pids().reduce((sum, pid) => sum + memoryMiB(pid).rss, 0);
  const before = memory();
  const asking = { netns: CLIENT, address, port: 53, file: join(dir, 'many') };
  const report = await dnsperf(asking, '-n', '1', '-Q', String(RATE / 2), '-v');
  requireAnswers(report);
  const times = [...report.matchAll(/^> NOERROR \S+ \S+ ([\d.]+)/gm)].map((match) => Number(match[1]) * 1000);
  times.sort((a, b) => a - b);
  for (const percent of [50, 99])
    results.add(
      'sluice',
      `dns p${percent}, name not known yet`,
      times[Math.floor((times.length * percent) / 100)] ?? 0,
      'ms',
    );
  const learnt = LEARNT_NAMES * ADDRESSES_OF_A_NAME;
  results.add('sluice', `memory of ${learnt} learnt addresses`, Math.max(0, memory() - before), 'MiB');
}

/** Each server is asked where it lives: no frame passes us. */
async function measureServers({ dir }: Rig, seconds: number, results: Results): Promise<void> {
  const listening = await must(inNetns(NAME_SERVER_NETNS, ['ss', '-Hlnu', 'sport = :53']));
  const own = /([\d.]+):53\s/.exec(listening)?.[1] ?? CLUSTER_DNS;
  const places: Readonly<Record<string, Asking>> = {
    'sluice-dns': { netns: NAME_SERVER_NETNS, address: own, port: 53, file: join(dir, 'service') },
    dnsmasq: { netns: SERVER, address: WIRE_SERVER, port: PLAIN_PORT, file: join(dir, 'service') },
  };
  const ways = Object.keys(places).map((name) => ({ name, address: name }));
  const load = rate('dns, no network', (way) => {
    const place = places[way];
    if (place === undefined) throw new Error(`no server ${way}`);
    return place;
  });
  await inTurn(ways, [load], seconds, results);
}

/** Each round with a rig of its own. */
export async function measureDns(rounds: number, seconds: number, results: Results): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    console.error(`dns, round ${round} of ${rounds}`);
    const cleanup = new Cleanup();
    try {
      const rig = await raise(cleanup);
      await measureRules(rig, seconds, results);
      await measureLearning(rig, results);
      await measureServers(rig, seconds, results);
    } finally {
      cleanup.finish();
    }
  }
}
