/**
 * The event record: 256 bytes, little endian, one for each thing worth telling. The dataplane writes it with plain stores
 * into a pinned ring; agent and CLI read it. It carries what Cilium's notifications carry (drop, trace, policy-verdict,
 * access log), flattened to one layout.
 *
 *   0 u8  type          1 u8  subtype        2 u16 source endpoint
 *   4 u32 hash          8 u32 original bytes 12 u16 captured bytes  14 u8 version  15 u8 flags
 *  16 u32 src identity 20 u32 dst identity   24 u16 dst endpoint    26 u16 dst port
 *  28 i32 verdict      32 u8  protocol       33 u8 direction        34 u8 match type  35 u8 auth type
 *  36 u32 cookie       40 u32 ifindex        44 u8 trace reason     48 f64 milliseconds since the epoch
 *  56 u32 cookie of the other direction      60 u32 service frontend   64 .. 255 captured bytes, from the Ethernet header on
 *
 * subtype: the reason of a drop, the observation point of a trace; of an access-log record the number of the part. What an access-log
 * record tells (l7-record.ts) lies where the frame lies in the others, and goes on in the next records, which have no fixed fields.
 */
import { i32le, setI32le, setU16le, u16le } from './bytes.ts';

export const EVENT_BYTES = 256;
const EVENT_VERSION = 1;
export const PAYLOAD_OFFSET = 64;
export const PAYLOAD_BYTES = EVENT_BYTES - PAYLOAD_OFFSET;

export const EVENT_DROP = 1;
export const EVENT_TRACE = 4;
export const EVENT_POLICY_VERDICT = 5;
export const EVENT_L7 = 129;
/** In no ring: what the agent tells of its own. */
export const EVENT_AGENT = 130;

export const FLAG_IPV6 = 1;
export const FLAG_AUDITED = 2;
export const FLAG_REPLY = 4;
/** FLAG_REPLY says something; without it the direction of the connection is unknown. */
export const FLAG_REPLY_KNOWN = 8;
/** The captured frame has no Ethernet header. */
export const FLAG_L3 = 16;
/** An access-log record that does not tell all; 32 was another flag once. */
export const FLAG_CUT = 64;

/** Observation points of a trace, by number (bpf/lib/trace.h). */
export const TRACE_TO_ENDPOINT = 0;
export const TRACE_TO_PROXY = 1;
export const TRACE_TO_HOST = 2;
export const TRACE_TO_NETWORK = 11;
/** In no ring, but in recordings of frames. */
export const TRACE_FROM_PROXY = 6;

/** Names of the observation points, indexed by number. */
export const OBSERVATION_POINTS = [
  'to-endpoint',
  'to-proxy',
  'to-host',
  'to-stack',
  'to-overlay',
  'from-endpoint',
  'from-proxy',
  'from-host',
  'from-stack',
  'from-overlay',
  'from-network',
  'to-network',
  'from-crypto',
  'to-crypto',
] as const;

/** Starts a record: type, subtype, version and time; every other field and the first payload byte become 0. */
export function begin(bytes: Uint8Array, at: number, type: number, subtype: number, timeMs: number): void {
  bytes.fill(0, at, at + PAYLOAD_OFFSET);
  bytes[at] = type;
  bytes[at + 1] = subtype;
  bytes[at + 14] = EVENT_VERSION;
  setTimeMs(bytes, at, timeMs);
}

export function setSourceEndpoint(bytes: Uint8Array, at: number, id: number): void {
  setU16le(bytes, at + 2, id);
}

export function setHash(bytes: Uint8Array, at: number, hash: number): void {
  setI32le(bytes, at + 4, hash);
}

export function setFlags(bytes: Uint8Array, at: number, flags: number): void {
  bytes[at + 15] = flags;
}

export function setIdentities(bytes: Uint8Array, at: number, src: number, dst: number): void {
  setI32le(bytes, at + 16, src);
  setI32le(bytes, at + 20, dst);
}

export function setDestinationEndpoint(bytes: Uint8Array, at: number, id: number): void {
  setU16le(bytes, at + 24, id);
}

export function setDstPort(bytes: Uint8Array, at: number, port: number): void {
  setU16le(bytes, at + 26, port);
}

/** @param verdict minus a reason, 0 for allowed, or the proxy port (rule set) the flow is redirected to */
export function setVerdict(bytes: Uint8Array, at: number, verdict: number): void {
  setI32le(bytes, at + 28, verdict);
}

export function setProtocol(bytes: Uint8Array, at: number, protocol: number): void {
  bytes[at + 32] = protocol;
}

/** @param direction INGRESS, EGRESS (direction.ts), or 0 */
export function setDirection(bytes: Uint8Array, at: number, direction: number): void {
  bytes[at + 33] = direction;
}

/** @param matchType MATCH_* of match.ts */
export function setMatchType(bytes: Uint8Array, at: number, matchType: number): void {
  bytes[at + 34] = matchType;
}

export function setAuthType(bytes: Uint8Array, at: number, authType: number): void {
  bytes[at + 35] = authType;
}

/** @param cookie of the entry that decided @param other of the entry of the other direction, 0 when there is none */
export function setCookies(bytes: Uint8Array, at: number, cookie: number, other: number): void {
  setI32le(bytes, at + 36, cookie);
  setI32le(bytes, at + 56, other);
}

/** @param frontend id of the service frontend that the connection was opened to, 0 for none */
export function setFrontend(bytes: Uint8Array, at: number, frontend: number): void {
  setI32le(bytes, at + 60, frontend);
}

export function setIfindex(bytes: Uint8Array, at: number, ifindex: number): void {
  setI32le(bytes, at + 40, ifindex);
}

/** @param traceReason 0 new, 1 established, 2 reply, 3 related, 4 reopened, 5 unknown: the CT_* states and what has none */
export function setTraceReason(bytes: Uint8Array, at: number, traceReason: number): void {
  bytes[at + 44] = traceReason;
}

const time = new Float64Array(1);
const timeBytes = new Uint8Array(time.buffer);

/** @param timeMs milliseconds since the epoch, with a fraction */
function setTimeMs(bytes: Uint8Array, at: number, timeMs: number): void {
  time[0] = timeMs;
  for (let index = 0; index < 8; index++) bytes[at + 48 + index] = timeBytes[index];
}

/** @param length of the whole frame */
export function setOriginalBytes(bytes: Uint8Array, at: number, length: number): void {
  setI32le(bytes, at + 8, length);
}

/** Copies the head of a frame, at most PAYLOAD_BYTES, and stores its original and captured length. */
export function capture(bytes: Uint8Array, at: number, frame: Uint8Array, offset: number, length: number): void {
  const captured = length < PAYLOAD_BYTES ? length : PAYLOAD_BYTES;
  setOriginalBytes(bytes, at, length);
  setU16le(bytes, at + 12, captured);
  const to = at + PAYLOAD_OFFSET;
  for (let index = 0; index < captured; index++) bytes[to + index] = frame[offset + index];
}

/** A record taken out of the ring. Numbers are unsigned but for `verdict`. */
export interface EventRecord {
  readonly type: number;
  readonly subtype: number;
  readonly sourceEndpoint: number;
  readonly hash: number;
  readonly originalBytes: number;
  readonly version: number;
  readonly flags: number;
  readonly srcIdentity: number;
  readonly dstIdentity: number;
  readonly destinationEndpoint: number;
  readonly dstPort: number;
  readonly verdict: number;
  readonly protocol: number;
  readonly direction: number;
  readonly matchType: number;
  readonly authType: number;
  readonly cookie: number;
  readonly otherCookie: number;
  /** Id of the service frontend that the connection was opened to, 0 for none. */
  readonly frontend: number;
  readonly ifindex: number;
  readonly traceReason: number;
  readonly timeMs: number;
  /** The captured bytes. */
  readonly payload: Uint8Array;
}

/** The type of the record at `at`. */
export function typeOf(bytes: Uint8Array, at: number): number {
  return bytes[at];
}

/** Local endpoints of the record at `at`, 0 for an end that is not local. */
export function sourceEndpointOf(bytes: Uint8Array, at: number): number {
  return u16le(bytes, at + 2);
}

export function destinationEndpointOf(bytes: Uint8Array, at: number): number {
  return u16le(bytes, at + 24);
}

/** The IP protocol of what the record at `at` is about, 0 for none. */
export function protocolOf(bytes: Uint8Array, at: number): number {
  return bytes[at + 32];
}

/** Of a part of an access-log record behind the first: where its bytes begin. */
const PART_OFFSET = 4;

/** Reads the record at `at`, copying its payload. A captured length beyond the record is cut to it. */
export function decodeEvent(bytes: Uint8Array, at: number): EventRecord {
  return readEvent(bytes, at, true);
}

/** The same without a copy: the payload is a part of `bytes`, to which nobody writes any more. */
export function viewEvent(bytes: Uint8Array, at: number): EventRecord {
  return readEvent(bytes, at, false);
}

function readEvent(bytes: Uint8Array, at: number, isCopied: boolean): EventRecord {
  if (bytes[at] === EVENT_L7 && bytes[at + 1] > 0) return decodePart(bytes, at);
  const captured = Math.min(u16le(bytes, at + 12), PAYLOAD_BYTES);
  const from = at + PAYLOAD_OFFSET;
  return {
    type: bytes[at] ?? 0,
    subtype: bytes[at + 1] ?? 0,
    sourceEndpoint: u16le(bytes, at + 2),
    hash: i32le(bytes, at + 4) >>> 0,
    originalBytes: i32le(bytes, at + 8) >>> 0,
    version: bytes[at + 14] ?? 0,
    flags: bytes[at + 15] ?? 0,
    srcIdentity: i32le(bytes, at + 16) >>> 0,
    dstIdentity: i32le(bytes, at + 20) >>> 0,
    destinationEndpoint: u16le(bytes, at + 24),
    dstPort: u16le(bytes, at + 26),
    verdict: i32le(bytes, at + 28),
    protocol: bytes[at + 32] ?? 0,
    direction: bytes[at + 33] ?? 0,
    matchType: bytes[at + 34] ?? 0,
    authType: bytes[at + 35] ?? 0,
    cookie: i32le(bytes, at + 36) >>> 0,
    otherCookie: i32le(bytes, at + 56) >>> 0,
    frontend: i32le(bytes, at + 60) >>> 0,
    ifindex: i32le(bytes, at + 40) >>> 0,
    traceReason: bytes[at + 44] ?? 0,
    timeMs: timeMsOf(bytes, at),
    payload: isCopied ? bytes.slice(from, from + captured) : bytes.subarray(from, from + captured),
  };
}

function decodePart(bytes: Uint8Array, at: number): EventRecord {
  const from = at + PART_OFFSET;
  const payload = bytes.slice(from, from + Math.min(u16le(bytes, at + 2), EVENT_BYTES - PART_OFFSET));
  return { ...NO_FIELDS, type: EVENT_L7, subtype: bytes[at + 1] ?? 0, payload };
}

/** When the record at `at` was written: milliseconds since the epoch, with a fraction. */
export function timeMsOf(bytes: Uint8Array, at: number): number {
  for (let index = 0; index < 8; index++) timeBytes[index] = bytes[at + 48 + index];
  return time[0];
}

const NO_FIELDS: EventRecord = decodeEvent(new Uint8Array(EVENT_BYTES), 0);
