/**
 * Queries a second of sluice-dns beside dnsmasq, from cache and from what each holds itself, in turn (A B A B), with dnsperf
 * on loopback. CPU time of the server itself is read too: on a machine with two cores the load generator and the
 * kernel's part of it share them, so rates of one run compare and say nothing alone.
 *
 *   dnsperf ──▶ sluice-dns ──▶ dnsmasq (the internet of both)
 *           └─▶ dnsmasq ─────┘
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryMiB, processCpuUs } from '../bench/machine.ts';
import { Cleanup, must, run, start, waitFor } from '../test/command.ts';
import { CLUSTER } from '../test/name-server.ts';
import { NameServerProcess } from '../test/name-server-process.ts';

const ROUNDS = 3;
const SECONDS = 3;
const NAMES = 1000;
const PORTS = { internet: 5391, ours: 5392, dnsmasq: 5393 };
const cleanup = new Cleanup();
const dir = mkdtempSync(join(tmpdir(), 'slnb-'));
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));

const numbers = Array.from({ length: NAMES }, (_, i) => i);
const address = (i: number) => `10.96.${1 + (i >> 8)}.${i & 255}`;
const LISTS = {
  cache: numbers.map((i) => `n${i}.internet.test A\n`).join(''),
  own: numbers.map((i) => `s${i}.load.svc.cluster.local A\n`).join(''),
};
for (const [name, text] of Object.entries(LISTS)) writeFileSync(join(dir, name), text);

function dnsmasq(port: number, ...more: string[]): number {
  const options =
    '--keep-in-foreground --no-daemon --user=root --group= --no-resolv --no-hosts --pid-file= --bind-interfaces';
  const argv = ['dnsmasq', ...options.split(' '), '--listen-address=127.0.0.1', `--port=${port}`, ...more];
  const running = start(argv);
  cleanup.add(() => running.child.kill('SIGKILL'));
  return running.pid;
}
const internet = ['--local-ttl=3600', '--address=/internet.test/192.0.2.80'];
dnsmasq(PORTS.internet, ...internet);
const hosts = numbers.map((i) => `--host-record=s${i}.load.svc.cluster.local,${address(i)}`);
const theirs = dnsmasq(PORTS.dnsmasq, '--cache-size=10000', `--server=127.0.0.1#${PORTS.internet}`, ...hosts);

const services = numbers.map((i) => {
  const ports = [{ name: 'http', protocol: 'TCP' as const, port: 80 }];
  return { namespace: 'load', name: `s${i}`, kind: 'ClusterIP' as const, addresses: [address(i)], ports };
});
const server = new NameServerProcess({
  name: 'slnb',
  cleanup,
  service: { addresses: ['127.0.0.1'], port: PORTS.ours },
});
server.writeZone({ ...CLUSTER, services, upstreams: [{ address: '127.0.0.1', port: PORTS.internet }] });
server.start();

const SUBJECTS = [
  { name: 'sluice-dns', port: PORTS.ours, pid: () => server.pid },
  { name: 'dnsmasq', port: PORTS.dnsmasq, pid: () => theirs },
] as const;

/** Queries a second, and microseconds of the server's own CPU time for each. */
async function measure(port: number, pid: number, list: string, isWarmUp = false): Promise<[number, number]> {
  const seconds = isWarmUp ? 1 : SECONDS;
  const before = processCpuUs(pid);
  const argv = [
    'dnsperf',
    '-s',
    '127.0.0.1',
    '-p',
    `${port}`,
    '-d',
    join(dir, list),
    '-l',
    `${seconds}`,
    '-c',
    '8',
    '-q',
    '200',
  ];
  const output = await must(argv);
  const completed = Number(/Queries completed: +(\d+)/.exec(output)?.[1]);
  const perSecond = Number(/Queries per second: +([\d.]+)/.exec(output)?.[1]);
  if (!isWarmUp && !/NOERROR \d+ \(100\.00%\)/.test(output))
    throw new Error(`dnsperf: not all were answered: ${output}`);
  return [perSecond, (processCpuUs(pid) - before) / completed];
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];
function report(metric: string, values: readonly number[], unit: string): void {
  console.log(JSON.stringify({ metric, value: Number(median(values).toPrecision(4)), unit }));
  console.log(`${metric}: ${values.map((value) => value.toPrecision(4)).join(' ')} ${unit}`);
}

try {
  for (const { port } of SUBJECTS)
    await waitFor(
      `port ${port}`,
      async () =>
        (await run(['dig', '+short', '+time=1', '-p', `${port}`, '@127.0.0.1', 'n0.internet.test'])).stdout !== '',
    );
  for (const list of ['cache', 'own'] as const) {
    const rates = SUBJECTS.map((): number[] => []);
    const costs = SUBJECTS.map((): number[] => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, { port, pid }] of SUBJECTS.entries()) {
        await measure(port, pid(), list, true); // dnsmasq refuses some while its cache fills
        const [rate, cost] = await measure(port, pid(), list);
        rates[i].push(rate);
        costs[i].push(cost);
      }
    }
    for (const [i, { name }] of SUBJECTS.entries()) {
      report(`${name} from ${list}`, rates[i], 'queries/s');
      report(`${name} from ${list}, own CPU`, costs[i], 'us/query');
    }
    const ratios = rates[0].map((rate, round) => rate / rates[1][round]);
    report(`sluice-dns / dnsmasq from ${list}`, ratios, '');
    const shares = costs[1].map((cost, round) => cost / costs[0][round]);
    report(`sluice-dns / dnsmasq from ${list}, queries for the same CPU time`, shares, '');
  }
  for (const { name, pid } of SUBJECTS)
    report(`${name}: memory (RSS), ${NAMES} services`, [memoryMiB(pid()).rss], 'MiB');
} finally {
  cleanup.finish();
}
