/** The loads: each runs one program in the client's namespace for a few seconds and reads a figure from what it says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cleanup, inNetns, isListening, must, run, start, waitFor } from '../test/command.ts';
import { chattyHttp2, grpc, http2 } from './http2.ts';
import { type Load, wrk } from './load.ts';
import { segmentedUdp, startSockperf, tcpRoundTrips, udpRoundTrips } from './messages.ts';
import { CHATTY_PORT, CLIENT, GRPC_PORT, IPERF_PORT, JUMBO_MTU, SERVER, WEB2_PORT, WEB_PORT } from './subject.ts';

const webConfig = (dir: string) => `
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  server {
    listen ${WEB_PORT};
    keepalive_requests 100000000;
    location / { return 200 "hello\\n"; }
  }
  server {
    listen ${CHATTY_PORT} http2;
    keepalive_requests 100000000;
    location / { return 200 "hello\\n"; }
  }
}
`;

/** Starts the servers that most loads talk to, in the server's namespace: iperf3, sockperf, and nginx with a fixed answer. */
export async function startServers(cleanup: Cleanup): Promise<void> {
  const dir = mkdtempSync('/tmp/slb-web-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'web.conf'), webConfig(dir));
  const web = start(inNetns(SERVER, ['nginx', '-c', join(dir, 'web.conf')]));
  cleanup.add(() => web.child.kill());
  const iperf = start(inNetns(SERVER, ['iperf3', '-s', '-p', String(IPERF_PORT)]));
  cleanup.add(() => iperf.child.kill());
  await startSockperf(cleanup);
  await waitFor('nginx to listen', () => isListening(SERVER, WEB_PORT));
  await waitFor('iperf3 to listen', () => isListening(SERVER, IPERF_PORT));
}

async function iperf(address: string, seconds: number, ...more: string[]): Promise<Record<string, never>> {
  const argv = ['iperf3', '-c', address, '-p', String(IPERF_PORT), '-t', String(seconds), '-J', ...more];
  const outcome = await run(inNetns(CLIENT, argv), { timeoutMs: (seconds + 30) * 1000 });
  const report = JSON.parse(outcome.stdout);
  if (report.error) throw new Error(`iperf3: ${report.error}`);
  return report;
}

const tcp = (streams: number): Load => ({
  name: `tcp${streams}`,
  perUnit: 'frame',
  run: async (address, seconds) => {
    const report: any = await iperf(address, seconds, '-P', String(streams));
    return [{ metric: `tcp ${streams}`, value: report.end.sum_received.bits_per_second / 1e9, unit: 'Gbit/s' }];
  },
});

/** Datagrams that sockets of the server's namespace have received so far. */
async function datagramsReceived(): Promise<number> {
  const text = await must(inNetns(SERVER, ['cat', '/proc/net/snmp']));
  const [names, values] = text.split('\n').filter((line) => line.startsWith('Udp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('InDatagrams')]);
}

/** 18 bytes of payload make a frame of 64 bytes with its FCS. */
const UDP_PAYLOAD_BYTES = 18;

const udp: Load = {
  name: 'udp',
  perUnit: 'frame',
  run: async (address, seconds) => {
    const before = await datagramsReceived();
    await iperf(address, seconds, '-u', '-b', '0', '-l', String(UDP_PAYLOAD_BYTES));
    const received = (await datagramsReceived()) - before;
    return [{ metric: 'udp 64 B', value: received / seconds / 1000, unit: 'kpps' }];
  },
};

const connections: Load = {
  name: 'crr',
  perUnit: 'request',
  run: async (address, seconds) => {
    const url = `http://${address}:${WEB_PORT}/public`;
    const { requestsPerSec } = await wrk(url, seconds, 16, '-H', 'Connection: close');
    return [{ metric: 'tcp connect-request-close', value: requestsPerSec / 1000, unit: 'k/s' }];
  },
};

const http: Load = {
  name: 'http',
  perUnit: 'request',
  run: async (address, seconds) => {
    const { requestsPerSec, p99Us } = await wrk(`http://${address}:${WEB_PORT}/public`, seconds, 64);
    return [
      { metric: 'http', value: requestsPerSec / 1000, unit: 'k req/s' },
      { metric: 'http p99', value: p99Us / 1000, unit: 'ms' },
    ];
  },
};

const PING_INTERVAL_SEC = 0.002;

const ping: Load = {
  name: 'ping',
  perUnit: 'none', // it spins between its probes
  run: async (address, seconds) => {
    const count = Math.round(seconds / PING_INTERVAL_SEC);
    const argv = ['ping', '-n', '-i', String(PING_INTERVAL_SEC), '-c', String(count), address];
    const { stdout } = await run(inNetns(CLIENT, argv), { timeoutMs: (seconds + 30) * 1000 });
    const times = [...stdout.matchAll(/time=([\d.]+) ms/g)]
      .map((match) => Number(match[1]) * 1000)
      .sort((a, b) => a - b);
    if (times.length < count / 2) throw new Error(`ping ${address}: ${times.length} of ${count} answers`);
    return [50, 90, 99].map((percentile) => ({
      metric: `ping p${percentile}`,
      value: times[Math.min(times.length - 1, Math.floor((times.length * percentile) / 100))],
      unit: 'us',
    }));
  },
};

export const L4_LOADS: Readonly<Record<string, Load[]>> = {
  tcp: [tcp(1), tcp(4), tcp(8)],
  udp: [udp],
  crr: [connections],
  ping: [ping],
  rr: [tcpRoundTrips, udpRoundTrips],
  gso: [segmentedUdp],
};

/** To subjects with frames of 9,000 bytes. */
export const JUMBO_LOADS: Readonly<Record<string, Load[]>> = {
  jumbo: [tcp(1), tcp(4)].map((load) => ({
    ...load,
    run: async (address, seconds) => {
      const readings = await load.run(address, seconds);
      return readings.map((reading) => ({ ...reading, metric: `${reading.metric}, MTU ${JUMBO_MTU}` }));
    },
  })),
};

export const HTTP_LOADS: Readonly<Record<string, Load[]>> = {
  http: [http, http2],
  l7: [http, http2, chattyHttp2, grpc],
};

/** Throws unless the rules are in force: an allowed request gets 200, one with another path 403. */
export async function checkHttpRules(address: string, enforced: boolean): Promise<void> {
  const status = (port: number, path: string, ...more: string[]) =>
    must(
      inNetns(CLIENT, [
        ...['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-m', '5', ...more],
        `http://${address}:${port}${path}`,
      ]),
    );
  const found = [
    await status(WEB_PORT, '/public'),
    await status(WEB_PORT, '/private'),
    await status(WEB_PORT, '/public', '-X', 'POST'),
  ];
  if (enforced) {
    for (const port of [WEB2_PORT, CHATTY_PORT, GRPC_PORT])
      found.push(await status(port, '/private', '--http2-prior-knowledge'));
  }
  const wanted = enforced ? '200 403 403 403 403 403' : '200 200 200';
  if (found.join(' ') !== wanted)
    throw new Error(`http rules at ${address}: wanted ${wanted}, found ${found.join(' ')}`);
}
