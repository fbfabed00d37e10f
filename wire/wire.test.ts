// Every codec of wire/ under one law, then known bytes, then hostile bytes. One seed feeds every draw: SEED=n repeats a run.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as address from './address.ts';
import * as arp from './header/arp.ts';
import * as bytesOf from './bytes.ts';
import * as checksum from './checksum.ts';
import * as ethernet from './header/ethernet.ts';
import * as event from './event.ts';
import { Frame } from './frame.ts';
import * as icmp from './header/icmp.ts';
import * as icmpv6 from './header/icmpv6.ts';
import * as ipv4 from './header/ipv4.ts';
import * as ipv6 from './header/ipv6.ts';
import * as offload from './offload.ts';
import * as pcap from './pcap.ts';
import * as pcapng from './pcapng.ts';
import * as reasons from './reasons.ts';
import * as sctp from './header/sctp.ts';
import * as tcp from './header/tcp.ts';
import * as udp from './header/udp.ts';
import * as vnet from './header/virtio-net.ts';
import { MATCH_L3_L4 } from './match.ts';
import { PROTO_ICMPV6, PROTO_UDP } from './protocols.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

/** mulberry32: 32 bits of state, 0 <= answer < below. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

interface Codec {
  readonly name: string;
  /** The known bytes of the example. */
  readonly known: string;
  readonly emit: (bytes: Uint8Array, at: number) => number;
  /** Reads every field back. */
  readonly read: (bytes: Uint8Array, at: number) => Record<string, unknown>;
  readonly fields: Record<string, unknown>;
  /** Answers the header length, -1 when the bytes do not hold one. */
  readonly check: (bytes: Uint8Array, at: number, available: number) => number;
}

const V6_A = [0x20010db8, 0, 0, 1];
const V6_B = [0x20010db8, 0, 0, 0x0a0b0c0d];

const codecs: readonly Codec[] = [
  {
    name: 'ethernet',
    known: '02aabbccddee 0211 22334455 0800',
    emit: (b, at) =>
      ethernet.emit(b, at, {
        dstMacHigh: 0x02aa,
        dstMacLow: 0xbbccddee | 0,
        srcMacHigh: 0x0211,
        srcMacLow: 0x22334455,
        etherType: ethernet.ETHERTYPE_IPV4,
      }),
    read: (b, at) => ({
      dst: [ethernet.dstMacHigh(b, at), ethernet.dstMacLow(b, at)],
      src: [ethernet.srcMacHigh(b, at), ethernet.srcMacLow(b, at)],
      type: ethernet.etherType(b, at),
      group: ethernet.isGroup(b, at),
      broadcast: ethernet.isBroadcast(b, at),
    }),
    fields: {
      dst: [0x02aa, 0xbbccddee | 0],
      src: [0x0211, 0x22334455],
      type: 0x0800,
      group: false,
      broadcast: false,
    },
    check: ethernet.check,
  },
  {
    name: 'arp',
    known: '0001 0800 0604 0002 020000000001 0a000001 020000000002 0a000002',
    emit: (b, at) =>
      arp.emit(b, at, {
        operation: arp.OP_REPLY,
        senderMacHigh: 0x0200,
        senderMacLow: 1,
        senderIp: 0x0a000001,
        targetMacHigh: 0x0200,
        targetMacLow: 2,
        targetIp: 0x0a000002,
      }),
    read: (b, at) => ({
      operation: arp.operation(b, at),
      sender: [arp.senderMacHigh(b, at), arp.senderMacLow(b, at), arp.senderIp(b, at)],
      target: [arp.targetMacHigh(b, at), arp.targetMacLow(b, at), arp.targetIp(b, at)],
    }),
    fields: { operation: 2, sender: [0x0200, 1, 0x0a000001], target: [0x0200, 2, 0x0a000002] },
    check: arp.check,
  },
  {
    // The header of the example in Wikipedia's article on the checksum (b861 there), without its payload.
    name: 'ipv4',
    known: '4500 0014 0000 4000 4011 b8c0 c0a80001 c0a800c7',
    emit: (b, at) =>
      ipv4.emit(b, at, { src: 0xc0a80001 | 0, dst: 0xc0a800c7 | 0, protocol: PROTO_UDP, payloadLength: 0 }),
    read: (b, at) => ({
      header: ipv4.headerBytes(b, at),
      total: ipv4.totalLength(b, at),
      id: ipv4.identification(b, at),
      fragment: [ipv4.dontFragment(b, at), ipv4.moreFragments(b, at), ipv4.fragmentOffset(b, at)],
      isFragment: ipv4.isFragment(b, at),
      ttl: ipv4.ttl(b, at),
      protocol: ipv4.protocol(b, at),
      tos: ipv4.tos(b, at),
      src: ipv4.src(b, at),
      dst: ipv4.dst(b, at),
      valid: ipv4.verifyChecksum(b, at),
      unsafe: ipv4.hasUnsafeOptions(b, at),
    }),
    fields: {
      header: 20,
      total: 20,
      id: 0,
      fragment: [true, false, 0],
      isFragment: false,
      ttl: 64,
      protocol: 17,
      tos: 0,
      src: 0xc0a80001 | 0,
      dst: 0xc0a800c7 | 0,
      valid: true,
      unsafe: false,
    },
    check: ipv4.check,
  },
  {
    name: 'ipv6',
    known: '62312345 0000 3a ff 20010db8000000000000000000000001 20010db800000000000000000a0b0c0d',
    emit: (b, at) =>
      ipv6.emit(b, at, {
        src: V6_A,
        dst: V6_B,
        nextHeader: PROTO_ICMPV6,
        payloadLength: 0,
        hopLimit: 255,
        trafficClass: 0x23,
        flowLabel: 0x12345,
      }),
    read: (b, at) => ({
      class: ipv6.trafficClass(b, at),
      label: ipv6.flowLabel(b, at),
      length: ipv6.payloadLength(b, at),
      next: ipv6.nextHeader(b, at),
      hops: ipv6.hopLimit(b, at),
      src: [0, 1, 2, 3].map((word) => ipv6.src(b, at, word)),
      dst: [0, 1, 2, 3].map((word) => ipv6.dst(b, at, word)),
    }),
    fields: { class: 0x23, label: 0x12345, length: 0, next: 58, hops: 255, src: V6_A, dst: V6_B },
    check: ipv6.check,
  },
  {
    name: 'tcp',
    known: 'a028 0050 00000001 ffffffff 50 12 ffff 0000 0000',
    emit: (b, at) =>
      tcp.emit(b, at, { srcPort: 41000, dstPort: 80, seq: 1, ack: -1, flags: tcp.SYN | tcp.ACK, window: 65535 }),
    read: (b, at) => ({
      ports: [tcp.srcPort(b, at), tcp.dstPort(b, at)],
      seq: tcp.seq(b, at),
      ack: tcp.ack(b, at),
      header: tcp.headerBytes(b, at),
      flags: tcp.flags(b, at),
      window: tcp.window(b, at),
      checksum: tcp.checksum(b, at),
      urgent: tcp.urgentPointer(b, at),
      options: tcp.optionsAreValid(b, at),
    }),
    fields: {
      ports: [41000, 80],
      seq: 1,
      ack: -1,
      header: 20,
      flags: 0x12,
      window: 65535,
      checksum: 0,
      urgent: 0,
      options: true,
    },
    check: tcp.check,
  },
  {
    name: 'udp',
    known: 'c350 0035 0008 0000',
    emit: (b, at) => udp.emit(b, at, { srcPort: 50000, dstPort: 53 }, 0),
    read: (b, at) => ({
      ports: [udp.srcPort(b, at), udp.dstPort(b, at)],
      length: udp.length(b, at),
      checksum: udp.checksum(b, at),
    }),
    fields: { ports: [50000, 53], length: 8, checksum: 0 },
    check: udp.check,
  },
  {
    name: 'sctp',
    known: '8765 13ba 01020304 00000000',
    emit: (b, at) => sctp.emit(b, at, { srcPort: 0x8765, dstPort: 5050, verificationTag: 0x01020304 }),
    read: (b, at) => ({
      ports: [sctp.srcPort(b, at), sctp.dstPort(b, at)],
      tag: sctp.verificationTag(b, at),
      checksum: sctp.checksum(b, at),
    }),
    fields: { ports: [0x8765, 5050], tag: 0x01020304, checksum: 0 },
    check: sctp.check,
  },
  {
    name: 'icmp',
    known: '08 00 e5ca 1234 0001',
    emit: (b, at) => {
      const length = icmp.emit(b, at, icmp.ECHO_REQUEST, 0, 0x12340001);
      icmp.fillChecksum(b, at, length);
      return length;
    },
    read: (b, at) => ({
      type: icmp.type(b, at),
      code: icmp.code(b, at),
      checksum: icmp.checksum(b, at),
      echo: [icmp.identifier(b, at), icmp.sequence(b, at)],
      mtu: icmp.nextHopMtu(b, at),
      error: icmp.isError(icmp.type(b, at)),
    }),
    fields: { type: 8, code: 0, checksum: 0xe5ca, echo: [0x1234, 1], mtu: 1, error: false },
    check: icmp.check,
  },
  {
    name: 'icmpv6 neighbour',
    known: '88 00 0000 60000000 20010db8000000000000000000000001 02 01 020000000001',
    emit: (b, at) =>
      icmpv6.emitNeighbor(b, at, {
        type: icmpv6.NEIGHBOR_ADVERTISEMENT,
        flags: icmpv6.FLAG_SOLICITED | icmpv6.FLAG_OVERRIDE,
        target: V6_A,
        macHigh: 0x0200,
        macLow: 1,
      }),
    read: (b, at) => {
      const option = icmpv6.findOption(b, at, 32, icmpv6.OPTION_TARGET_LINK_ADDRESS);
      return {
        type: icmpv6.type(b, at),
        code: icmpv6.code(b, at),
        flags: icmpv6.neighborFlags(b, at),
        target: [0, 1, 2, 3].map((word) => icmpv6.target(b, at, word)),
        mac: [icmpv6.optionMacHigh(b, option), icmpv6.optionMacLow(b, option)],
        error: icmpv6.isError(icmpv6.type(b, at)),
        source: icmpv6.findOption(b, at, 32, icmpv6.OPTION_SOURCE_LINK_ADDRESS),
      };
    },
    fields: { type: 136, code: 0, flags: 0x60, target: V6_A, mac: [0x0200, 1], error: false, source: -1 },
    check: icmpv6.checkNeighbor,
  },
];

t.test('codec law: known bytes, nothing written outside, fields read back, a cut header is refused', (t) => {
  for (const codec of codecs) {
    const known = hex(codec.known);
    for (const at of [0, 1, 14, 129]) {
      const bytes = new Uint8Array(at + known.length + 8).fill(0xee);
      const length = codec.emit(bytes, at);
      t.equal(length, known.length, `${codec.name}: emit answers its length at ${at}`);
      t.same(bytes.subarray(at, at + length), known, `${codec.name}: known bytes at ${at}`);
      t.ok(
        bytes.subarray(0, at).every((byte) => byte === 0xee) && bytes.subarray(at + length).every((b) => b === 0xee),
        `${codec.name}: writes nothing outside at ${at}`,
      );
      t.same(codec.read(bytes, at), codec.fields, `${codec.name}: fields at ${at}`);
      t.ok(codec.check(bytes, at, length) > 0, `${codec.name}: check() takes the whole header`);
      for (let cut = 0; cut < length; cut++) {
        // A neighbour message without its option is whole too.
        if (codec.name === 'icmpv6 neighbour' && cut === icmpv6.NEIGHBOR_BYTES) continue;
        t.equal(codec.check(bytes, at, cut), -1, `${codec.name}: check() refuses ${cut} bytes`);
      }
    }
  }
  t.end();
});

type Setter = (bytes: Uint8Array, offset: number, value: number) => void;
type Getter = (bytes: Uint8Array, offset: number) => number;

/** Setter, getter, bits (32: signed), bytes of the header. */
const fields: readonly (readonly [string, Setter, Getter, number, number])[] = [
  ['ethernet type', ethernet.setEtherType, ethernet.etherType, 16, 14],
  ['arp operation', arp.setOperation, arp.operation, 16, 28],
  ['ipv4 total length', ipv4.setTotalLength, ipv4.totalLength, 16, 20],
  ['ipv4 identification', ipv4.setIdentification, ipv4.identification, 16, 20],
  ['ipv4 fragment', ipv4.setFragmentField, (b, o) => ipv4.fragmentOffset(b, o) >>> 3, 13, 20],
  ['ipv4 ttl', ipv4.setTtl, ipv4.ttl, 8, 20],
  ['ipv4 protocol', ipv4.setProtocol, ipv4.protocol, 8, 20],
  ['ipv4 checksum', ipv4.setHeaderChecksum, ipv4.headerChecksum, 16, 20],
  ['ipv4 source', ipv4.setSrc, ipv4.src, 32, 20],
  ['ipv4 destination', ipv4.setDst, ipv4.dst, 32, 20],
  ['ipv6 length', ipv6.setPayloadLength, ipv6.payloadLength, 16, 40],
  ['ipv6 next header', ipv6.setNextHeader, ipv6.nextHeader, 8, 40],
  ['ipv6 hop limit', ipv6.setHopLimit, ipv6.hopLimit, 8, 40],
  ['tcp source', tcp.setSrcPort, tcp.srcPort, 16, 20],
  ['tcp destination', tcp.setDstPort, tcp.dstPort, 16, 20],
  ['tcp seq', tcp.setSeq, tcp.seq, 32, 20],
  ['tcp ack', tcp.setAck, tcp.ack, 32, 20],
  ['tcp flags', tcp.setFlags, tcp.flags, 8, 20],
  ['tcp window', tcp.setWindow, tcp.window, 16, 20],
  ['tcp checksum', tcp.setChecksum, tcp.checksum, 16, 20],
  ['tcp urgent', tcp.setUrgentPointer, tcp.urgentPointer, 16, 20],
  ['udp source', udp.setSrcPort, udp.srcPort, 16, 8],
  ['udp destination', udp.setDstPort, udp.dstPort, 16, 8],
  ['udp length', udp.setLength, udp.length, 16, 8],
  ['udp checksum', udp.setChecksum, udp.checksum, 16, 8],
  ['sctp source', sctp.setSrcPort, sctp.srcPort, 16, 12],
  ['sctp destination', sctp.setDstPort, sctp.dstPort, 16, 12],
  ['sctp tag', sctp.setVerificationTag, sctp.verificationTag, 32, 12],
  ['sctp checksum', sctp.setChecksum, sctp.checksum, 32, 12],
  ['icmp type', icmp.setType, icmp.type, 8, 8],
  ['icmp code', icmp.setCode, icmp.code, 8, 8],
  ['icmp checksum', icmp.setChecksum, icmp.checksum, 16, 8],
  ['icmpv6 type', icmpv6.setType, icmpv6.type, 8, 8],
  ['icmpv6 code', icmpv6.setCode, icmpv6.code, 8, 8],
  ['icmpv6 checksum', icmpv6.setChecksum, icmpv6.checksum, 16, 8],
];

t.test('each setter and its accessor agree, and a setter touches its own field only', (t) => {
  const random = randomFrom(SEED + 8);
  for (const [name, set, get, bits, size] of fields) {
    let wrong = 0;
    for (let round = 0; round < 50; round++) {
      const bytes = new Uint8Array(80).map(() => random(256));
      const offset = 8 + random(16);
      const before = bytes.slice();
      const value = bits === 32 ? random(0xffff_ffff) | 0 : random(2 ** bits);
      set(bytes, offset, value);
      if (get(bytes, offset) !== value) wrong++;
      const changed = bytes.reduce((list: number[], byte, at) => (byte === before[at] ? list : [...list, at]), []);
      if (changed.length > 0 && changed[changed.length - 1] - changed[0] >= Math.ceil(bits / 8)) wrong++;
      if (changed.some((at) => at < offset || at >= offset + size)) wrong++;
    }
    t.equal(wrong, 0, name);
  }
  t.end();
});

/** Bytes that note a read outside [from, to). Reads of `.buffer` and `.length` go through. */
function guarded(bytes: Uint8Array, from: number, to: number, onEscape: (at: number) => void): Uint8Array {
  return new Proxy(bytes, {
    get(target, key) {
      if (typeof key === 'string' && /^-?\d+$/.test(key)) {
        if (Number(key) < from || Number(key) >= to) onEscape(Number(key));
        return target[Number(key)];
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Calls every reader of a protocol that `check` admits; answers what it saw as numbers. */
const readers: Record<string, (b: Uint8Array, at: number, available: number) => number> = {
  ethernet: (b, at, n) => (ethernet.check(b, at, n) < 0 ? -1 : ethernet.etherType(b, at) + ethernet.srcMacLow(b, at)),
  arp: (b, at, n) => (arp.check(b, at, n) < 0 ? -1 : arp.operation(b, at) + arp.targetIp(b, at)),
  ipv4: (b, at, n) =>
    ipv4.check(b, at, n) < 0
      ? -1
      : ipv4.src(b, at) + ipv4.dst(b, at) + Number(ipv4.hasUnsafeOptions(b, at)) + Number(ipv4.verifyChecksum(b, at)),
  ipv6: (b, at, n) => {
    if (ipv6.check(b, at, n) < 0) return -1;
    const walk = new Frame(b);
    const end = at + ipv6.HEADER_BYTES + ipv6.payloadLength(b, at);
    const protocol = ipv6.walkExtensions(b, at, end, walk);
    if (protocol >= 0 && (walk.l4Offset > end || walk.l4Offset < at + 40)) throw new Error('l4Offset escaped');
    return protocol + walk.l4Offset;
  },
  tcp: (b, at, n) => {
    const header = tcp.check(b, at, n);
    if (header < 0) return -1;
    let seen = 0;
    let steps = 0;
    for (let option = tcp.firstOption(b, at); option > 0; option = tcp.nextOption(b, option, at + header)) {
      if (++steps > 40) throw new Error('option walk does not end');
      seen += b[option] + b[option + b[option + 1] - 1];
    }
    const sack = tcp.findOption(b, at, tcp.OPTION_SACK);
    for (let block = 0; sack > 0 && block < tcp.sackCount(b, sack); block++) {
      seen += tcp.sackLeft(b, sack, block) + tcp.sackRight(b, sack, block);
    }
    const stamp = tcp.timestamps(b, at);
    if (stamp > 0) seen += tcp.timestampValue(b, stamp) + tcp.timestampEcho(b, stamp);
    return seen + tcp.mss(b, at) + tcp.windowScale(b, at) + Number(tcp.optionsAreValid(b, at));
  },
  udp: (b, at, n) => (udp.check(b, at, n) < 0 ? -1 : udp.length(b, at) + udp.checksum(b, at)),
  sctp: (b, at, n) => (sctp.check(b, at, n) < 0 ? -1 : sctp.chunkType(b, at, n) + sctp.crc32c(b, at, n)),
  icmp: (b, at, n) => (icmp.check(b, at, n) < 0 ? -1 : icmp.nextHopMtu(b, at) + icmp.checksum(b, at)),
  icmpv6: (b, at, n) => {
    if (icmpv6.check(b, at, n) < 0) return -1;
    if (icmpv6.checkNeighbor(b, at, n) < 0) return icmpv6.mtu(b, at);
    const option = icmpv6.findOption(b, at, n, icmpv6.OPTION_SOURCE_LINK_ADDRESS);
    return option < 0 ? icmpv6.target(b, at, 3) : icmpv6.optionMacLow(b, option);
  },
};

t.test('readers never throw, never loop and never read outside their bounds, whatever the bytes', (t) => {
  const random = randomFrom(SEED);
  const base = new Uint8Array(256);
  let escapes = 0;
  let admitted = 0;
  for (let round = 0; round < 6000; round++) {
    const from = random(40);
    const available = random(120);
    for (let at = 0; at < base.length; at++) base[at] = random(256);
    // Half of the time plausible first bytes, so that the readers get past their checks.
    if (round % 2 === 0) {
      base[from] = [0x45, 0x4f, 0x60, 0x46][random(4)];
      base[from + 6] = [0, 43, 44, 51, 60, 6][random(6)];
      base[from + 12] = random(256);
      bytesOf.setU16(base, from + 2, random(2) ? available : 20 + random(40));
      bytesOf.setU16(base, from + 4, random(80));
      for (let at = from + 20; at < from + 60; at++)
        if (random(3) === 0) base[at] = [0, 1, 2, 5, 8, 10, 4, 3][random(8)];
      for (let at = from + 40; at < from + 100; at += 8) base[at] = [0, 43, 44, 51, 60, 17][random(6)];
      for (let at = from + 41; at < from + 100; at += 8) base[at] = random(3);
    }
    const bytes = guarded(base, from, from + available, () => escapes++);
    for (const [name, read] of Object.entries(readers)) {
      const seen = read(bytes, from, available);
      if (!Number.isFinite(seen)) t.fail(`${name} answered ${seen} in round ${round}`);
      if (seen !== -1) admitted++;
    }
  }
  t.equal(escapes, 0, 'no read outside the bounds');
  t.ok(admitted > 5000, `enough got past the checks (${admitted})`);
  t.end();
});

t.test('ipv6.walkExtensions()', (t) => {
  const packet = (next: number, ...parts: string[]) => {
    const chain = hex(parts.join(''));
    const bytes = new Uint8Array(40 + chain.length);
    ipv6.emit(bytes, 0, { src: V6_A, dst: V6_B, nextHeader: next, payloadLength: chain.length });
    bytes.set(chain, 40);
    return bytes;
  };
  const walked = (bytes: Uint8Array) => {
    const f = new Frame(bytes);
    const protocol = ipv6.walkExtensions(bytes, 0, bytes.length, f);
    return [protocol, f.l4Offset, f.isFragment, f.isFirstFragment, f.fragmentId];
  };
  const pad = '000104' + '00000000'; // PadN, 6 bytes, completes an options header
  const tcpBytes = '00'.repeat(20);
  t.same(walked(packet(6, tcpBytes)), [6, 40, false, false, 0], 'no extension header');
  t.same(walked(packet(0, `06${pad}`, tcpBytes)), [6, 48, false, false, 0], 'hop-by-hop first');
  t.same(walked(packet(60, `3c${pad}`, `06${pad}`, tcpBytes)), [6, 56, false, false, 0], 'two of the same');
  t.same(walked(packet(60, `00${pad}`, `06${pad}`, tcpBytes))[0], -1, 'hop-by-hop anywhere else is refused');
  t.same(walked(packet(43, '06000000' + '00000000', tcpBytes)), [6, 48, false, false, 0], 'a finished route');
  t.same(walked(packet(43, '06000001' + '00000000', tcpBytes))[0], -1, 'a route with a hop left is refused');
  t.same(walked(packet(51, '0604' + '00'.repeat(22), tcpBytes)), [6, 64, false, false, 0], 'AH counts words of 4');
  t.same(walked(packet(44, '06000001' + 'deadbeef', tcpBytes)), [6, 48, true, true, 0xdeadbeef | 0], 'first fragment');
  t.same(walked(packet(44, '06000008' + '00000001', '0102')), [6, 48, true, false, 1], 'later fragment, last');
  t.same(walked(packet(44, '3c000109' + '00000001', '01')), [60, 48, true, false, 1], 'later fragment names its chain');
  t.same(
    walked(packet(44, '06000000' + '00000001', tcpBytes)),
    [6, 48, false, false, 1],
    'an atomic fragment is whole',
  );
  t.same(walked(packet(44, '2c000000' + '00000001', '06000000' + '00000001', tcpBytes))[0], -1, 'two fragment headers');
  t.same(walked(packet(60, `3b${pad}`)), [59, 48, false, false, 0], 'no next header');
  t.same(walked(packet(50, tcpBytes)), [50, 40, false, false, 0], 'ESP ends the walk');
  t.same(walked(packet(60, '06ff' + '00'.repeat(30)))[0], -1, 'a header longer than the packet');
  t.same(walked(packet(60, '06'))[0], -1, 'a header cut short');
  t.same(walked(packet(60, ...new Array<string>(8).fill(`3c${pad}`), `06${pad}`, tcpBytes))[0], -1, 'nine headers');
  t.same(walked(packet(60, ...new Array<string>(7).fill(`3c${pad}`), `06${pad}`, tcpBytes))[0], 6, 'eight headers');
  t.end();
});

t.test('tcp options', (t) => {
  const segment = (options: string) => {
    const list = hex(options);
    const bytes = new Uint8Array(20 + list.length);
    const fields = { srcPort: 1, dstPort: 2, seq: 0, ack: 0, flags: tcp.SYN, window: 0 };
    tcp.emit(bytes, 0, { ...fields, headerBytes: bytes.length });
    bytes.set(list, 20);
    return bytes;
  };
  const syn = segment('0204 05b4 0402 080a 00000001 fffffffe 01 0303 07');
  t.equal(tcp.mss(syn, 0), 1460);
  t.equal(tcp.windowScale(syn, 0), 7);
  t.ok(tcp.findOption(syn, 0, tcp.OPTION_SACK_PERMITTED) > 0);
  const stamp = tcp.timestamps(syn, 0);
  t.same([tcp.timestampValue(syn, stamp), tcp.timestampEcho(syn, stamp)], [1, -2]);
  t.ok(tcp.optionsAreValid(syn, 0));
  const acked = segment('0101 0512 00000001 00000005 ffffff00 ffffff10 0101');
  const sack = tcp.findOption(acked, 0, tcp.OPTION_SACK);
  t.same(
    [tcp.sackCount(acked, sack), tcp.sackLeft(acked, sack, 0), tcp.sackRight(acked, sack, 1)],
    [2, 1, -240],
    'SACK blocks',
  );
  tcp.setSackLeft(acked, sack, 1, 77);
  tcp.setSackRight(acked, sack, 1, 78);
  t.same([tcp.sackLeft(acked, sack, 1), tcp.sackRight(acked, sack, 1)], [77, 78], 'SACK blocks rewritten');
  tcp.blankOption(acked, sack);
  t.equal(tcp.firstOption(acked, 0), -1, 'a blanked option is gone');
  t.ok(tcp.optionsAreValid(acked, 0));
  for (const [name, options] of Object.entries({
    'length 0': '02000000',
    'length past the header': '02080000',
    'MSS of another length': '0203 00 01',
    'kind without length': '01010108',
    'half a SACK block': '0506 00000001 0101',
  })) {
    t.notOk(tcp.optionsAreValid(segment(options), 0), `${name} is not valid`);
    t.equal(tcp.mss(segment(options), 0), -1, `${name}: no MSS`);
  }
  t.ok(tcp.optionsAreValid(segment('00ffffff'), 0), 'nothing after the end counts');
  t.equal(tcp.windowScale(segment('030363 00'), 0), 14, 'a scale beyond 14 counts as 14');
  const bytes = segment('');
  tcp.setHeaderBytes(bytes, 0, 60);
  t.equal(tcp.headerBytes(bytes, 0), 60);
  t.end();
});

t.test('ipv4 options and TTL', (t) => {
  const packet = (options: string) => {
    const bytes = new Uint8Array(60);
    ipv4.emit(bytes, 0, { src: 1, dst: 2, protocol: 6, payloadLength: 0 });
    const list = hex(options);
    bytes.set(list, 20);
    bytes[0] = 0x40 | (5 + list.length / 4);
    ipv4.setTotalLength(bytes, 0, 20 + list.length);
    ipv4.fillChecksum(bytes, 0);
    return bytes;
  };
  t.ok(ipv4.hasUnsafeOptions(packet('830704 00000000 00'), 0), 'loose source route');
  t.ok(ipv4.hasUnsafeOptions(packet('01890704 00000000'), 0), 'strict source route behind a NOP');
  t.ok(ipv4.hasUnsafeOptions(packet('0700 0000'), 0), 'an option of length 0');
  t.ok(ipv4.hasUnsafeOptions(packet('0709 0000'), 0), 'an option past the header');
  t.notOk(ipv4.hasUnsafeOptions(packet('0704 0400 01010101'), 0), 'record route');
  t.notOk(ipv4.hasUnsafeOptions(packet('00 830704'), 0), 'nothing after the end counts');
  const bytes = packet('01010101');
  for (let ttl = 63; ttl >= 0; ttl--) {
    ipv4.decrementTtl(bytes, 0);
    if (ipv4.ttl(bytes, 0) !== ttl || !ipv4.verifyChecksum(bytes, 0)) t.fail(`TTL ${ttl}`);
  }
  t.equal(ipv4.ttl(bytes, 0), 0, 'the checksum follows the TTL down to 0');
  t.end();
});

/** Obviously right: RFC 1071 word by word. */
function slowSum(bytes: Uint8Array, offset: number, length: number): number {
  let total = 0;
  for (let at = 0; at < length; at += 2) {
    total += (bytes[offset + at] << 8) | (at + 1 < length ? bytes[offset + at + 1] : 0);
    total = (total & 0xffff) + (total >>> 16);
  }
  return total;
}

t.test('checksum.sum() equals the word-by-word sum', (t) => {
  const random = randomFrom(SEED + 1);
  const backing = new ArrayBuffer(70_000);
  const bytes = new Uint8Array(backing, 3); // a view that does not begin where its buffer does
  for (let at = 0; at < bytes.length; at++) bytes[at] = random(256);
  let wrong = 0;
  for (let round = 0; round < 2000; round++) {
    const offset = random(400);
    const length = round % 3 === 0 ? random(66_000) : random(300);
    if (checksum.fold(checksum.sum(bytes, offset, length, 0)) !== slowSum(bytes, offset, length)) wrong++;
  }
  bytes.fill(0xff);
  for (const length of [0, 1, 2, 127, 128, 129, 65_535, 65_536]) {
    if (checksum.fold(checksum.sum(bytes, 1, length, 0)) !== slowSum(bytes, 1, length)) wrong++;
  }
  t.equal(wrong, 0);
  t.equal(checksum.complement(checksum.sum(hex('0001f203f4f5f6f7'), 0, 8, 0)), 0x220d, 'RFC 1071 section 3');
  t.equal(checksum.fold(checksum.sum(bytes, bytes.length - 4, 100, 0)), 0xffff, 'stops at the end of the array');
  t.end();
});

t.test('checksum.update: the same as computing anew (RFC 1624)', (t) => {
  const random = randomFrom(SEED + 2);
  let wrong = 0;
  const bytes = new Uint8Array(40);
  for (let round = 0; round < 5000; round++) {
    for (let at = 0; at < 40; at++) bytes[at] = random(4) === 0 ? 0xff * random(2) : random(256);
    bytes[38] |= 1; // never all zero: 0 and ffff are the same sum
    const before = checksum.complement(slowSum(bytes, 0, 40));
    const at = random(9) * 4;
    const old16 = bytesOf.u16(bytes, at);
    const old32 = bytesOf.i32(bytes, at);
    const value = [0, 0xffff, 0xffffffff | 0, random(0x7fffffff)][random(4)];
    bytesOf.setU16(bytes, at, value);
    if (checksum.update16(before, old16, value) !== checksum.complement(slowSum(bytes, 0, 40))) wrong++;
    bytesOf.setI32(bytes, at, value);
    if (checksum.update32(before, old32, value) !== checksum.complement(slowSum(bytes, 0, 40))) wrong++;
    const undone = checksum.updateUndone32(~before & 0xffff, old32, value);
    if (checksum.complement(undone) !== checksum.complement(slowSum(bytes, 0, 40))) wrong++;
  }
  t.equal(wrong, 0);
  t.equal(checksum.update16(0xdd2f, 0x5555, 0x3285), 0, 'the example of RFC 1624 section 4');
  t.end();
});

/** A frame as parse would leave it. */
function frameOf(family: 4 | 6, protocol: number, l4: Uint8Array): Frame {
  const bytes = new Uint8Array(10 + 14 + (family === 4 ? 20 : 40) + l4.length + 6).fill(0x5a);
  const f = new Frame(bytes);
  vnet.clear(bytes, 10);
  f.offset = 10;
  f.l3Offset = 24;
  f.family = family;
  f.protocol = protocol;
  if (family === 4) {
    f.l4Offset = 24 + ipv4.emit(bytes, 24, { src: 0x0a000001, dst: 0x0a000002, protocol, payloadLength: l4.length });
    [f.src2, f.dst2, f.src3, f.dst3] = [0xffff, 0xffff, 0x0a000001, 0x0a000002];
  } else {
    f.l4Offset = 24 + ipv6.emit(bytes, 24, { src: V6_A, dst: V6_B, nextHeader: protocol, payloadLength: l4.length });
    [f.src0, f.src1, f.src2, f.src3] = V6_A;
    [f.dst0, f.dst1, f.dst2, f.dst3] = V6_B;
  }
  bytes.set(l4, f.l4Offset);
  f.payloadOffset = f.l4Offset;
  f.payloadLength = l4.length;
  f.length = f.l4Offset + l4.length - f.offset;
  return f;
}

t.test('offload: complete, leaveUndone, finish and validate agree', (t) => {
  const random = randomFrom(SEED + 3);
  for (const family of [4, 6] as const) {
    for (const protocol of [6, 17, 132, family === 4 ? 1 : 58]) {
      const name = `IPv${family} protocol ${protocol}`;
      const l4 = new Uint8Array(300 + random(2)).map(() => random(256));
      const f = frameOf(family, protocol, l4);
      offload.complete(f);
      t.ok(offload.verify(f), `${name}: complete() is right`);
      t.ok(offload.validate(f), `${name}: and believed`);
      f.bytes[f.l4Offset + 40] ^= 1;
      t.notOk(offload.validate(f), `${name}: a flipped bit is seen`);
      vnet.setFlags(f.bytes, f.offset, vnet.FLAG_DATA_VALID);
      t.ok(offload.validate(f), `${name}: unless somebody vouches`);
      vnet.clear(f.bytes, f.offset);
      f.isFragment = true;
      t.ok(offload.validate(f), `${name}: a fragment cannot be checked`);
      f.isFragment = false;

      offload.leaveUndone(f);
      t.ok(offload.validate(f), `${name}: undone is believed`);
      const isL4 = protocol === 6 || protocol === 17;
      t.equal(vnet.flags(f.bytes, f.offset), isL4 ? vnet.FLAG_NEEDS_CSUM : 0, `${name}: flags`);
      if (isL4) t.notOk(offload.verify(f), `${name}: and wrong as it stands`);
      t.equal(offload.finish(f.bytes, f.offset, f.length), 0);
      t.ok(offload.verify(f), `${name}: finish() makes it right`);
      t.equal(vnet.flags(f.bytes, f.offset), 0, `${name}: and says so`);
      t.equal(
        checksum.fold(checksum.pseudoHeaderOf(f, family, l4.length)),
        checksum.fold(checksum.pseudoHeader(f.bytes, f.l3Offset, family, protocol, l4.length)),
        `${name}: both pseudo-headers agree`,
      );
    }
  }
  const none = frameOf(4, 17, hex('0001 0002 0008 0000'));
  t.ok(offload.verify(none), 'UDP without a checksum over IPv4');
  t.notOk(offload.verify(frameOf(6, 17, hex('0001 0002 0008 0000'))), 'UDP without a checksum over IPv6');
  t.notOk(offload.verify(frameOf(4, 6, hex('0001'))), 'a TCP header cut before its checksum');
  t.ok(offload.verify(frameOf(4, 47, hex('0001'))), 'a protocol without a checksum');
  // A UDP datagram whose checksum comes out as 0 is sent with ffff.
  const zero = frameOf(4, 17, hex('0000 0000 000a 0000 0000'));
  const target = checksum.complement(
    checksum.sum(zero.bytes, zero.l4Offset, 10, checksum.pseudoHeader(zero.bytes, 24, 4, 17, 10)),
  );
  bytesOf.setU16(zero.bytes, zero.l4Offset + 8, target);
  offload.complete(zero);
  t.equal(udp.checksum(zero.bytes, zero.l4Offset), 0xffff);
  t.end();
});

t.test('offload.finish() refuses offsets outside the frame', (t) => {
  const random = randomFrom(SEED + 4);
  for (let round = 0; round < 2000; round++) {
    const bytes = new Uint8Array(200).map(() => random(256));
    const length = random(150);
    if (round % 4 === 0) bytesOf.setU16le(bytes, 6, random(200));
    if (round % 4 === 0) bytesOf.setU16le(bytes, 8, random(40));
    const after = bytes.slice(10 + length);
    const answer = offload.finish(bytes, 10, length);
    if (answer !== 0 && answer !== -1) t.fail(`answered ${answer}`);
    if (Buffer.compare(after, bytes.slice(10 + length)) !== 0) t.fail('wrote behind the frame');
  }
  t.pass('2000 headers at random');
  t.end();
});

t.test('virtio-net header', (t) => {
  const bytes = hex('01 05 4200 b405 2200 1000 ff');
  t.same(
    [vnet.flags, vnet.gsoType, vnet.headerLength, vnet.gsoSize, vnet.csumStart, vnet.csumOffset].map((f) =>
      f(bytes, 10),
    ),
    [1, 5, 66, 1460, 34, 16],
  );
  const other = new Uint8Array(11);
  vnet.copy(other, 10, bytes, 10);
  t.same(other.subarray(0, 10), bytes.subarray(0, 10));
  vnet.setGsoType(other, 10, vnet.GSO_TCPV4);
  vnet.setHeaderLength(other, 10, 54);
  vnet.setGsoSize(other, 10, 8948);
  t.same([vnet.gsoType(other, 10), vnet.headerLength(other, 10), vnet.gsoSize(other, 10)], [1, 54, 8948]);
  vnet.clear(bytes, 10);
  t.same(bytes, hex('00000000000000000000 ff'));
  t.end();
});

t.test('sctp.crc32c() of RFC 3720 B.4 and of a packet', (t) => {
  // Twelve bytes of header are skipped over with a zero checksum field, so the known vectors start behind it.
  const zeros = new Uint8Array(32);
  t.equal(sctp.crc32c(zeros, 0, 32) >>> 0, 0x8a9136aa);
  const bytes = new Uint8Array(32).map((_, index) => index);
  bytes.fill(0, 8, 12);
  const before = sctp.crc32c(bytes, 0, 32);
  sctp.setChecksum(bytes, 0, before);
  t.equal(sctp.crc32c(bytes, 0, 32), before, 'its own field does not count');
  t.equal(sctp.checksum(bytes, 0), before);
  t.end();
});

t.test('address: text to words and back', (t) => {
  const words = [0, 0, 0, 0];
  const good: readonly [string, 4 | 6, string][] = [
    ['0.0.0.0', 4, '0.0.0.0'],
    ['255.255.255.255', 4, '255.255.255.255'],
    ['::ffff:10.1.2.3', 4, '10.1.2.3'],
    ['::', 6, '::'],
    ['::1', 6, '::1'],
    ['1::', 6, '1::'],
    ['2001:DB8::1:0:0:1', 6, '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1:0:0:1', 6, '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', 6, '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', 6, '2001:0:0:1::1'],
    ['1:2:3:4:5:6:7::', 6, '1:2:3:4:5:6:7:0'],
    ['64:ff9b::192.0.2.33', 6, '64:ff9b::c000:221'],
    ['fe80::0202:b3ff:fe1e:8329', 6, 'fe80::202:b3ff:fe1e:8329'],
  ];
  for (const [text, family, printed] of good) {
    t.equal(address.parseIp(text, words), family, text);
    t.equal(address.formatIp(words[0], words[1], words[2], words[3]), printed, `${text} prints as ${printed}`);
  }
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.0.0.1',
    '1.2.3.-4',
    ' 1.2.3.4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8::',
    '::1%eth0',
    '12345::',
    'g::',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::1.2.3',
    '1:',
    ':1',
    `${'1'.repeat(60)}::`,
  ]) {
    t.equal(address.parseIp(text, words), 0, `"${text}" is no address`);
  }
  const random = randomFrom(SEED + 5);
  for (let round = 0; round < 2000; round++) {
    const drawn = [0, 1, 2, 3].map(() => (random(3) === 0 ? 0 : random(0xffffffff) & (random(2) ? 0xffff : -1)));
    const text = address.formatIpv6(drawn[0], drawn[1], drawn[2], drawn[3]);
    address.parseIp(text, words);
    if (words.some((word, index) => word !== (drawn[index] | 0))) t.fail(`${text} comes back as another address`);
  }
  t.end();
});

t.test('address: prefixes', (t) => {
  const inside = (prefix: string, ip: string) => {
    const words = [0, 0, 0, 0];
    address.parseIp(ip, words);
    return address.contains(address.parseCidr(prefix), words[0], words[1], words[2], words[3]);
  };
  t.ok(inside('10.0.0.0/8', '10.255.0.1'));
  t.notOk(inside('10.0.0.0/8', '11.0.0.1'));
  t.ok(inside('0.0.0.0/0', '1.2.3.4'));
  t.notOk(inside('0.0.0.0/0', '2001:db8::1'));
  t.ok(inside('::/0', '2001:db8::1'));
  t.ok(inside('2001:db8::/33', '2001:db8:7fff::1'));
  t.notOk(inside('2001:db8::/33', '2001:db8:8000::1'));
  t.ok(inside('10.1.2.3', '10.1.2.3'), 'a bare address is a prefix of one');
  t.equal(address.formatCidr(address.parseCidr('10.0.0.0/8')), '10.0.0.0/8');
  t.equal(address.formatCidr(address.parseCidr('FD00::/8')), 'fd00::/8');
  t.equal(address.formatCidr(address.parseCidr('10.1.2.3/8', { hostBits: 'clear' })), '10.0.0.0/8');
  t.same(address.parseCidr('10.0.0.0/8').bits, 104);
  t.throws(() => address.parseCidr('10.1.2.3/8'), {
    message: /has bits set beyond its length, wanted "10\.0\.0\.0\/8"/,
  });
  t.throws(() => address.parseCidr('10.0.0.0/33'), { message: /length "33" in "10\.0\.0\.0\/33", wanted 0 to 32/ });
  t.throws(() => address.parseCidr('::/129'), { message: /wanted 0 to 128/ });
  t.throws(() => address.parseCidr('10.0.0.0/08'), { message: /length "08"/ });
  t.throws(() => address.parseCidr('web/24'), { message: /"web\/24" is no IPv4 or IPv6 prefix/ });
  t.same(
    [0, 1, 2, 3].map((word) => address.maskWord(33, word)),
    [-1, -0x80000000, 0, 0],
  );
  t.end();
});

t.test('address: MAC', (t) => {
  const mac = address.parseMac('02:aA:bb-cc:dd:ee');
  t.equal(mac, -1, 'separators may not be mixed');
  const number = address.parseMac('fe-aa-bb-cc-dd-ee');
  t.equal(address.formatMac(address.macHigh(number), address.macLow(number)), 'fe:aa:bb:cc:dd:ee');
  for (const text of ['', '02:00:00:00:00', '02:00:00:00:00:0g', '020000000001']) t.equal(address.parseMac(text), -1);
  t.end();
});

t.test('reasons: every constant has a row and no number is used twice', (t) => {
  const constants = Object.entries(reasons).filter(
    ([name]) => /^(DROP|INFO|REASON)_[A-Z0-9_]+$/.test(name) && name !== 'DROP_MIN',
  );
  const numbers = constants.map(([, value]) => value as number);
  t.equal(new Set(numbers).size, numbers.length);
  t.same(
    Object.keys(reasons.REASONS).map(Number),
    [...numbers].sort((a, b) => a - b),
  );
  for (const [number, { name, text, sentence }] of Object.entries(reasons.REASONS)) {
    t.match(sentence, /^[A-Z].*\.$/, `${number} has a sentence`);
    t.ok(text.length > 0);
    t.match(name, /^[A-Z0-9_]+$/);
    t.equal(name === 'DROP_REASON_UNKNOWN', Number(number) < reasons.DROP_MIN);
  }
  const names = numbers.filter((number) => number >= reasons.DROP_MIN).map((number) => reasons.reasonName(number));
  t.equal(new Set(names).size, names.length, 'names are unique');
  const readme = readFileSync(join(import.meta.dirname, '../../wire/README.md'), 'utf8');
  for (const [constant, value] of constants) {
    const number = Number(value);
    const { name, text, sentence } = reasons.REASONS[number];
    t.ok(readme.includes(`| ${number} | \`${constant}\` | ${name} | ${text} | ${sentence} |`), `README has ${number}`);
  }
  t.equal(reasons.reasonText(133), 'Policy denied');
  t.equal(reasons.reasonName(181), 'POLICY_DENY');
  t.equal(reasons.reasonText(159), '159', 'a number without a meaning prints as itself');
  t.equal(reasons.reasonName(159), 'DROP_REASON_UNKNOWN');
  t.equal(reasons.reasonNumber('policy_denied'), 133);
  t.equal(reasons.reasonNumber('DROP_REASON_UNKNOWN'), -1);
  t.end();
});

t.test('event: what is written is read, and any 256 bytes are an event', (t) => {
  const bytes = new Uint8Array(3 * event.EVENT_BYTES).fill(0xee);
  const at = event.EVENT_BYTES;
  const frame = new Uint8Array(300).map((_, index) => index);
  event.begin(bytes, at, event.EVENT_POLICY_VERDICT, 0, 1700000000123.456);
  event.setSourceEndpoint(bytes, at, 10);
  event.setHash(bytes, at, 0xdeadbeef);
  event.setFlags(bytes, at, event.FLAG_IPV6 | event.FLAG_AUDITED);
  event.setIdentities(bytes, at, 1234, 0x1000001);
  event.setDestinationEndpoint(bytes, at, 65535);
  event.setDstPort(bytes, at, 8080);
  event.setVerdict(bytes, at, -133);
  event.setProtocol(bytes, at, 6);
  event.setDirection(bytes, at, 2);
  event.setMatchType(bytes, at, MATCH_L3_L4);
  event.setAuthType(bytes, at, 1);
  event.setCookies(bytes, at, 7, 0xffffffff);
  event.setIfindex(bytes, at, 42);
  event.setTraceReason(bytes, at, 3);
  event.capture(bytes, at, frame, 20, 250);
  const record = event.decodeEvent(bytes, at);
  t.match(record, {
    type: 5,
    subtype: 0,
    sourceEndpoint: 10,
    hash: 0xdeadbeef,
    originalBytes: 250,
    version: 1,
    flags: 3,
    srcIdentity: 1234,
    dstIdentity: 0x1000001,
    destinationEndpoint: 65535,
    dstPort: 8080,
    verdict: -133,
    protocol: 6,
    direction: 2,
    matchType: 2,
    authType: 1,
    cookie: 7,
    otherCookie: 0xffffffff,
    ifindex: 42,
    traceReason: 3,
    timeMs: 1700000000123.456,
  });
  t.same(record.payload, frame.subarray(20, 20 + event.PAYLOAD_BYTES));
  t.ok(
    bytes.subarray(0, at).every((b) => b === 0xee) && bytes.subarray(2 * at).every((b) => b === 0xee),
    'the neighbours are untouched',
  );
  const random = randomFrom(SEED + 6);
  for (let round = 0; round < 500; round++) {
    const any = new Uint8Array(event.EVENT_BYTES).map(() => random(256));
    const { payload } = event.decodeEvent(any, 0);
    if (payload.length > event.PAYLOAD_BYTES) t.fail('payload beyond the record');
  }
  t.equal(event.decodeEvent(new Uint8Array(0), 0).type, 0, 'even none');

  const text = new Uint8Array(2 * event.PAYLOAD_BYTES + 5).map((_, index) => index);
  t.same([0, 1, 192, 193, 389].map(event.partsOf), [1, 1, 1, 2, 3]);
  for (let part = 0; part < 3; part++) {
    event.begin(bytes, part * event.EVENT_BYTES, event.EVENT_L7, 0, 0);
    event.capturePart(bytes, part * event.EVENT_BYTES, text, part);
  }
  const parts = [0, 1, 2].map((part) => event.decodeEvent(bytes, part * event.EVENT_BYTES));
  t.same(
    parts.map((part) => [part.subtype, part.flags, part.originalBytes]),
    [
      [0, 32, 389],
      [1, 32, 389],
      [2, 0, 389],
    ],
  );
  t.same(pcap.concat(parts.map((part) => part.payload)), text);
  t.end();
});

const frames = [
  hex('02aabbccddee 021122334455 0800 4500001c00004000401126ce0a0000010a000002 c35000350008 0000'),
  hex('ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a000001 000000000000 0a000002'),
];

/** Fields that tshark reads from a file, one line a packet; null without tshark. */
function tshark(bytes: Uint8Array, suffix: string, fields: readonly string[]): string[] | null {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-wire-'));
  const path = join(directory, `capture.${suffix}`);
  writeFileSync(path, bytes);
  const list = fields.flatMap((field) => ['-e', field]);
  const run = spawnSync('tshark', ['-r', path, '-t', 'e', '-T', 'fields', '-E', 'separator=|', ...list], {
    encoding: 'utf8',
  });
  rmSync(directory, { recursive: true });
  return run.error ? null : run.stdout.trimEnd().split('\n');
}

t.test('pcap: written and read back, in both byte orders and resolutions', (t) => {
  const packets = frames.map((bytes, index) => ({ seconds: 1700000000 + index, nanoseconds: 123456789, bytes }));
  const file = pcap.writePcap([
    ...packets,
    { seconds: 5, nanoseconds: 0, bytes: frames[0].subarray(0, 20), originalLength: 42 },
  ]);
  const read = pcap.readPcap(file);
  t.equal(read.problem, null);
  t.equal(read.linkType, 1);
  t.same(
    read.packets.map(({ seconds, nanoseconds }) => [seconds, nanoseconds]),
    [
      [1700000000, 123456789],
      [1700000001, 123456789],
      [5, 0],
    ],
  );
  t.same(
    read.packets.slice(0, 2).map(({ bytes }) => bytes),
    frames,
  );
  t.same([read.packets[2].bytes.length, read.packets[2].originalLength], [20, 42]);
  const big = hex('a1b2c3d4 0002 0004 00000000 00000000 00040000 00000001 65000000 0001e240 00000002 00000040 beef');
  const old = pcap.readPcap(big);
  t.same(
    old.packets.map((p) => [p.seconds, p.nanoseconds, p.originalLength, Buffer.from(p.bytes).toString('hex')]),
    [[0x65000000, 123456000, 64, 'beef']],
  );
  t.match(pcap.readPcap(hex('00')).problem, /no magic number/);
  t.match(pcap.readPcap(file.subarray(0, file.length - 1)).problem, /packet 3 at byte \d+ does not fit/);
  t.equal(pcap.readPcap(file.subarray(0, file.length - 1)).packets.length, 2, 'what is before the damage is read');
  t.same(pcap.timeOf(1700000000123.5), { seconds: 1700000000, nanoseconds: 123500000 });
  const lines = tshark(file, 'pcap', ['frame.time_epoch', 'frame.len', 'frame.cap_len', 'frame.protocols']);
  if (lines === null) t.comment('tshark is not installed: what it would read was not compared');
  else {
    t.same(
      lines.map((line) => line.split('|').slice(0, 3)),
      [
        ['1700000000.123456789', '42', '42'],
        ['1700000001.123456789', '42', '42'],
        ['5.000000000', '42', '20'],
      ],
    );
    t.match(lines[0], /eth:ethertype:ip:udp/);
  }
  t.end();
});

t.test('pcapng: written and read back with interfaces, comments and directions', (t) => {
  const file = pcap.concat([
    pcapng.sectionHeader(),
    pcapng.interfaceDescription('shop/web-0'),
    pcapng.interfaceDescription('sluice_host'),
    pcapng.enhancedPacket({ seconds: 1700000000, nanoseconds: 123456789, bytes: frames[0] }),
    pcapng.enhancedPacket({
      seconds: 1700000001,
      nanoseconds: 1,
      bytes: frames[1].subarray(0, 41),
      originalLength: 42,
      interface: 1,
      comment: 'Policy denied',
      direction: pcapng.PACKET_OUTBOUND,
    }),
  ]);
  const read = pcapng.readPcapng(file);
  t.equal(read.problem, null);
  t.match(read.interfaces, [
    { name: 'shop/web-0', linkType: 1 },
    { name: 'sluice_host', linkType: 1 },
  ]);
  t.match(read.packets[0], { seconds: 1700000000, nanoseconds: 123456789, interface: 0, comment: '', direction: 0 });
  t.same(read.packets[0].bytes, frames[0]);
  t.match(read.packets[1], {
    nanoseconds: 1,
    interface: 1,
    comment: 'Policy denied',
    direction: 2,
    originalLength: 42,
  });
  t.same(read.packets[1].bytes, frames[1].subarray(0, 41));
  const fields = ['frame.time_epoch', 'frame.interface_name', 'frame.comment', 'frame.cap_len'];
  const lines = tshark(file, 'pcapng', fields);
  if (lines === null) t.comment('tshark is not installed: what it would read was not compared');
  else {
    t.same(lines, ['1700000000.123456789|shop/web-0||42', '1700000001.000000001|sluice_host|Policy denied|41']);
  }

  const again = pcapng.readPcapng(pcap.concat([file, file]));
  t.same(
    again.packets.map((packet) => packet.interface),
    [0, 1, 2, 3],
    'a second section has interfaces of its own',
  );
  // Big endian, microseconds (no if_tsresol), a simple packet, and a block of a type nobody knows.
  const big = hex(`0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
    00000001 00000014 0001 0000 00000000 00000014
    00000bad 00000010 01020304 00000010
    00000006 00000024 00000000 00000000 000f4240 00000002 00000002 beef0000 00000024
    00000003 00000014 00000003 aabbcc00 00000014`);
  const other = pcapng.readPcapng(big);
  t.equal(other.problem, null);
  t.same(
    other.packets.map((p) => [p.seconds, p.nanoseconds, Buffer.from(p.bytes).toString('hex')]),
    [
      [1, 0, 'beef'],
      [0, 0, 'aabbcc'],
    ],
  );
  t.match(pcapng.readPcapng(file.subarray(0, file.length - 4)).problem, /does not fit the file/);
  t.match(pcapng.readPcapng(hex('a1b2c3d4')).problem, /no section header/);
  t.end();
});

t.test('pcap and pcapng readers survive any damage', (t) => {
  const random = randomFrom(SEED + 7);
  const whole = [
    pcap.writePcap(frames.map((bytes) => ({ seconds: 1, nanoseconds: 2, bytes }))),
    pcap.concat([
      pcapng.sectionHeader(),
      pcapng.interfaceDescription('eth0'),
      ...frames.map((bytes) =>
        pcapng.enhancedPacket({ seconds: 1, nanoseconds: 2, bytes, comment: 'c', direction: 1 }),
      ),
    ]),
  ];
  for (let round = 0; round < 4000; round++) {
    const bytes = whole[round % 2].slice();
    for (let flips = random(6); flips >= 0; flips--) bytes[random(bytes.length)] = random(4) === 0 ? 0xff : random(256);
    const cut = bytes.subarray(0, random(3) === 0 ? random(bytes.length) : bytes.length);
    const { packets } = round % 2 === 0 ? pcap.readPcap(cut) : pcapng.readPcapng(cut);
    if (packets.some((packet) => packet.bytes.length > cut.length)) t.fail('a packet longer than its file');
  }
  t.pass('4000 damaged files');
  t.end();
});
