/**
 * Datagrams that wait: answers that may go on when something has been done that they tell of. They leave in the order in which they
 * came, so this is a ring of rows, and a ring of their bytes:
 *
 *     rows    | head: owner, ticket, deadline, where, how long | ... | tail
 *     bytes   ... free | head ....... | ....... | tail | free ...        none lies across the end
 *
 * Bounds: MAX_ROWS, MAX_BYTES; of either an endpoint may have as much as is free (shares.ts). What has no room does not
 * wait. The bytes are there from the first one on.
 */
import type { Frame } from '../../wire/frame.ts';
import { NOBODY, type StreamOwner } from '../parser.ts';
import type { DatagramParser } from '../protocol.ts';
import { Shares } from '../stream/shares.ts';

const MAX_ROWS = 1024;
const MAX_BYTES = 1 << 22;

/** Numbers of a row; deadlines are kept apart, as they are no 32-bit numbers. */
const R_SLOT = 0;
const R_GENERATION = 1;
const R_EGRESS = 2;
const R_INGRESS = 3;
const R_SRC_IDENTITY = 4;
const R_DST_IDENTITY = 5;
const R_SRC_ENDPOINT = 6;
const R_DST_ENDPOINT = 7;
const R_TICKET = 8;
const R_START = 9;
const R_BYTES = 10;
/** Bytes left free before it, at the end of the ring. */
const R_SKIPPED = 11;
const R_FRAME_BYTES = 12;
const ROW_WORDS = 13;

type Owner = { -readonly [Key in keyof StreamOwner]: StreamOwner[Key] };

export class HeldDatagrams {
  /** How many wait. */
  count = 0;
  /** Of the first one, when any waits. */
  readonly owner: StreamOwner;
  ticket = 0;
  deadlineMs = Number.POSITIVE_INFINITY;
  parser: DatagramParser | null = null;
  /** Its payload: bytes[start, end). */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Of the frame that it came in. */
  frameBytes = 0;
  readonly #owner: Owner = { ...NOBODY, isDatagram: true };
  readonly #rows = new Int32Array(MAX_ROWS * ROW_WORDS);
  readonly #deadlines = new Float64Array(MAX_ROWS);
  readonly #parsers = new Array<DatagramParser | null>(MAX_ROWS).fill(null);
  readonly #rowShares = new Shares(MAX_ROWS);
  readonly #byteShares = new Shares(MAX_BYTES);
  #head = 0;
  /** Where the next bytes go, and how many are taken: those left free at the end too. */
  #tailByte = 0;
  #taken = 0;

  constructor() {
    this.owner = this.#owner;
  }

  /** Keeps a datagram for which its parser has said DATAGRAM_HOLD. @returns false when there is no room */
  hold(
    owner: StreamOwner,
    parser: DatagramParser,
    { bytes: from, payloadOffset, payloadLength, length: frameBytes }: Frame,
  ): boolean {
    const start = payloadOffset;
    const length = payloadLength;
    if (this.bytes.length === 0) this.bytes = new Uint8Array(MAX_BYTES);
    const skipped = this.#tailByte + length > MAX_BYTES ? MAX_BYTES - this.#tailByte : 0;
    if (this.#taken + skipped + length > MAX_BYTES || !this.#takeShares(owner.srcEndpoint, length)) return false;
    const to = skipped > 0 ? 0 : this.#tailByte;
    for (let i = 0; i < length; i++) this.bytes[to + i] = from[start + i];
    this.#tailByte = to + length;
    this.#taken += skipped + length;
    const row = (this.#head + this.count++) % MAX_ROWS;
    this.#deadlines[row] = parser.deadlineMs;
    this.#parsers[row] = parser;
    this.#fill(row * ROW_WORDS, owner);
    const { ticket } = parser;
    this.#rows[row * ROW_WORDS + R_TICKET] = ticket;
    this.#rows[row * ROW_WORDS + R_START] = to;
    this.#rows[row * ROW_WORDS + R_BYTES] = length;
    this.#rows[row * ROW_WORDS + R_SKIPPED] = skipped;
    this.#rows[row * ROW_WORDS + R_FRAME_BYTES] = frameBytes;
    if (this.count === 1) this.#load();
    return true;
  }

  /** The first one waits no longer. */
  shift(): void {
    const at = this.#head * ROW_WORDS;
    const length = this.#rows[at + R_BYTES];
    this.#rowShares.give(this.#rows[at + R_SRC_ENDPOINT], 1);
    this.#byteShares.give(this.#rows[at + R_SRC_ENDPOINT], length);
    this.#taken -= length + this.#rows[at + R_SKIPPED];
    this.#parsers[this.#head] = null;
    this.#head = (this.#head + 1) % MAX_ROWS;
    this.count--;
    this.#load();
  }

  #takeShares(endpoint: number, length: number): boolean {
    if (!this.#rowShares.take(endpoint, 1)) return false;
    if (this.#byteShares.take(endpoint, length)) return true;
    this.#rowShares.give(endpoint, 1);
    return false;
  }

  #fill(at: number, owner: StreamOwner): void {
    const rows = this.#rows;
    rows[at + R_SLOT] = owner.slot;
    rows[at + R_GENERATION] = owner.slotGeneration;
    rows[at + R_EGRESS] = owner.egressRuleSet;
    rows[at + R_INGRESS] = owner.ingressRuleSet;
    rows[at + R_SRC_IDENTITY] = owner.srcIdentity;
    rows[at + R_DST_IDENTITY] = owner.dstIdentity;
    rows[at + R_SRC_ENDPOINT] = owner.srcEndpoint;
    rows[at + R_DST_ENDPOINT] = owner.dstEndpoint;
  }

  /** Brings the fields up to the first row. */
  #load(): void {
    this.parser = this.count > 0 ? this.#parsers[this.#head] : null;
    this.deadlineMs = this.count > 0 ? this.#deadlines[this.#head] : Number.POSITIVE_INFINITY;
    const rows = this.#rows;
    const at = this.#head * ROW_WORDS;
    const owner = this.#owner;
    owner.slot = rows[at + R_SLOT];
    owner.slotGeneration = rows[at + R_GENERATION];
    owner.egressRuleSet = rows[at + R_EGRESS];
    owner.ingressRuleSet = rows[at + R_INGRESS];
    owner.srcIdentity = rows[at + R_SRC_IDENTITY];
    owner.dstIdentity = rows[at + R_DST_IDENTITY];
    owner.srcEndpoint = rows[at + R_SRC_ENDPOINT];
    owner.dstEndpoint = rows[at + R_DST_ENDPOINT];
    this.ticket = rows[at + R_TICKET];
    this.start = rows[at + R_START];
    this.end = this.start + rows[at + R_BYTES];
    this.frameBytes = rows[at + R_FRAME_BYTES];
  }
}
