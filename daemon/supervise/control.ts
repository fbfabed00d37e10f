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
 *     RETURN_FDS                     ->                          an adopting agent asks for the TAP descriptors
 *                                    <-  PORT_FD index (+fd)     one for each TAP port held
 *                                    <-  END count
 *     PORT_FD index (+fd)            ->                          a TAP port's descriptor; replaces an earlier one
 *     WAKE                           ->                          ports or worldGeneration have changed: read them
 *     STOP                           ->                          finish the burst under way, unmap, exit 0
 *
 * Every message is MESSAGE_BYTES long, little endian. An unknown kind is skipped (its descriptors closed), so that an
 * older dataplane may serve a newer agent.
 */

const CONTROL_VERSION = 1;
export const MESSAGE_BYTES = 16;

/** Descriptor number of the listening socket in the dataplane process. */
export const CONTROL_LISTEN_FD = 3;

export const CONTROL = {
  HELLO: 1,
  RETURN_FDS: 2,
  PORT_FD: 3,
  END: 4,
  WAKE: 5,
  STOP: 6,
} as const;

/** One message. `port`: index into the ports map (PORT_FD). `value`: pid (HELLO), count (END), else 0. */
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
