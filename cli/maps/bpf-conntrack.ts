/** Connections as `sluice bpf ct list` prints them: one line each, in the form of cilium-dbg. */
import { monotonicSec } from '../../dataplane/native/index.ts';
import type { ConntrackEntry } from '../../policy-maps/conntrack-map.ts';
import {
  CT_DEST_ENDPOINT,
  CT_DST_SEC_ID,
  CT_EGRESS_VERDICT,
  CT_FLAG_DSR_INTERNAL,
  CT_FLAG_FROM_L7LB,
  CT_FLAG_FROM_TUNNEL,
  CT_FLAG_LB_LOOPBACK,
  CT_FLAG_NODE_PORT,
  CT_FLAG_PROXY_REDIRECT,
  CT_FLAG_RX_CLOSING,
  CT_FLAG_SEEN_NON_SYN,
  CT_FLAG_SEEN_REPLY,
  CT_FLAG_TX_CLOSING,
  CT_FLAGS,
  CT_INGRESS_VERDICT,
  CT_LAST_RX_REPORT,
  CT_LAST_TX_REPORT,
  CT_LIFETIME,
  CT_REV_NAT,
  CT_RX_FLAGS_SEEN,
  CT_SLOT_GENERATION,
  CT_SOURCE_ENDPOINT,
  CT_SRC_SEC_ID,
  CT_TX_FLAGS_SEEN,
} from '../../policy-maps/conntrack-row.ts';
import { ReverseNatMap } from '../../policy-maps/service/reverse-nat-map.ts';
import { formatIp } from '../../wire/address.ts';
import { protocolName } from '../../wire/protocols.ts';
import { printDocument } from '../terminal/output.ts';
import { flagNames } from './packet-names.ts';
import { hasPinned, openPinned } from './pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';

/** `tcp` is one table, `any` the other: all that is not TCP. `global` is both. */
export type ConntrackTable = 'global' | 'tcp' | 'any';

export interface ConntrackOptions {
  readonly table: ConntrackTable;
  /** Only connections from or to this endpoint. */
  readonly endpoint: number | undefined;
  /** Also say how many seconds an entry has to live. */
  readonly showRemaining: boolean;
  /** Entries whose time is over, and that only wait to be removed, are left out unless told. */
  readonly showExpired: boolean;
}

const FLAG_NAMES: Readonly<Record<number, string>> = {
  [CT_FLAG_RX_CLOSING]: 'RxClosing',
  [CT_FLAG_TX_CLOSING]: 'TxClosing',
  [CT_FLAG_LB_LOOPBACK]: 'LBLoopback',
  [CT_FLAG_SEEN_NON_SYN]: 'SeenNonSyn',
  [CT_FLAG_NODE_PORT]: 'NodePort',
  [CT_FLAG_PROXY_REDIRECT]: 'ProxyRedirect',
  [CT_FLAG_DSR_INTERNAL]: 'DSR',
  [CT_FLAG_FROM_L7LB]: 'FromL7LB',
  [CT_FLAG_FROM_TUNNEL]: 'FromTunnel',
  [CT_FLAG_SEEN_REPLY]: 'SeenReply',
};
/** The bits of the word that are Cilium's. */
const CILIUM_FLAGS = 0xffff;

const TABLES = { tcp: ['ctTcp'], any: ['ctAny'], global: ['ctTcp', 'ctAny'] } as const;

/** Prints the connections of one or both tables. */
export async function listConntrack(settings: Settings, options: ConntrackOptions): Promise<void> {
  const nowSec = monotonicSec();
  const names = TABLES[options.table];
  const rows: ConntrackRow[] = [];
  const inKernel = offloaded(settings);
  for (const name of names) {
    for (const entry of openPinned(settings, name).entries()) {
      const row = conntrackRow(entry, nowSec, inKernel.has(`${name} ${entry.slot} ${entry.words[CT_SLOT_GENERATION]}`));
      if ((options.showExpired || row.remaining >= 0) && concerns(row, options.endpoint)) rows.push(row);
    }
  }
  if (settings.output !== 'table') return printDocument(settings, rows);
  const text = rows.map(
    (row) => `${conntrackLine(row)}${options.showRemaining ? ` (remaining: ${row.remaining} sec(s))` : ''}\n`,
  );
  settings.host.stdout.write(text.join(''));
}

/** Rows whose frames the kernel forwards by itself now; none where an agent from before that option made the maps. */
function offloaded(settings: Settings): ReadonlySet<string> {
  if (!hasPinned(settings, 'offload')) return new Set();
  const flows = [...openPinned(settings, 'offload').entries()].map(([, flow]) => flow);
  const inside = flows.filter(({ isOut }) => !isOut);
  return new Set(
    inside.map(({ isTcp, slot, slotGeneration }) => `${isTcp ? 'ctTcp' : 'ctAny'} ${slot} ${slotGeneration}`),
  );
}

function concerns({ sourceEndpoint, destinationEndpoint }: ConntrackRow, endpoint: number | undefined): boolean {
  return endpoint === undefined || endpoint === sourceEndpoint || endpoint === destinationEndpoint;
}

export type ConntrackRow = ReturnType<typeof conntrackRow>;

/**
 * A row as a plain document.
 * @param nowSec the clock of lifetimes: seconds of CLOCK_MONOTONIC
 */
function conntrackRow(entry: ConntrackEntry, nowSec: number, isOffloaded: boolean) {
  const { words } = entry;
  return {
    protocol: protocolName(entry.protocol),
    direction: words[CT_SOURCE_ENDPOINT] === 0 ? 'IN' : 'OUT',
    source: formatIp(...entry.source),
    sourcePort: entry.sourcePort,
    destination: formatIp(...entry.destination),
    // Of ICMP the second number only keeps kinds apart (dataplane/icmp-tuple.ts).
    destinationPort: entry.protocol === 1 || entry.protocol === 58 ? 0 : entry.destinationPort,
    expires: words[CT_LIFETIME],
    remaining: words[CT_LIFETIME] - nowSec,
    packets: entry.packets,
    bytes: entry.bytes,
    rxFlagsSeen: words[CT_RX_FLAGS_SEEN] & 0xff,
    lastRxReport: words[CT_LAST_RX_REPORT],
    txFlagsSeen: words[CT_TX_FLAGS_SEEN] & 0xff,
    lastTxReport: words[CT_LAST_TX_REPORT],
    flags: words[CT_FLAGS] & CILIUM_FLAGS,
    flagNames: [...flagNames(words[CT_FLAGS], FLAG_NAMES), ...(isOffloaded ? ['Offloaded'] : [])],
    revNat: ReverseNatMap.frontendOf(words[CT_REV_NAT]),
    sourceIdentity: words[CT_SRC_SEC_ID] >>> 0,
    destinationIdentity: words[CT_DST_SEC_ID] >>> 0,
    sourceEndpoint: words[CT_SOURCE_ENDPOINT],
    destinationEndpoint: words[CT_DEST_ENDPOINT],
    egressVerdict: words[CT_EGRESS_VERDICT],
    ingressVerdict: words[CT_INGRESS_VERDICT],
  };
}

/** A row as cilium-dbg prints it. */
function conntrackLine(row: ConntrackRow): string {
  const source = endText(row.source, row.sourcePort);
  const destination = endText(row.destination, row.destinationPort);
  const flags = row.flags.toString(16).padStart(4, '0');
  return (
    `${row.protocol} ${row.direction} ${source} -> ${destination} expires=${row.expires} Packets=${row.packets} ` +
    `Bytes=${row.bytes} RxFlagsSeen=0x${hex2(row.rxFlagsSeen)} LastRxReport=${row.lastRxReport} ` +
    `TxFlagsSeen=0x${hex2(row.txFlagsSeen)} LastTxReport=${row.lastTxReport} Flags=0x${flags} ` +
    `[ ${row.flagNames.map((name) => `${name} `).join('')}] RevNAT=${row.revNat} ` +
    `SourceSecurityID=${row.sourceIdentity}`
  );
}

function endText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function hex2(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
