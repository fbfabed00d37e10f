/**
 * The control socket between the agent and the dataplane process: `<runDir>/dataplane.sock`, a unix socket of
 * type SOCK_SEQPACKET: one message is one send and one receive.
 *
 * What is configured goes through the pinned maps; the socket carries only what a map cannot: file descriptors, and the nudge
 * to look at the maps now. The agent makes the listening socket and hands it to the dataplane at spawn as descriptor 3 (so
 * that connecting works from the first moment); the dataplane accepts on it. The dataplane outlives agents: each new
 * agent connects anew, and several connections may be open at once (the CLI's `capture` is one more).
 *
 *     agent                                dataplane
 *     HELLO pid, version             ->                          first on every connection
 *     RETURN_FDS                     ->                          an adopting agent asks for the descriptors
 *                                    <-  PORT_FD index (+fd)     one for each TAP port held
 *                                    <-  SOCKETS count (+fds)    packet sockets, up to SOCKETS_AT_ONCE a message
 *                                    <-  END count
 *     PORT_FD index (+fd)            ->                          a TAP port's descriptor; replaces an earlier one
 *     SOCKETS count (+fds)           ->                          packet sockets, which the agent opens and keeps
 *     WAKE                           ->                          ports or worldGeneration have changed: read them
 *     PUBLISHED                      ->                          CONFIG_DNS_PUBLISHED has moved: answers may go on
 *     STOP                           ->                          finish the burst under way, unmap, exit 0
 *
 * Every message is MESSAGE_BYTES long, little endian; behind SOCKETS come SOCKET_BYTES for each descriptor. An unknown kind is
 * skipped (its descriptors closed), so that an older dataplane may serve a newer agent: one that opens packet sockets itself.
 */

const CONTROL_VERSION = 1;
export const MESSAGE_BYTES = 16;
const SOCKET_BYTES = 8;
/** As many descriptors as a message takes. */
const SOCKETS_AT_ONCE = 64;

/** Descriptor number of the listening socket in the dataplane process. */
export const CONTROL_LISTEN_FD = 3;

export const CONTROL = {
  HELLO: 1,
  RETURN_FDS: 2,
  PORT_FD: 3,
  END: 4,
  WAKE: 5,
  STOP: 6,
  SOCKETS: 7,
  PUBLISHED: 8,
} as const;

/** One message. `port`: index into the ports map (PORT_FD). `value`: pid (HELLO), count (END, SOCKETS), else 0. */
export interface ControlMessage {
  readonly kind: number;
  readonly port: number;
  readonly value: number;
}

/**
 * The bytes of one message:  0 u8 kind · 1 u8 version · 2 u16 port · 4 u32 value · 8 zeros.
 */
export function encodeControl(kind: number, port = 0, value = 0): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint8(1, CONTROL_VERSION);
  view.setUint16(2, port, true);
  view.setUint32(4, value, true);
  return bytes;
}

/**
 * Reads one message.
 * @throws RangeError when it is shorter than MESSAGE_BYTES
 */
export function decodeControl(bytes: Uint8Array): ControlMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { kind: view.getUint8(0), port: view.getUint16(2, true), value: view.getUint32(4, true) };
}

/** A packet socket of a port, and the memory of its receive ring: who maps it must know. */
export interface PacketSocket {
  readonly fd: number;
  readonly ringBytes: number;
}

/** What hands over packet sockets, as many at once as a message takes: its bytes and its descriptors. */
export function* encodeSockets(
  sockets: Iterable<readonly [port: number, socket: PacketSocket]>,
): Generator<{ bytes: Uint8Array; fds: number[] }> {
  const all = [...sockets];
  for (let from = 0; from < all.length; from += SOCKETS_AT_ONCE) {
    const some = all.slice(from, from + SOCKETS_AT_ONCE);
    const bytes = new Uint8Array(MESSAGE_BYTES + some.length * SOCKET_BYTES);
    bytes.set(encodeControl(CONTROL.SOCKETS, 0, some.length));
    const view = new DataView(bytes.buffer);
    for (const [at, [port, { ringBytes }]] of some.entries()) {
      view.setUint16(MESSAGE_BYTES + at * SOCKET_BYTES, port, true);
      view.setUint32(MESSAGE_BYTES + at * SOCKET_BYTES + 4, ringBytes, true);
    }
    yield { bytes, fds: some.map(([, { fd }]) => fd) };
  }
}

/**
 * The packet sockets of a message, each behind its port: 0 u16 port · 2 zeros · 4 u32 bytes of ring.
 * @returns none when it does not tell of as many as have come
 */
export function decodeSockets(bytes: Uint8Array, fds: readonly number[]): (readonly [number, PacketSocket])[] {
  if (bytes.length !== MESSAGE_BYTES + fds.length * SOCKET_BYTES) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset + MESSAGE_BYTES);
  return fds.map((fd, at) => [
    view.getUint16(at * SOCKET_BYTES, true),
    { fd, ringBytes: view.getUint32(at * SOCKET_BYTES + 4, true) },
  ]);
}
