/**
 * The shape of a flow: its members in their order, each with its value when few flows differ in it (the verdict, the
 * event type), and with the columns that hold it when many do (time, ends, ports). A table has few shapes, so
 * that most of a flow is one number.
 *
 * A shape is kept as a list of two numbers a member: its name (an entry of `values`) times HOWS plus how it is kept; and
 * what there is to say to that.
 */
import type { Endpoint, EventType, Flow, TcpFlags } from '../flow.ts';
import { CorruptSegment, type IdColumn } from './columns.ts';

/** How a member is kept, and what its second number says. These numbers are on disk. */
export const HOWS = 16;
export const TIME = 0; // digits of a second, as written
export const UUID = 1;
export const IP = 2; // the ipVersion, an entry of `values`; 0: it has none
export const MAC = 3;
export const PORTS = 4; // see portsDetail()
export const L7 = 5; // 1: the latency has its column
export const COLUMN = 6; // the id column that the name has in COLUMN_OF
export const VALUE = 7; // the value, an entry of `values`
export const REST = 8; // the next one in the list in `rest`
export const EVENT_TYPE = 9; // see eventTypeDetail()
export const ENVELOPE = 10; // not a member, but the whole envelope is there

/** Members whose value is an entry of one id column. */
export const COLUMN_OF: Readonly<Partial<Record<string, IdColumn>>> = {
  source: 'source',
  destination: 'destination',
  source_names: 'sourceNames',
  destination_names: 'destinationNames',
  source_service: 'sourceService',
  destination_service: 'destinationService',
  interface: 'interface',
  egress_allowed_by: 'egressAllowedBy',
  ingress_allowed_by: 'ingressAllowedBy',
  egress_denied_by: 'egressDeniedBy',
  ingress_denied_by: 'ingressDeniedBy',
  policy_log: 'policyLog',
  Summary: 'summary',
} satisfies Partial<Record<keyof Flow, IdColumn>>;

/** Members in whose value few flows differ: it stands in the shape. */
export const IN_SHAPE: readonly (keyof Flow)[] = [
  'emitter',
  'verdict',
  'drop_reason',
  'auth_type',
  'Type',
  'node_name',
  'node_labels',
  'reply',
  'traffic_direction',
  'policy_match_type',
  'trace_observation_point',
  'trace_reason',
  'drop_reason_desc',
  'is_reply',
  'proxy_port',
  'extensions',
];

/** How each member that we know is kept, when its value is as usual. */
export const HOW_OF: ReadonlyMap<string, number> = new Map([
  ['time', TIME],
  ['uuid', UUID],
  ['IP', IP],
  ['ethernet', MAC],
  ['l4', PORTS],
  ['l7', L7],
  ['event_type', EVENT_TYPE],
  ...Object.keys(COLUMN_OF).map((member) => [member, COLUMN] as const),
  ...IN_SHAPE.map((member) => [member, VALUE] as const),
]);

/** Of `l4`, by number; the first two members of each are a column. */
export const PROTOCOLS = ['TCP', 'UDP', 'ICMPv4', 'ICMPv6', 'SCTP'] as const;
export const PORT_NAMES = [
  ['source_port', 'destination_port', 'flags'],
  ['source_port', 'destination_port'],
  ['type', 'code'],
  ['type', 'code'],
  ['source_port', 'destination_port'],
] as const;
/** Of TCP, in the order of flow.proto: bit 0 first. */
export const FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'NS'] as const;

export interface Step {
  readonly member: string;
  readonly how: number;
  readonly detail: number;
  /** Of VALUE and EVENT_TYPE; the ipVersion of IP. */
  readonly value: unknown;
}

export type Members = Readonly<Record<string, unknown>>;

export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The second number of PORTS.
 * @param isThere bit 0: the first number is, bit 1: the second, bit 2: flags are
 */
export function portsDetail(protocol: number, isThere: number, flags: number): number {
  return protocol | (isThere << 3) | (flags << 6);
}

/** `l4` as the second number of PORTS has it. @param first, second the numbers in the columns */
export function portsOf(detail: number, first: number, second: number): Members {
  const protocol = detail & 7;
  const names = PORT_NAMES[protocol];
  const ports: Record<string, unknown> = {};
  if ((detail & 8) !== 0) ports[names[0]] = first;
  if ((detail & 16) !== 0) ports[names[1]] = second;
  if ((detail & 32) !== 0) ports['flags'] = flagsOf(detail >> 6);
  return { [PROTOCOLS[protocol]]: ports };
}

function flagsOf(bits: number): TcpFlags {
  const flags: Partial<Record<(typeof FLAGS)[number], true>> = {};
  for (const [bit, name] of FLAGS.entries()) if ((bits & (1 << bit)) !== 0) flags[name] = true;
  return flags;
}

/** The second number of EVENT_TYPE: whether there is a subtype, type and subtype, 16 bits each. */
export function eventTypeDetail(type: number, subtype: number | undefined): number {
  return 2 * (type * 65_536 + (subtype ?? 0)) + (subtype === undefined ? 0 : 1);
}

function eventTypeOf(detail: number): EventType {
  const both = Math.floor(detail / 2);
  const type = Math.floor(both / 65_536);
  return detail % 2 === 0 ? { type } : { type, sub_type: both % 65_536 };
}

/**
 * Reads a shape.
 * @param valueOf an entry of `values`
 * @throws CorruptSegment for what is no shape, and what `valueOf` throws
 */
export function readShape(text: string, valueOf: (id: number) => unknown): readonly Step[] {
  const numbers: unknown = JSON.parse(text);
  const isList =
    Array.isArray(numbers) && numbers.length % 2 === 0 && numbers.every((one) => Number.isSafeInteger(one));
  if (!isList) throw new CorruptSegment(`found the shape ${text.slice(0, 80)}, wanted a list of numbers`);
  const steps: Step[] = [];
  for (let at = 0; at < numbers.length; at += 2) {
    const code = numbers[at] as number;
    const detail = numbers[at + 1] as number;
    const how = code % HOWS;
    const member = how === ENVELOPE ? '' : String(valueOf((code - how) / HOWS));
    const isSound =
      how <= ENVELOPE && (how !== COLUMN || COLUMN_OF[member] !== undefined) && (how !== PORTS || (detail & 7) < 5);
    if (!isSound) throw new CorruptSegment(`found the member ${member}, kept as ${how}, in a shape`);
    steps.push({ member, how, detail, value: valueOfStep(how, detail, valueOf) });
  }
  return steps;
}

function valueOfStep(how: number, detail: number, valueOf: (id: number) => unknown): unknown {
  if (how === EVENT_TYPE) return eventTypeOf(detail);
  return how === VALUE || (how === IP && detail !== 0) ? valueOf(detail) : undefined;
}

const NOBODY: Endpoint = {};

/** What the shape alone knows of its flows: the members with their value in it, the protocol and the IP version. */
export function knownOf(shape: readonly Step[]): Flow {
  const known: Record<string, unknown> = { source: NOBODY, destination: NOBODY, event_type: { type: 0 } };
  for (const { member, how, detail, value } of shape) {
    if (how === VALUE || how === EVENT_TYPE) known[member] = value;
    if (how === IP) known[member] = { ipVersion: value };
    if (how === PORTS) known[member] = portsOf(detail, 0, 0);
  }
  return known as unknown as Flow;
}
