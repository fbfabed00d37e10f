/**
 * Changes to a TCP frame in place. Checksums follow: for a frame whose checksum is still to be done (NEEDS_CSUM) header
 * fields need no correction, for others they are corrected incrementally; a frame whose payload was cut gets the sum of its
 * pseudo-header and is left to be finished.
 */
import * as checksum from '../../wire/checksum.ts';
import type { Frame } from '../../wire/frame.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import * as offload from '../../wire/offload.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import type { TcpStream } from './tcp-stream.ts';

/** Stores sequence number, acknowledgement and window where they differ. */
export function retarget(frame: Frame, seq: number, ack: number, window: number): void {
  const { bytes, l4Offset } = frame;
  const oldSeq = tcp.seq(bytes, l4Offset);
  const oldAck = tcp.ack(bytes, l4Offset);
  const oldWindow = tcp.window(bytes, l4Offset);
  if (oldSeq !== seq) {
    tcp.setSeq(bytes, l4Offset, seq);
    correct(frame, oldSeq, seq);
  }
  if (oldAck !== ack) {
    tcp.setAck(bytes, l4Offset, ack);
    correct(frame, oldAck, ack);
  }
  if (oldWindow !== window) {
    tcp.setWindow(bytes, l4Offset, window);
    correct(frame, oldWindow, window);
  }
}

function correct(frame: Frame, before: number, after: number): void {
  const { bytes, l4Offset } = frame;
  if ((vnet.flags(bytes, frame.offset) & vnet.FLAG_NEEDS_CSUM) !== 0) return;
  tcp.setChecksum(bytes, l4Offset, checksum.update32(tcp.checksum(bytes, l4Offset), before, after));
}

/**
 * Cuts the payload to its first `keep` bytes. FIN goes with the cut, PSH with the last byte.
 * Preconditions: 0 <= keep <= frame.payloadLength.
 */
export function trim(frame: Frame, keep: number): void {
  const { bytes, offset, l3Offset, l4Offset } = frame;
  const cut = frame.payloadLength - keep;
  const lost = keep === 0 ? tcp.FIN | tcp.PSH : tcp.FIN;
  frame.tcpFlags &= ~lost;
  tcp.setFlags(bytes, l4Offset, tcp.flags(bytes, l4Offset) & ~lost);
  frame.payloadLength = keep;
  frame.length = frame.payloadOffset + keep - offset;
  if (frame.family === 4) {
    ipv4.setTotalLength(bytes, l3Offset, ipv4.totalLength(bytes, l3Offset) - cut);
    ipv4.fillChecksum(bytes, l3Offset);
  } else ipv6.setPayloadLength(bytes, l3Offset, ipv6.payloadLength(bytes, l3Offset) - cut);
  if (vnet.gsoType(bytes, offset) !== vnet.GSO_NONE && keep <= vnet.gsoSize(bytes, offset)) {
    vnet.setGsoType(bytes, offset, vnet.GSO_NONE);
    vnet.setGsoSize(bytes, offset, 0);
  }
  offload.leaveUndone(frame);
}

/**
 * Brings the SACK blocks of an acknowledgement into the space of the sender of `stream`. Blocks that touch what was
 * injected, or what the sender was already told, cannot be said there: then the option is blanked, and the sender does
 * without.
 */
export function translateSack(frame: Frame, stream: TcpStream): void {
  const { bytes, l4Offset } = frame;
  const at = tcp.findOption(bytes, l4Offset, tcp.OPTION_SACK);
  if (at < 0) return;
  const floor = stream.ackIn;
  let isSayable = true;
  for (let i = 0; i < tcp.sackCount(bytes, at); i++) {
    const left = stream.toIn(tcp.sackLeft(bytes, at, i));
    const right = stream.toIn(tcp.sackRight(bytes, at, i));
    if (((left - floor) | 0) < 0 || ((right - left) | 0) <= 0) isSayable = false;
    tcp.setSackLeft(bytes, at, i, left);
    tcp.setSackRight(bytes, at, i, right);
  }
  if (!isSayable) tcp.blankOption(bytes, at);
  if ((vnet.flags(bytes, frame.offset) & vnet.FLAG_NEEDS_CSUM) === 0) offload.complete(frame);
}

/**
 * Leaves on a SYN only options whose meaning is known here. Fast Open would carry data before the handshake, Multipath TCP
 * would carry the same stream over other connections, encryption would hide it, and who knows what comes next.
 */
export function stripSynOptions(frame: Frame): void {
  const { bytes, l4Offset } = frame;
  const end = l4Offset + tcp.headerBytes(bytes, l4Offset);
  let isChanged = false;
  for (let at = tcp.firstOption(bytes, l4Offset); at > 0; ) {
    const next = tcp.nextOption(bytes, at, end);
    if (!isKnown(bytes[at])) {
      tcp.blankOption(bytes, at);
      isChanged = true;
    }
    at = next;
  }
  if (isChanged && (vnet.flags(bytes, frame.offset) & vnet.FLAG_NEEDS_CSUM) === 0) offload.complete(frame);
}

function isKnown(kind: number): boolean {
  return (
    kind === tcp.OPTION_MSS ||
    kind === tcp.OPTION_WINDOW_SCALE ||
    kind === tcp.OPTION_SACK_PERMITTED ||
    kind === tcp.OPTION_TIMESTAMPS
  );
}
