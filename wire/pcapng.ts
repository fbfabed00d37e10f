/**
 * pcapng files (draft-ietf-opsawg-pcapng): what `sluice capture` and `record` write, because it keeps the interface of each packet
 * and a comment ("Policy denied"). Written little endian with nanoseconds: one section header, an interface description
 * for each interface, an enhanced packet block for each packet. Read in both byte orders, several sections, any
 * timestamp resolution; blocks that are not understood are skipped.
 *
 *  block     | type | total length | body, padded to 4 | total length |
 *  option    | code u16 | length u16 | value, padded to 4 |  ... | 0 | 0 |
 */
import { i32, i32le, setI32le, setU16le, u16, u16le } from './bytes.ts';
import { concat, LINKTYPE_ETHERNET, MAX_PACKET_BYTES, type Packet } from './pcap.ts';

const BLOCK_SECTION = 0x0a0d0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_SIMPLE_PACKET = 3;
const BLOCK_ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

const OPTION_COMMENT = 1;
const OPTION_INTERFACE_NAME = 2;
const OPTION_INTERFACE_DESCRIPTION = 3;
const OPTION_RESOLUTION = 9;
const OPTION_PACKET_FLAGS = 2;
const OPTION_USER_APPLICATION = 4;

const MAX_BLOCK_BYTES = 16 * 1024 * 1024;
const MAX_COMMENT_BYTES = 4096;
const MAX_INTERFACES = 65_536;

/** epb_flags: which way a packet went, as seen from the interface. */
export const PACKET_INBOUND = 1;
export const PACKET_OUTBOUND = 2;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function option(code: number, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 + ((value.length + 3) & ~3));
  setU16le(out, 0, code);
  setU16le(out, 2, value.length);
  out.set(value, 4);
  return out;
}

function block(type: number, body: readonly Uint8Array[]): Uint8Array {
  const content = concat(body);
  const total = 12 + ((content.length + 3) & ~3);
  const out = new Uint8Array(total);
  setI32le(out, 0, type);
  setI32le(out, 4, total);
  out.set(content, 8);
  setI32le(out, total - 4, total);
  return out;
}

const END_OF_OPTIONS = new Uint8Array(4);

/** The block every file starts with. @param application what wrote the file */
export function sectionHeader(application = 'sluice'): Uint8Array {
  const fixed = new Uint8Array(16).fill(0xff);
  setI32le(fixed, 0, BYTE_ORDER_MAGIC);
  setU16le(fixed, 4, 1);
  setU16le(fixed, 6, 0);
  return block(BLOCK_SECTION, [fixed, option(OPTION_USER_APPLICATION, encoder.encode(application)), END_OF_OPTIONS]);
}

/**
 * Describes the next interface: the first call describes interface 0, and so on.
 * @param snapBytes that a packet has at most @param description who is behind it, '' for nothing
 */
export function interfaceDescription(
  name: string,
  linkType = LINKTYPE_ETHERNET,
  snapBytes = MAX_PACKET_BYTES,
  description = '',
): Uint8Array {
  const fixed = new Uint8Array(8);
  setU16le(fixed, 0, linkType);
  setI32le(fixed, 4, snapBytes);
  const options = [
    option(OPTION_INTERFACE_NAME, encoder.encode(name)),
    ...(description === '' ? [] : [option(OPTION_INTERFACE_DESCRIPTION, encoder.encode(description))]),
    option(OPTION_RESOLUTION, Uint8Array.of(9)),
    END_OF_OPTIONS,
  ];
  return block(BLOCK_INTERFACE, [fixed, ...options]);
}

export interface NgPacket extends Packet {
  /** Index of the interface in its section; default 0. */
  readonly interface?: number;
  /** Cut to 4096 bytes of UTF-8. */
  readonly comment?: string;
  /** PACKET_INBOUND, PACKET_OUTBOUND, or 0 (default) when unknown. */
  readonly direction?: number;
}

/** One packet. Packets over MAX_PACKET_BYTES are cut. */
export function enhancedPacket(packet: NgPacket): Uint8Array {
  const captured = packet.bytes.subarray(0, MAX_PACKET_BYTES);
  const fixed = new Uint8Array(20 + ((captured.length + 3) & ~3));
  const time = BigInt(packet.seconds) * 1_000_000_000n + BigInt(packet.nanoseconds);
  setI32le(fixed, 0, packet.interface ?? 0);
  setI32le(fixed, 4, Number(time >> 32n));
  setI32le(fixed, 8, Number(time & 0xffff_ffffn));
  setI32le(fixed, 12, captured.length);
  setI32le(fixed, 16, packet.originalLength ?? packet.bytes.length);
  fixed.set(captured, 20);
  const options: Uint8Array[] = [];
  if (packet.direction) options.push(option(OPTION_PACKET_FLAGS, Uint8Array.of(packet.direction, 0, 0, 0)));
  if (packet.comment) {
    options.push(option(OPTION_COMMENT, encoder.encode(packet.comment).subarray(0, MAX_COMMENT_BYTES)));
  }
  if (options.length > 0) options.push(END_OF_OPTIONS);
  return block(BLOCK_ENHANCED_PACKET, [fixed, ...options]);
}

export interface NgInterface {
  readonly name: string;
  readonly linkType: number;
}

export interface NgReadPacket extends Required<NgPacket> {
  /** Index into `interfaces` of the file, whatever section it came from. */
  readonly interface: number;
}

export interface PcapngFile {
  readonly interfaces: readonly NgInterface[];
  readonly packets: readonly NgReadPacket[];
  /** What is wrong with the file, from there on unread; null when it was read to its end. */
  readonly problem: string | null;
}

/** Reads a file. Never throws: of a damaged file everything before the damage is answered. */
export function readPcapng(bytes: Uint8Array): PcapngFile {
  const reader = new Reader(bytes);
  let problem: string | null = null;
  while (problem === null && reader.at < bytes.length) problem = reader.readBlock();
  const interfaces = reader.interfaces.map(({ name, linkType }) => ({ name, linkType }));
  return { interfaces, packets: reader.packets, problem };
}

/** Its methods answer what is wrong, or null. */
class Reader {
  at = 0;
  readonly interfaces: (NgInterface & { readonly ticksPerSecond: bigint })[] = [];
  readonly packets: NgReadPacket[] = [];
  #bytes: Uint8Array;
  #word = i32le;
  #half = u16le;
  #sectionStart = -1;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readBlock(): string | null {
    const { at } = this;
    const isSection = i32le(this.#bytes, at) === BLOCK_SECTION && at + 12 <= this.#bytes.length;
    if (isSection) this.#startSection(at + 8);
    if (this.#sectionStart < 0) return 'not a pcapng file: no section header at its start';
    const total = at + 12 <= this.#bytes.length ? this.#word(this.#bytes, at + 4) >>> 0 : 0;
    if (total < 12 || (total & 3) !== 0 || total > MAX_BLOCK_BYTES || at + total > this.#bytes.length) {
      return `block at byte ${at} does not fit the file`;
    }
    if (this.#word(this.#bytes, at + total - 4) >>> 0 !== total) {
      return `block at byte ${at} has two different lengths`;
    }
    this.at = at + total;
    return isSection ? null : this.#readBody(this.#word(this.#bytes, at), at + 8, at + total - 4);
  }

  #startSection(magicAt: number): void {
    if (i32le(this.#bytes, magicAt) === BYTE_ORDER_MAGIC) {
      this.#word = i32le;
      this.#half = u16le;
    } else if (i32(this.#bytes, magicAt) === BYTE_ORDER_MAGIC) {
      this.#word = i32;
      this.#half = u16;
    } else {
      this.#sectionStart = -1;
      return;
    }
    this.#sectionStart = this.interfaces.length;
  }

  #readBody(type: number, start: number, end: number): string | null {
    if (type === BLOCK_INTERFACE && end - start >= 8) return this.#readInterface(start, end);
    if (type === BLOCK_ENHANCED_PACKET && end - start >= 20) return this.#readPacket(start, end);
    if (type === BLOCK_SIMPLE_PACKET && end - start >= 4) return this.#readSimplePacket(start, end);
    return null;
  }

  #readInterface(start: number, end: number): string | null {
    if (this.interfaces.length >= MAX_INTERFACES) return `more than ${MAX_INTERFACES} interfaces`;
    let name = '';
    let ticksPerSecond = 1_000_000n;
    this.#options(start + 8, end, (code, at, length) => {
      if (code === OPTION_INTERFACE_NAME) name = this.#text(at, length);
      if (code === OPTION_RESOLUTION && length === 1) ticksPerSecond = resolution(this.#bytes[at]);
    });
    this.interfaces.push({ name, linkType: this.#half(this.#bytes, start), ticksPerSecond });
    return null;
  }

  #readPacket(start: number, end: number): string | null {
    const bytes = this.#bytes;
    const index = this.#sectionStart + (this.#word(bytes, start) >>> 0);
    const captured = this.#word(bytes, start + 12) >>> 0;
    const iface = this.interfaces[index];
    if (iface === undefined) return `packet ${this.packets.length + 1} names an interface that is not there`;
    if (captured > end - start - 20) return `packet ${this.packets.length + 1} does not fit its block`;
    let comment = '';
    let direction = 0;
    this.#options(start + 20 + ((captured + 3) & ~3), end, (code, at, length) => {
      if (code === OPTION_COMMENT) comment = this.#text(at, length);
      if (code === OPTION_PACKET_FLAGS && length === 4) direction = this.#word(bytes, at) & 3;
    });
    const ticks = (BigInt(this.#word(bytes, start + 4) >>> 0) << 32n) | BigInt(this.#word(bytes, start + 8) >>> 0);
    this.packets.push({
      seconds: Number(ticks / iface.ticksPerSecond),
      nanoseconds: Number(((ticks % iface.ticksPerSecond) * 1_000_000_000n) / iface.ticksPerSecond),
      bytes: bytes.subarray(start + 20, start + 20 + captured),
      originalLength: this.#word(bytes, start + 16) >>> 0,
      interface: index,
      comment,
      direction,
    });
    return null;
  }

  #readSimplePacket(start: number, end: number): string | null {
    if (this.interfaces[this.#sectionStart] === undefined) return 'a simple packet without an interface';
    const originalLength = this.#word(this.#bytes, start) >>> 0;
    const bytes = this.#bytes.subarray(start + 4, start + 4 + Math.min(originalLength, end - start - 4));
    const time = { seconds: 0, nanoseconds: 0 };
    this.packets.push({ ...time, bytes, originalLength, interface: this.#sectionStart, comment: '', direction: 0 });
    return null;
  }

  #options(start: number, end: number, visit: (code: number, at: number, length: number) => void): void {
    let at = start;
    while (at + 4 <= end) {
      const code = this.#half(this.#bytes, at);
      const length = this.#half(this.#bytes, at + 2);
      if (code === 0 || at + 4 + length > end) return;
      visit(code, at + 4, length);
      at += 4 + ((length + 3) & ~3);
    }
  }

  #text(at: number, length: number): string {
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }
}

/** if_tsresol: a power of ten, or of two when the top bit is set. Powers that no clock has count as nanoseconds. */
function resolution(value: number): bigint {
  const power = value & 0x7f;
  if (power > 60) return 1_000_000_000n;
  return (value & 0x80) === 0 ? 10n ** BigInt(Math.min(power, 18)) : 1n << BigInt(power);
}
