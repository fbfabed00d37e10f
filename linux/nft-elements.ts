/**
 * Elements of the maps of one nf_tables table of family netdev: put in, taken out and read by netlink, each call one transaction that
 * is done when the call returns, so that the kernel decides by it from then on. The tables themselves are made by `nft -f`.
 *
 *     nlmsghdr 16 | nfgenmsg 4: family, version, big-endian number | attributes: u16 length, u16 type, value, padded to 4 bytes
 *     a transaction: BATCH_BEGIN, messages, BATCH_END
 *
 * What is taken out is told with its counters as they were last (NLM_F_ECHO): nothing is counted between a look and the end.
 */
import { closeFd } from '../dataplane/native/index.ts';
import { netlinkReceive, netlinkSend, openNetlink } from '../dataplane/native/netlink.ts';

// --- specification: the kernel's headers of netlink, nfnetlink and nf_tables
const NETLINK_NETFILTER = 12;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 0x01;
const NLM_F_ACK = 0x04;
const NLM_F_ECHO = 0x08;
const NLM_F_DUMP = 0x300;
const NLM_F_CREATE = 0x400;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const SUBSYSTEM_NFTABLES = 10;
const NFPROTO_NETDEV = 5;
const MSG_DELTABLE = (SUBSYSTEM_NFTABLES << 8) | 2;
const MSG_NEWSETELEM = (SUBSYSTEM_NFTABLES << 8) | 12;
const MSG_GETSETELEM = (SUBSYSTEM_NFTABLES << 8) | 13;
const MSG_DELSETELEM = (SUBSYSTEM_NFTABLES << 8) | 14;
const NESTED = 0x8000;
const TABLE_NAME = 1;
const LIST_TABLE = 1;
const LIST_SET = 2;
const LIST_ELEMENTS = 3;
const LIST_ELEM = 1;
const ELEM_KEY = 1;
const ELEM_DATA = 2;
const ELEM_EXPR = 7;
const DATA_VALUE = 1;
const EXPR_DATA = 2;
const COUNTER_BYTES = 1;
const COUNTER_PACKETS = 2;

// --- implementation
const HEADER_BYTES = 16;
const GENERIC_BYTES = 4;
const RECEIVE_BYTES = 1 << 18; // a datagram of a dump has 32 KiB at most
export const ENOENT = 2;

/** One element: the map that it is in, its key as the kernel has it, and what it leads to. */
export interface MapElement {
  readonly map: string;
  readonly key: Uint8Array;
  /** Number that the map has for the key, in the machine's byte order; nothing when it is to be taken out. */
  readonly value?: number;
}

/** What an element has counted. */
export interface ElementCount {
  readonly map: string;
  /** The key in hexadecimal. */
  readonly key: string;
  readonly packets: number;
  readonly bytes: number;
}

interface Answer {
  /** errno of the first message that was refused; 0: all is done. */
  readonly error: number;
  readonly counts: readonly ElementCount[];
}

export class NftElements {
  readonly #table: string;
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(RECEIVE_BYTES);
  #sequence = 1;

  /** @throws SystemError when there is no such socket to be had */
  constructor(table: string) {
    this.#table = table;
    this.#fd = openNetlink(NETLINK_NETFILTER);
  }

  close(): void {
    closeFd(this.#fd);
  }

  /** Puts elements in. @returns errno; ENOENT: no such table or map */
  add(elements: readonly MapElement[]): number {
    return this.#batch(elements.map((one) => this.#elements(MSG_NEWSETELEM, NLM_F_CREATE, one))).error;
  }

  /** Takes elements out. When it fails none is. */
  remove(elements: readonly MapElement[]): Answer {
    return this.#batch(elements.map((one) => this.#elements(MSG_DELSETELEM, NLM_F_ECHO, one)));
  }

  /** Takes all elements of some maps out. */
  clear(maps: readonly string[]): Answer {
    return this.#batch(maps.map((map) => this.#message(MSG_DELSETELEM, NLM_F_ECHO, [...this.#setOf(map)])));
  }

  /** Removes the table with all that is in it. @returns errno; ENOENT when there is none */
  deleteTable(): number {
    return this.#batch([this.#message(MSG_DELTABLE, 0, [attribute(TABLE_NAME, text(this.#table))])]).error;
  }

  /** What the elements of a map have counted by now. */
  counts(map: string): Answer {
    return this.#ask(this.#message(MSG_GETSETELEM, NLM_F_DUMP, this.#setOf(map)), true);
  }

  #batch(messages: readonly Buffer[]): Answer {
    if (messages.length === 0) return { error: 0, counts: [] };
    // One answer says that the whole was worked through; what is refused is always told.
    messages[0].writeUInt16LE(messages[0].readUInt16LE(6) | NLM_F_ACK, 6);
    const begin = this.#message(NFNL_MSG_BATCH_BEGIN, 0, [], SUBSYSTEM_NFTABLES);
    return this.#ask(Buffer.concat([begin, ...messages, this.#message(NFNL_MSG_BATCH_END, 0, [], SUBSYSTEM_NFTABLES)]));
  }

  #ask(request: Buffer, isDump = false): Answer {
    while (netlinkReceive(this.#fd, this.#buffer) !== 0); // what an earlier call left
    const counts: ElementCount[] = [];
    let error = -netlinkSend(this.#fd, request);
    let isAnswered = isDump;
    for (let got = netlinkReceive(this.#fd, this.#buffer); got !== 0; got = netlinkReceive(this.#fd, this.#buffer)) {
      if (got < 0) continue; // counts that did not fit
      for (const message of messagesOf(this.#buffer.subarray(0, got))) {
        const type = message.readUInt16LE(4);
        if (type === NLMSG_ERROR) {
          isAnswered = true;
          error ||= -message.readInt32LE(HEADER_BYTES);
        } else if (type === MSG_NEWSETELEM || type === MSG_DELSETELEM) counts.push(...countsOf(message));
      }
    }
    return { error: error === 0 && !isAnswered ? EIO : error, counts };
  }

  #setOf(map: string): Buffer[] {
    return [attribute(LIST_TABLE, text(this.#table)), attribute(LIST_SET, text(map))];
  }

  #elements(type: number, flags: number, { map, key, value }: MapElement): Buffer {
    const data = value === undefined ? [] : [attribute(ELEM_DATA | NESTED, attribute(DATA_VALUE, hostWord(value)))];
    const element = [attribute(ELEM_KEY | NESTED, attribute(DATA_VALUE, key)), ...data];
    const list = attribute(LIST_ELEMENTS | NESTED, attribute(LIST_ELEM | NESTED, ...element));
    return this.#message(type, flags, [...this.#setOf(map), list]);
  }

  #message(type: number, flags: number, attributes: readonly Buffer[], resource = 0): Buffer {
    const head = Buffer.alloc(HEADER_BYTES + GENERIC_BYTES);
    const isBatch = type === NFNL_MSG_BATCH_BEGIN || type === NFNL_MSG_BATCH_END;
    head.writeUInt32LE(head.length + attributes.reduce((sum, { length }) => sum + length, 0), 0);
    head.writeUInt16LE(type, 4);
    head.writeUInt16LE(NLM_F_REQUEST | flags, 6);
    head.writeUInt32LE(this.#sequence++ >>> 0, 8);
    head.writeUInt8(isBatch ? 0 : NFPROTO_NETDEV, HEADER_BYTES);
    head.writeUInt16BE(resource, HEADER_BYTES + 2);
    return Buffer.concat([head, ...attributes]);
  }
}

/** The socket took a request and said nothing. */
const EIO = 5;

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function hostWord(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value); // all machines that Node runs on here are little endian
  return bytes;
}

function attribute(type: number, ...values: readonly Uint8Array[]): Buffer {
  const length = 4 + values.reduce((sum, value) => sum + value.length, 0);
  const bytes = Buffer.alloc((length + 3) & ~3);
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  let at = 4;
  for (const value of values) {
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

function* messagesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER_BYTES + GENERIC_BYTES || at + length > bytes.length) return;
    yield bytes.subarray(at, at + length);
    at += (length + 3) & ~3;
  }
}

function* attributesOf(bytes: Buffer): Generator<[type: number, value: Buffer]> {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) return;
    yield [bytes.readUInt16LE(at + 2) & ~NESTED, bytes.subarray(at + 4, at + length)];
    at += (length + 3) & ~3;
  }
}

function valueOf(bytes: Buffer | undefined, type: number): Buffer | undefined {
  if (bytes === undefined) return undefined;
  for (const [found, value] of attributesOf(bytes)) if (found === type) return value;
  return undefined;
}

function* countsOf(message: Buffer): Generator<ElementCount> {
  const attributes = message.subarray(HEADER_BYTES + GENERIC_BYTES);
  const map = valueOf(attributes, LIST_SET)?.toString('latin1').replace(/\0.*$/, '') ?? '';
  const list = valueOf(attributes, LIST_ELEMENTS);
  if (list === undefined) return;
  for (const [, element] of attributesOf(list)) {
    const key = valueOf(valueOf(element, ELEM_KEY), DATA_VALUE);
    const counter = valueOf(valueOf(element, ELEM_EXPR), EXPR_DATA);
    if (key === undefined) continue;
    const bytes = valueOf(counter, COUNTER_BYTES);
    const packets = valueOf(counter, COUNTER_PACKETS);
    yield { map, key: key.toString('hex'), packets: numberOf(packets), bytes: numberOf(bytes) };
  }
}

/** Of 64 bits: exact up to 2^53, which is 9 petabytes. */
function numberOf(bytes: Buffer | undefined): number {
  return bytes === undefined ? 0 : bytes.readUInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4);
}
