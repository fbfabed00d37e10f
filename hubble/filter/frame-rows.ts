/**
 * FlowFilters as rows that the dataplane asks of each frame (wire/frame-filter.ts), while somebody records frames. A row says what can be
 * said by numbers: addresses, local endpoints, ports, protocol, and whether the frame was dropped. What it cannot say (labels, names)
 * it leaves out, and so it does with what would take too many rows: rows choose too much rather than too little, and the filters
 * themselves then choose among the frames.
 */
import { EVENT_DROP, EVENT_TRACE } from '../../wire/event.ts';
import { FRAME_DROPPED, FRAME_PASSED, type FrameEnd, type FrameRow, MAX_FRAME_ROWS } from '../../wire/frame-filter.ts';
import { maskWord } from '../../wire/prefix.ts';
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP } from '../../wire/protocols.ts';
import { parseIpFilter, parsePorts } from './filter.ts';
import type { FlowFilter } from './flow-filter.ts';
import { compileQualifiedNames, isWholeNamespace } from './name-pattern.ts';

/** A pod by the numbers that frames have of it. */
export interface PlacedPod {
  readonly namespace: string;
  readonly name: string;
  /** Id of its endpoint when it is local, else 0. */
  readonly endpoint: number;
  readonly addresses: readonly string[];
}

const EITHER = FRAME_PASSED | FRAME_DROPPED;
const IGMP = 2;
const VRRP = 112;

/** Those of requests have no frame. */
const PROTOCOLS: Readonly<Record<string, readonly number[]>> = {
  tcp: [PROTO_TCP],
  udp: [PROTO_UDP],
  sctp: [PROTO_SCTP],
  icmp: [PROTO_ICMP, PROTO_ICMPV6],
  icmpv4: [PROTO_ICMP],
  icmpv6: [PROTO_ICMPV6],
  vrrp: [VRRP],
  igmp: [IGMP],
};

/**
 * Rows that every frame matches which one of the filters matches.
 * @param allow filters that compileFilters() takes; none: every frame
 * @param pods that are known now
 * @returns at most MAX_FRAME_ROWS; none when no pod is known yet that is meant
 * @throws SyntaxError when no frame can ever match
 */
export function frameRows(allow: readonly FlowFilter[], pods: Iterable<PlacedPod>): FrameRow[] {
  if (allow.length === 0) return [{ kinds: EITHER, source: {}, destination: {} }];
  const known = [...pods];
  const most = Math.max(1, Math.floor(MAX_FRAME_ROWS / allow.length));
  const possible = allow.filter((filter) => kindsOf(filter) !== 0 && protocolsOf(filter).length > 0);
  if (possible.length === 0) {
    throw new SyntaxError('no frame can match these filters: frames are forwarded or dropped, and have no requests');
  }
  const rows = possible.flatMap((filter) => rowsOf(filter, known, most));
  return rows.length <= MAX_FRAME_ROWS ? rows : frameRows([], []);
}

/** What one dimension of a filter may be, as parts of rows. */
type Choices = readonly ((row: FrameRow) => FrameRow)[];

function rowsOf(filter: FlowFilter, pods: readonly PlacedPod[], most: number): FrameRow[] {
  const dimensions: Choices[] = [
    endsOf(filter.source_ip, filter.source_pod, pods).map((end) => (row) => ({
      ...row,
      source: { ...row.source, ...end },
    })),
    endsOf(filter.destination_ip, filter.destination_pod, pods).map((end) => (row) => ({
      ...row,
      destination: { ...row.destination, ...end },
    })),
    portsOf(filter.source_port).map((ports) => (row) => ({ ...row, source: { ...row.source, ...ports } })),
    portsOf(filter.destination_port).map((ports) => (row) => ({
      ...row,
      destination: { ...row.destination, ...ports },
    })),
    protocolsOf(filter).map((protocol) => (row) => ({ ...row, ...(protocol !== 0 && { protocol }) })),
    familiesOf(filter).map((family) => (row) => ({ ...row, ...(family !== 0 && { family }) })),
  ];
  const first: FrameRow = { kinds: kindsOf(filter), source: {}, destination: {} };
  return withinBounds(dimensions, most).reduce<FrameRow[]>(
    (rows, choices) => rows.flatMap((row) => choices.map((choose) => choose(row))),
    [first],
  );
}

/** Leaves out the dimensions with the most choices until few enough rows are left. */
function withinBounds(dimensions: readonly Choices[], most: number): readonly Choices[] {
  const total = dimensions.reduce((product, choices) => product * choices.length, 1);
  if (total <= most) return dimensions;
  const longest = Math.max(...dimensions.map((choices) => choices.length));
  const which = dimensions.findIndex((choices) => choices.length === longest);
  return withinBounds(dimensions.toSpliced(which, 1), most);
}

function endsOf(
  prefixes: readonly string[] = [],
  names: readonly string[] = [],
  pods: readonly PlacedPod[],
): readonly FrameEnd[] {
  if (prefixes.length > 0) return prefixes.map(addressOf);
  // Of a namespace there may be pods that nobody knows by their address.
  if (names.length === 0 || names.some(isWholeNamespace)) return [{}];
  const isMeant = compileQualifiedNames(names);
  return pods
    .filter(({ namespace, name }) => isMeant(namespace, name))
    .flatMap(({ endpoint, addresses }) => [...(endpoint === 0 ? [] : [{ endpoint }]), ...addresses.map(addressOf)]);
}

function addressOf(text: string): FrameEnd {
  const { words, bits } = parseIpFilter(text);
  return { address: { words, mask: [0, 1, 2, 3].map((index) => maskWord(bits, index)) } };
}

function portsOf(ports: readonly string[] = []): readonly FrameEnd[] {
  return ports.length === 0 ? [{}] : ports.map((text) => ({ ports: parsePorts(text) }));
}

/** 0 is any. */
function protocolsOf({ protocol = [] }: FlowFilter): readonly number[] {
  if (protocol.length === 0) return [0];
  return [...new Set(protocol.flatMap((name) => PROTOCOLS[name.toLowerCase()] ?? []))];
}

function familiesOf({ ip_version: versions = [] }: FlowFilter): readonly number[] {
  const families = versions.map((version) => (version === 'IPv4' ? 4 : version === 'IPv6' ? 6 : 0));
  return families.length === 0 || families.includes(0) ? [0] : families;
}

function kindsOf({ verdict = [], event_type: types = [], drop_reason_desc: reasons = [] }: FlowFilter): number {
  let kinds = reasons.length > 0 ? FRAME_DROPPED : EITHER;
  if (verdict.length > 0) {
    kinds &= (verdict.includes('FORWARDED') ? FRAME_PASSED : 0) | (verdict.includes('DROPPED') ? FRAME_DROPPED : 0);
  }
  if (types.length > 0 && types.every(({ type = 0 }) => type !== 0)) {
    const has = (wanted: number) => types.some(({ type }) => type === wanted);
    kinds &= (has(EVENT_TRACE) ? FRAME_PASSED : 0) | (has(EVENT_DROP) ? FRAME_DROPPED : 0);
  }
  return kinds;
}
