/**
 * librdkafka's mock brokers in the server's namespace, and its clients in the client's (kafka-peer.py). A mock broker is on 127.0.0.1
 * and says so in its metadata: nftables on both sides make that the server's address, at the same price whatever is measured.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../linux/package-root.ts';
import { type Cleanup, inNetns, must, mustAll, run, start, waitFor } from '../test/command.ts';
import type { Load } from './load.ts';
import { CLIENT, SERVER } from './subject.ts';

// Debian's own Python, which has python3-confluent-kafka.
const PEER = ['/usr/bin/python3', join(PACKAGE_ROOT, 'bench/kafka-peer.py')];

/** The topic that the clients write to and read. */
export const TOPIC = 'bench';

/** Starts a broker in the server's namespace. @returns its port */
export async function startBroker(cleanup: Cleanup): Promise<number> {
  const dir = mkdtempSync('/tmp/slb-kafka-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'port');
  const broker = start(inNetns(SERVER, [...PEER, 'broker', file]));
  cleanup.add(() => broker.child.kill());
  await waitFor('the broker to serve', () => Promise.resolve(existsSync(file))).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${broker.output()}`);
  });
  return Number(readFileSync(file, 'utf8'));
}

/** Makes 127.0.0.1 of the client's namespace, at these ports, that of the server's. @param address of the server */
export async function joinLoopbacks(address: string, ports: readonly number[]): Promise<void> {
  const these = `tcp dport { ${ports.join(', ')} }`;
  const chain = (hook: string, priority: number, rule: string) =>
    `chain ${hook} { type nat hook ${hook} priority ${priority}; ${rule}; }`;
  const client = `table ip slb {
    ${chain('output', -100, `ip daddr 127.0.0.1 ${these} dnat to ${address}`)}
    ${chain('postrouting', 100, `ip daddr ${address} ${these} masquerade`)}
  }`;
  const server = `table ip slb {
    ${chain('prerouting', -100, `ip daddr ${address} ${these} dnat to 127.0.0.1`)}
  }`;
  for (const [netns, table] of [
    [CLIENT, client],
    [SERVER, server],
  ]) {
    await mustAll(`ip netns exec ${netns} sysctl -qw net.ipv4.conf.all.route_localnet=1`);
    await must(inNetns(netns, ['nft', '-f', '-']), { input: table });
  }
}

const peer = (role: string, port: string, what: string, seconds = 0) =>
  run(inNetns(CLIENT, [...PEER, role, port, what]), { timeoutMs: (seconds + 60) * 1000 });

/** What becomes of a message: `written`, or the name of an error. */
export async function writeOne(port: number, topic: string): Promise<string> {
  const { stdout, stderr } = await peer('check', String(port), topic);
  return stdout.trim() || stderr.trim();
}

/** Goes to a port: `address` is one. */
const load = (role: 'produce' | 'fetch'): Load => ({
  name: `kafka ${role}`,
  perUnit: 'request',
  run: async (port, seconds) => {
    const { code, stdout, stderr } = await peer(role, port, String(seconds), seconds);
    if (code !== 0) throw new Error(`kafka ${role}: exit ${code}: ${stderr.trim()}`);
    return [{ metric: `kafka ${role}, 4 KiB`, value: Number(stdout) / 1000, unit: 'k msg/s' }];
  },
});

export const KAFKA_LOADS: readonly Load[] = [load('produce'), load('fetch')];
