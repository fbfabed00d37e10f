/** The smaller pinned maps as `sluice bpf` lists them: ipcache, endpoint, metrics, frag, egress. */
import { counterText } from '../../policy-maps/counter.ts';
import type { PortCountersEntry } from '../../policy-maps/counters-map.ts';
import type { AddressWords, IpcacheEntry } from '../../policy-maps/ipcache.ts';
import { EGRESS_ADDRESS, EGRESS_EXCLUDED, EGRESS_NO_GATEWAY } from '../../policy-maps/service/egress-map.ts';
import { formatIp, formatMac, parseIp } from '../../wire/address.ts';
import { prefixOf } from '../../wire/prefix.ts';
import { protocolName } from '../../wire/protocols.ts';
import { reasonText } from '../../wire/reasons.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { printListing } from '../terminal/output.ts';
import { openPinned } from './pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Column, renderTable } from '../terminal/table.ts';

export async function listIpcache(settings: Settings): Promise<void> {
  const rows = [...openPinned(settings, 'ipcache').entries()].map(ipcacheRow);
  rows.sort((a, b) => (a.prefix < b.prefix ? -1 : 1));
  await printIpcache(settings, rows, rows);
}

/**
 * Prints the entry that an address is judged by: the longest prefix that holds it.
 * @throws Failure when the text is no address, or nothing holds it
 */
export async function showIpcache(settings: Settings, text: string): Promise<void> {
  const words: number[] = [];
  if (parseIp(text, words) === 0) throw new Failure(`found '${text}', wanted an IPv4 or IPv6 address`, EXIT.USAGE);
  const entry = openPinned(settings, 'ipcache').match(words as unknown as AddressWords);
  if (entry === undefined) throw new Failure(`look up ${text}: no prefix holds it: its identity is world`);
  const row = ipcacheRow(entry);
  await printIpcache(settings, [row], row);
}

type IpcacheRow = ReturnType<typeof ipcacheRow>;

function ipcacheRow(entry: IpcacheEntry) {
  const { identity, key, flags } = entry;
  const tunnelEndpoint = entry.tunnelEndpoint.every((word) => word === 0)
    ? '0.0.0.0'
    : formatIp(...entry.tunnelEndpoint);
  return { prefix: prefixOf(entry.address, entry.prefixLength).text, identity, encryptKey: key, tunnelEndpoint, flags };
}

function printIpcache(settings: Settings, rows: readonly IpcacheRow[], document: unknown): Promise<void> {
  return printListing(settings, {
    rows,
    document,
    columns: [
      { header: 'IP PREFIX/ADDRESS', cell: (one) => one.prefix },
      {
        header: 'IDENTITY',
        cell: (one) =>
          `identity=${one.identity} encryptkey=${one.encryptKey} tunnelendpoint=${one.tunnelEndpoint} flags=${one.flags}`,
      },
    ],
  });
}

export async function listEndpointMap(settings: Settings): Promise<void> {
  const rows = [...openPinned(settings, 'endpoints').entries()].map((entry) => ({
    address: formatIp(...entry.address),
    id: entry.lxcId,
    identity: entry.secId,
    flags: entry.flags,
    ifindex: entry.ifindex,
    mac: formatMac(entry.mac.high, entry.mac.low),
    nodeMac: formatMac(entry.nodeMac.high, entry.nodeMac.low),
    port: entry.portIndex,
  }));
  rows.sort((a, b) => a.id - b.id || (a.address < b.address ? -1 : 1));
  await printListing(settings, {
    rows,
    columns: [
      { header: 'IP ADDRESS', cell: (one) => one.address },
      {
        header: 'LOCAL ENDPOINT INFO',
        cell: (one) =>
          `id=${one.id} sec_id=${one.identity} flags=0x${one.flags.toString(16).padStart(4, '0')} ifindex=${one.ifindex} ` +
          `mac=${one.mac} nodemac=${one.nodeMac} port=${one.port}`,
      },
    ],
  });
}

const DIRECTIONS = ['UNKNOWN', 'INGRESS', 'EGRESS', 'SERVICE'];

/** Frames by what became of them; then, where they are not 0, the counters of the dataplane and those of each port. */
export async function listMetrics(settings: Settings): Promise<void> {
  const rows = [...openPinned(settings, 'metrics').entries()].map((entry) => ({
    reason: entry.reason,
    text: reasonText(entry.reason),
    direction: DIRECTIONS[entry.direction],
    packets: entry.packets,
    bytes: entry.bytes,
  }));
  const { counters, ports } = readCounters(settings);
  await printListing(settings, {
    rows,
    document: [...rows, ...counters, ...ports],
    columns: [
      { header: 'REASON', cell: (one) => one.text },
      { header: 'DIRECTION', cell: (one) => one.direction },
      { header: 'PACKETS', cell: (one) => one.packets },
      { header: 'BYTES', cell: (one) => one.bytes },
    ],
  });
  if (settings.output !== 'table' && settings.output !== 'wide') return;
  const { headers, host } = settings;
  if (counters.length > 0) host.stdout.write(`\n${renderTable(COUNTER_COLUMNS, counters, { headers })}`);
  if (ports.length > 0) host.stdout.write(`\n${renderTable(PORT_COLUMNS, ports, { headers })}`);
}

const COUNTER_COLUMNS: readonly Column<{ counter: string; value: number; unit: string; meaning: string }>[] = [
  { header: 'COUNTER', cell: (one) => one.counter },
  { header: 'VALUE', cell: (one) => one.value },
  { header: 'UNIT', cell: (one) => one.unit },
  { header: 'MEANING', cell: (one) => one.meaning },
];

type PortRow = PortCountersEntry & { readonly port: number; readonly interface: string };

const PORT_COLUMNS: readonly Column<PortRow>[] = [
  { header: 'PORT', cell: (one) => one.port },
  { header: 'INTERFACE', cell: (one) => one.interface },
  { header: 'RX FRAMES', cell: (one) => one.receivedFrames },
  { header: 'RX BYTES', cell: (one) => one.receivedBytes },
  { header: 'RX DROPS', cell: (one) => one.receiveDrops },
  { header: 'TX FRAMES', cell: (one) => one.sentFrames },
  { header: 'TX BYTES', cell: (one) => one.sentBytes },
  { header: 'TX DROPS', cell: (one) => one.sendDrops },
];

function readCounters(settings: Settings) {
  try {
    const map = openPinned(settings, 'counters');
    const counters = [...map.entries()].filter(({ value }) => value !== 0);
    const ports = [...openPinned(settings, 'ports').entries()];
    return {
      counters: counters.map((one) => ({
        counter: counterText(one),
        value: one.value,
        unit: one.unit,
        meaning: one.meaning,
      })),
      ports: ports.map(({ index, ifname }): PortRow => ({ port: index, interface: ifname, ...map.port(index) })),
    };
  } catch (error) {
    // An addition: without them what became of the frames is still worth showing.
    settings.host.stderr.write(`warning: ${(error as Error).message}\n`);
    return { counters: [], ports: [] };
  }
}

export async function listFragments(settings: Settings): Promise<void> {
  const rows = [...openPinned(settings, 'fragments').entries()].map((entry) => ({
    source: formatIp(...entry.source),
    destination: formatIp(...entry.destination),
    fragmentId: entry.fragmentId,
    protocol: protocolName(entry.protocol),
    sourcePort: entry.srcPort,
    destinationPort: entry.dstPort,
  }));
  await printListing(settings, {
    rows,
    columns: [
      { header: 'SOURCE', cell: (one) => one.source },
      { header: 'DESTINATION', cell: (one) => one.destination },
      { header: 'ID', cell: (one) => one.fragmentId },
      { header: 'PROTO', cell: (one) => one.protocol },
      { header: 'SOURCE PORT', cell: (one) => one.sourcePort },
      { header: 'DESTINATION PORT', cell: (one) => one.destinationPort },
    ],
  });
}

/** Gateway as cilium-dbg has it, by what a row says. */
const GATEWAYS: Readonly<Record<number, string>> = {
  [EGRESS_NO_GATEWAY]: 'Not Found',
  [EGRESS_EXCLUDED]: 'Excluded CIDR',
  [EGRESS_ADDRESS]: 'this node',
};

/** What egress gateway policies say of each pod here, the prefixes that are tried first at the top. */
export async function listEgress(settings: Settings): Promise<void> {
  const entries = [...openPinned(settings, 'egress').entries()];
  const rows = entries.map(({ source, destination, prefixLength, kind, address }) => ({
    source: formatIp(...source),
    destination: prefixOf(destination, prefixLength).text,
    prefixLength,
    egressIP: address.every((word) => word === 0) ? '0.0.0.0' : formatIp(...address),
    gateway: GATEWAYS[kind] ?? String(kind),
  }));
  rows.sort((a, b) => (a.source === b.source ? b.prefixLength - a.prefixLength : a.source < b.source ? -1 : 1));
  await printListing(settings, {
    rows,
    document: rows.map(({ source, destination, egressIP, gateway }) => ({ source, destination, egressIP, gateway })),
    columns: [
      { header: 'SOURCE IP', cell: (one) => one.source },
      { header: 'DESTINATION CIDR', cell: (one) => one.destination },
      { header: 'EGRESS IP', cell: (one) => one.egressIP },
      { header: 'GATEWAY', cell: (one) => one.gateway },
    ],
  });
}
