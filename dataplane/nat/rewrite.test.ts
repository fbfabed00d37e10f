/**
 * Rewritten frames against checksums made from scratch: random frames of every protocol and family, undone, done and
 * damaged. SEED=n repeats a run.
 */
import t, { type Test } from 'tap';
import { parsed, type WorldPod, words } from '../../test/dataplane-world.ts';
import { icmpFrame, pingFrame, sctpFrame, tcpFrame, udpFrame } from '../../test/packets.ts';
import { randomFrom, SEED } from '../../test/random.ts';
import { setU16, u16 } from '../../wire/bytes.ts';
import { fold, pseudoHeader } from '../../wire/checksum.ts';
import type { Frame } from '../../wire/frame.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { checksumOffset, finish, leaveUndone, verify } from '../../wire/offload.ts';
import { PROTO_SCTP } from '../../wire/protocols.ts';
import { parse } from '../parse.ts';
import { QuotedTuple } from '../related.ts';
import * as rewrite from './rewrite.ts';

t.comment(`seed ${SEED}`);
const below = randomFrom(SEED);
const ROUNDS = 400; // of each kind

const POD = { addresses: ['10.0.0.2', 'fd00::2'], mac: [2, 0, 0, 0, 1, 0] } as unknown as WorldPod;
const TO = { 4: '10.96.0.1', 6: 'fd00:10:96::1' };
const KINDS = { tcp: tcpFrame, udp: udpFrame, sctp: sctpFrame, ping: pingFrame };

function randomBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, () => below(256));
}

/** A random frame; some payloads are odd, some all ones or zeroes, where sums wrap. */
function randomFrame(kind: keyof typeof KINDS, family: 4 | 6): Frame {
  const payload = randomBytes(below(200));
  if (below(4) === 0) payload.fill(below(2) * 255);
  const fields = { from: POD, to: TO[family], sport: below(65536), dport: below(65536), payload, id: below(65536) };
  return parsed(KINDS[kind]({ ...fields, size: payload.length, flags: tcp.ACK }));
}

function randomAddress(family: 4 | 6): Int32Array {
  const word = () => [0, -1, below(2 ** 32) | 0][below(3)];
  return family === 4
    ? Int32Array.of(0, 0, 0xffff, word())
    : Int32Array.of(0xfd000000 | below(255), word(), word(), word());
}

/** Parsed anew from its bytes, as whoever gets it would. */
function reparsed(f: Frame): Frame {
  const again = parsed(f.bytes.subarray(f.offset, f.offset + f.length));
  again.bytes.set(f.bytes.subarray(f.offset - 10, f.offset), again.offset - 10);
  parse(again);
  return again;
}

const CURSOR = ['src0', 'src1', 'src2', 'src3', 'dst0', 'dst1', 'dst2', 'dst3', 'srcPort', 'dstPort'] as const;

function rewriteAtRandom(f: Frame): void {
  const family = f.family as 4 | 6;
  const port = below(5) === 0 ? -1 : below(65536);
  if (below(2) === 0) rewrite.setSource(f, randomAddress(family), 0, port);
  else rewrite.setDestination(f, randomAddress(family), 0, port);
}

/** What is wrong with a rewritten frame; empty when nothing is. */
function faults(f: Frame): string {
  const again = reparsed(f);
  const found: string[] = [];
  for (const field of CURSOR) if (f[field] !== again[field]) found.push(`${field} ${f[field]} but ${again[field]}`);
  if (f.family === 4 && !ipv4.verifyChecksum(f.bytes, f.l3Offset)) found.push('header checksum');
  finish(again.bytes, again.offset, again.length);
  if (!verify(again)) found.push('L4 checksum');
  return found.join(', ');
}

function forEachKind(run: (name: string, make: () => Frame) => void): void {
  for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[]) {
    for (const family of [4, 6] as const) run(`${kind} over IPv${family}`, () => randomFrame(kind, family));
  }
}

/** Rewrites `ROUNDS` frames, each a few times, and fails with the first that is wrong. */
function check(t: Test, name: string, make: () => Frame): void {
  for (let round = 0; round < ROUNDS; round++) {
    const f = make();
    for (let times = 1 + below(3); times > 0; times--) rewriteAtRandom(f);
    const wrong = faults(f);
    if (wrong !== '') {
      t.fail(`${name}, round ${round}: ${wrong}`);
      return;
    }
  }
  t.pass(name);
}

t.test('after a rewrite every checksum is what one made from scratch is', (t) => {
  forEachKind((name, make) => check(t, name, make));
  t.end();
});

t.test('a checksum left undone still holds the sum of the pseudo-header', (t) => {
  forEachKind((name, make) => {
    check(t, name, () => {
      const f = make();
      if (name.startsWith('tcp') || name.startsWith('udp')) leaveUndone(f);
      else markUndone(f);
      return f;
    });
  });
  t.end();
});

/** As a kernel that leaves the checksum of any protocol to the device. */
function markUndone(f: Frame): void {
  const { bytes, offset, l4Offset, protocol, length } = f;
  const field = protocol === PROTO_SCTP ? 8 : checksumOffset(protocol);
  if (protocol !== PROTO_SCTP) {
    const l4Bytes = offset + length - l4Offset;
    setU16(bytes, l4Offset + field, f.family === 4 ? 0 : fold(pseudoHeader(bytes, f.l3Offset, 6, protocol, l4Bytes)));
  }
  vnet.setFlags(bytes, offset, vnet.FLAG_NEEDS_CSUM);
  vnet.setCsumStart(bytes, offset, l4Offset - offset);
  vnet.setCsumOffset(bytes, offset, field);
}

t.test('a large frame is cut into segments that are right', async (t) => {
  const { emitPackets } = await import('../port/segment.ts');
  for (const family of [4, 6] as const) {
    const f = parsed(
      tcpFrame({ from: POD, to: TO[family], sport: 1, dport: 2, flags: tcp.ACK, payload: randomBytes(5000) }),
    );
    leaveUndone(f);
    vnet.setGsoType(f.bytes, f.offset, family === 4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6);
    vnet.setGsoSize(f.bytes, f.offset, 1400);
    rewrite.setDestination(f, randomAddress(family), 0, 8080);
    rewrite.setSource(f, randomAddress(family), 0, 99);
    let pieces = 0;
    emitPackets(f.bytes, f.offset, f.length, (bytes, at, length) => {
      const piece = parsed(bytes.slice(at, at + length));
      t.ok(verify(piece), `IPv${family} piece ${pieces++}`);
      t.same([piece.srcPort, piece.dstPort, piece.dst3], [99, 8080, f.dst3]);
    });
    t.equal(pieces, 4);
  }
});

t.test('a damaged packet stays damaged', (t) => {
  forEachKind((name, make) => {
    let laundered = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const f = make();
      const at = f.offset + f.length - 1;
      f.bytes[at] ^= 1 << below(8);
      rewriteAtRandom(f);
      if (f.payloadLength > 0 && verify(reparsed(f))) laundered++;
    }
    t.equal(laundered, 0, name);
  });
  const f = randomFrame('udp', 4);
  setU16(f.bytes, f.l4Offset + 6, 0);
  rewrite.setDestination(f, randomAddress(4), 0, 7);
  t.equal(u16(f.bytes, f.l4Offset + 6), 0, 'no UDP checksum stays none');
  t.end();
});

t.test('of a later fragment only the address is rewritten', (t) => {
  const f = randomFrame('udp', 4);
  ipv4.setFragmentField(f.bytes, f.l3Offset, 0x2000 | 4);
  ipv4.fillChecksum(f.bytes, f.l3Offset);
  parse(f);
  f.dstPort = 80;
  const before = f.bytes.slice(f.l4Offset, f.offset + f.length);
  rewrite.setDestination(f, words4('10.0.0.3'), 0, 8080);
  t.same(f.bytes.slice(f.l4Offset, f.offset + f.length), before);
  t.ok(ipv4.verifyChecksum(f.bytes, f.l3Offset));
  t.equal(f.dstPort, 8080, 'the cursor knows the port');
  t.end();
});

t.test('first fragments put together again with the rest are right', (t) => {
  for (let round = 0; round < 50; round++) {
    const whole = parsed(udpFrame({ from: POD, to: TO[4], sport: 7, dport: 80, payload: randomBytes(64) }));
    const first = parsed(whole.bytes.slice(whole.offset, whole.l4Offset + 40));
    ipv4.setTotalLength(first.bytes, first.l3Offset, 60);
    ipv4.setFragmentField(first.bytes, first.l3Offset, 0x2000);
    ipv4.fillChecksum(first.bytes, first.l3Offset);
    t.equal(parse(first), 0);
    rewriteAtRandom(first);
    const joined = parsed(whole.bytes.slice(whole.offset, whole.offset + whole.length));
    joined.bytes.set(first.bytes.subarray(first.l3Offset, first.l4Offset + 40), joined.l3Offset);
    ipv4.setTotalLength(joined.bytes, joined.l3Offset, ipv4.totalLength(whole.bytes, whole.l3Offset));
    ipv4.setFragmentField(joined.bytes, joined.l3Offset, 0);
    parse(joined);
    if (!verify(joined)) return t.fail(`round ${round}`);
  }
  t.pass();
  return t.end();
});

t.test('ICMP errors: the quoted packet, its checksums, and the checksum around it', (t) => {
  const quoted = new QuotedTuple();
  const kinds = Object.keys(KINDS) as (keyof typeof KINDS)[];
  for (let round = 0; round < ROUNDS; round++) {
    const family = below(2) === 0 ? 4 : 6;
    const about = randomFrame(kinds[below(4)], family);
    const kept = 48 + below(60); // some quotations end before the L4 checksum
    const body = about.bytes.slice(about.l3Offset, Math.min(about.offset + about.length, about.l3Offset + kept));
    const to = family === 4 ? '10.0.0.2' : 'fd00::2';
    const f = parsed(icmpFrame({ from: POD, to, type: family === 4 ? 3 : 1, code: 3, body }));
    if (!quoted.readFrom(f)) continue;
    const address = randomAddress(family);
    const isSource = below(2) === 0;
    const port = below(65536);
    if (isSource) rewrite.setQuotedSource(f, quoted, address, 0, port);
    else rewrite.setQuotedDestination(f, quoted, address, 0, port);
    const inner = new QuotedTuple();
    if (isSource) rewrite.setDestination(f, address, 0, -1);
    t.ok(verify(reparsed(f)), `round ${round}: around it`);
    t.ok(inner.readFrom(f) || !isSource);
    t.equal(isSource ? inner.src3 : inner.dst3, address[3]);
    if (family === 4) t.ok(ipv4.verifyChecksum(f.bytes, f.payloadOffset), 'quoted header');
    const ip = new Uint8Array(14 + body.length);
    ip.set(f.bytes.subarray(f.offset, f.offset + 14));
    ip.set(f.bytes.subarray(f.payloadOffset, f.payloadOffset + body.length), 14);
    const isWhole = body.length === about.offset + about.length - about.l3Offset;
    if (isWhole && about.protocol !== PROTO_SCTP) t.ok(verify(parsed(ip)), 'quoted packet');
  }
  t.end();
});

function words4(address: string): Int32Array {
  return Int32Array.from(words(address));
}
