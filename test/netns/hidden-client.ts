/**
 * A TCP client that hides bytes, run as root inside a pod: over a connection that the kernel has opened it sends frames of
 * its own, one with `shown` in its IP packet and `hidden` behind that, and one with `after`, which follows `shown` in the
 * stream. Both again and again, until the answer to `after` comes: it never does when the server has taken `hidden` in its
 * place. Prints what came back, as JSON.
 * Usage: node hidden-client.js ADDRESS PORT MILLISECONDS < {"offload","shown","hidden","after","until"}
 */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Arena, Batch } from '../../dataplane/port/arena.ts';
import { interfaceInfo } from '../../dataplane/native/index.ts';
import { parse } from '../../dataplane/parse.ts';
import { VethPort } from '../../dataplane/port/veth.ts';
import { setI32 } from '../../wire/bytes.ts';
import * as ethernet from '../../wire/header/ethernet.ts';
import { Frame } from '../../wire/frame.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import * as offload from '../../wire/offload.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { PROTO_TCP } from '../../wire/protocols.ts';

/** What is left to others: nothing, the checksum, or both checksum and segments, or segments alone. */
export type Offload = 'none' | 'checksum' | 'both' | 'segments';

interface Task {
  readonly offload: Offload;
  readonly shown: string;
  readonly hidden: string;
  readonly after: string;
  /** What the answer to `after` holds. */
  readonly until: string;
}

const RESEND_MS = 500;
const LOOK_MS = 5;
const AHEAD_MS = 60_000; // later than what the kernel says, or it is old
const TCP_BYTES = 32; // with timestamps

const [, , address, port, patienceMs] = process.argv;
const task = JSON.parse(await text(process.stdin)) as Task;
const arena = new Arena();
const batch = new Batch(arena);
const eth0 = new VethPort(arena, { index: 0, name: 'eth0', mtu: 1500, mac: interfaceInfo('eth0').mac });
const f = new Frame(arena.bytes);
const began = performance.now();
const answers = new Map<number, string>();

/** The SYN+ACK: whom to write to, and from where in the stream on. */
let peer: Frame | undefined;
let synAck = new Uint8Array();

function look(): void {
  eth0.receive(batch);
  for (let i = 0; i < batch.count; i++) {
    f.offset = batch.offsets[i];
    f.length = batch.lengths[i];
    if (parse(f) !== 0 || f.srcPort !== Number(port) || f.dstPort !== socket.localPort) continue;
    const isSynAck = (f.tcpFlags & (tcp.SYN | tcp.ACK)) === (tcp.SYN | tcp.ACK);
    if (isSynAck) synAck = f.bytes.slice(f.offset - vnet.VNET_HEADER_BYTES, f.offset + f.length);
    else if (f.payloadLength > 0) {
      const payload = f.bytes.subarray(f.payloadOffset, f.payloadOffset + f.payloadLength);
      answers.set(tcp.seq(f.bytes, f.l4Offset), Buffer.from(payload).toString('latin1'));
    }
  }
  batch.reset();
}

/** Queues a segment `at` bytes into our stream, whose packet ends with `shown`. */
function send(peer: Frame, at: number, shown: string, hidden: string, kind: Offload): void {
  const offset = arena.scratch();
  const { bytes } = arena;
  const isV4 = peer.family === 4;
  const l3 = offset + ethernet.HEADER_BYTES;
  const l4 = l3 + (isV4 ? ipv4.MIN_HEADER_BYTES : ipv6.HEADER_BYTES);
  bytes.set(peer.bytes.subarray(peer.offset + 6, peer.offset + 12), offset);
  bytes.set(peer.bytes.subarray(peer.offset, peer.offset + 6), offset + 6);
  ethernet.setEtherType(bytes, offset, peer.etherType);
  const payloadLength = TCP_BYTES + shown.length;
  if (isV4) ipv4.emit(bytes, l3, { src: peer.dst3, dst: peer.src3, protocol: PROTO_TCP, payloadLength });
  else {
    const src = [peer.dst0, peer.dst1, peer.dst2, peer.dst3];
    const dst = [peer.src0, peer.src1, peer.src2, peer.src3];
    ipv6.emit(bytes, l3, { src, dst, nextHeader: PROTO_TCP, payloadLength });
  }
  tcp.emit(bytes, l4, {
    srcPort: peer.dstPort,
    dstPort: peer.srcPort,
    seq: (tcp.ack(peer.bytes, peer.l4Offset) + at) | 0,
    ack: (tcp.seq(peer.bytes, peer.l4Offset) + 1) | 0,
    flags: tcp.ACK | tcp.PSH,
    window: 65535,
    headerBytes: TCP_BYTES,
  });
  const theirs = tcp.timestamps(peer.bytes, peer.l4Offset);
  bytes.set([1, 1, 8, 10], l4 + tcp.MIN_HEADER_BYTES);
  setI32(bytes, l4 + 24, (tcp.timestampEcho(peer.bytes, theirs) + AHEAD_MS) | 0);
  setI32(bytes, l4 + 28, tcp.timestampValue(peer.bytes, theirs));
  bytes.set(Buffer.from(shown + hidden, 'latin1'), l4 + TCP_BYTES);
  f.offset = offset;
  f.length = l4 + payloadLength - offset;
  if (parse(f) !== 0) throw new Error('make a segment: found one that parse() refuses');
  if (kind === 'checksum' || kind === 'both') offload.leaveUndone(f);
  else offload.complete(f);
  if (kind === 'both' || kind === 'segments') {
    vnet.setGsoType(bytes, offset, isV4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6);
    vnet.setGsoSize(bytes, offset, shown.length);
    vnet.setHeaderLength(bytes, offset, l4 + TCP_BYTES - offset);
  }
  eth0.queue(offset, f.length + hidden.length);
}

function sendAll(peer: Frame): void {
  send(peer, 0, task.shown, task.hidden, task.offload);
  send(peer, task.shown.length, task.after, '', 'none');
  eth0.flush();
  arena.reset();
}

/** What the server has said; of segments that it sent again, each byte once. */
function answer(peer: Frame): string {
  const begin = tcp.seq(peer.bytes, peer.l4Offset) + 1;
  let said = '';
  for (const [seq, part] of [...answers].sort(([a], [b]) => (a - b) | 0)) {
    const at = (seq - begin) | 0;
    if (at <= said.length) said += part.slice(said.length - at);
  }
  return said;
}

const socket = connect({ host: address, port: Number(port) });
socket.on('error', () => {}); // it knows nothing of what is sent in its name
await new Promise((resolve) => socket.once('connect', resolve));
let said = '';
let sentAt = Number.NEGATIVE_INFINITY;
while (performance.now() - began < Number(patienceMs) && !said.includes(task.until)) {
  look();
  if (peer === undefined && synAck.length > 0) {
    peer = new Frame(synAck);
    peer.offset = vnet.VNET_HEADER_BYTES;
    peer.length = synAck.length - vnet.VNET_HEADER_BYTES;
    parse(peer);
  }
  if (peer !== undefined) {
    said = answer(peer);
    if (performance.now() - sentAt > RESEND_MS) {
      sentAt = performance.now();
      sendAll(peer);
    }
  }
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
process.stdout.write(JSON.stringify({ answer: said, unsent: eth0.counters.sendDrops }));
socket.destroy();
eth0.close();
process.exit(0);
