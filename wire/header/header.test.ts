// Every header under one law: known bytes, then setters, then hostile bytes. One seed feeds every draw: SEED=n repeats a run.
import t from 'tap';
import { hex } from '../../test/packets.ts';
import { randomFrom, SEED } from '../../test/random.ts';
import * as bytesOf from '../bytes.ts';
import { Frame } from '../frame.ts';
import { PROTO_ICMPV6, PROTO_UDP } from '../protocols.ts';
import * as arp from './arp.ts';
import * as ethernet from './ethernet.ts';
import * as icmp from './icmp.ts';
import * as icmpv6 from './icmpv6.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import * as sctp from './sctp.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';

t.comment(`seed ${SEED}`);

const V6_A = [0x20010db8, 0, 0, 1];
const V6_B = [0x20010db8, 0, 0, 0x0a0b0c0d];

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
    }),
    fields: {
      dst: [0x02aa, 0xbbccddee | 0],
      src: [0x0211, 0x22334455],
      type: 0x0800,
      group: false,
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
