/** Loads of datagrams and small messages: round trips as sockperf counts them, and bursts as QUIC sends them (sockets.py). */
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../linux/package-root.ts';
import { type Cleanup, inNetns, isListening, must, start, waitFor } from '../test/command.ts';
import type { Load, Reading } from './load.ts';
import { CLIENT, IPERF_PORT, SERVER, SOCKETS_PORT } from './subject.ts';

/** The generator that enters the pods' namespaces itself. */
export const SOCKETS = ['/usr/bin/python3', join(PACKAGE_ROOT, 'bench/sockets.py')];
const PERCENTILES = [50, 90, 99, 99.9];
/** Of a burst: see sockets.py. */
const SEGMENT_BITS = 1200 * 8;

/** Answers both loads of round trips. */
export async function startSockperf(cleanup: Cleanup): Promise<void> {
  for (const protocol of [['--tcp'], []]) {
    const argv = ['sockperf', 'server', '-i', '0.0.0.0', '-p', String(SOCKETS_PORT), ...protocol];
    const server = start(inNetns(SERVER, argv));
    cleanup.add(() => server.child.kill());
  }
  await waitFor('sockperf to listen', () => isListening(SERVER, SOCKETS_PORT));
}

/** One message of 64 bytes after the other, each answered with as many. */
const roundTrips = (name: string, ...protocol: string[]): Load => ({
  name,
  perUnit: 'none', // it spins while it waits
  run: async (address, seconds): Promise<Reading[]> => {
    const argv = ['sockperf', 'ping-pong', '-i', address, '-p', String(SOCKETS_PORT), '-t', String(seconds)];
    const more = ['-m', '64', '--full-rtt', ...protocol];
    const text = await must(inNetns(CLIENT, [...argv, ...more]), { timeoutMs: (seconds + 30) * 1000 });
    return PERCENTILES.map((percentile) => {
      const found = new RegExp(`percentile ${percentile.toFixed(3)} = *([\\d.]+)`).exec(text);
      return { metric: `${name} p${percentile}`, value: Number(found?.[1] ?? Number.NaN), unit: 'us' };
    });
  },
});

export const tcpRoundTrips = roundTrips('tcp round trip', '--tcp');
export const udpRoundTrips = roundTrips('udp round trip');

/** Fifty datagrams in a call, which the kernel hands on as one frame where all on the way can take it. */
export const segmentedUdp: Load = {
  name: 'gso',
  perUnit: 'frame',
  run: async (address, seconds) => {
    // Nobody else is bound there: iperf3's server has a socket of UDP only while it is asked.
    const argv = [...SOCKETS, 'gso', address, String(IPERF_PORT), String(seconds), CLIENT, SERVER];
    const datagrams = Number(await must(argv, { timeoutMs: (seconds + 30) * 1000 }));
    return [{ metric: 'udp bursts', value: (datagrams * SEGMENT_BITS) / seconds / 1e9, unit: 'Gbit/s' }];
  },
};
