/**
 * A port on any interface through libpcap (package `cap`), for machines where raw sockets of our own are not to be had.
 *
 * It lives on the main thread of a process, where the package can run; it has no descriptor to poll. libpcap calls back
 * for each packet; the port notes it and calls `onFrame`, which must run a turn of the engine at once: receive() then
 * yields that one packet. What the turn does not take is lost and counted (`receiveDrops`).
 *
 * There is no virtio-net header on this path. Large frames and undone checksums that come from other ports are cut and
 * finished here in software. The other way round the kernel shows us packets before its own offloads have run: switch
 * them off on both ends of a veth pair (`ethtool -K DEV tx off tso off gso off gro off`), or TCP never connects.
 *
 * Limits: packets up to 65535 bytes; the interface must stay up while the port is open (the package aborts the process
 * when libpcap reports an error); libpcap prints a warning to stderr when the interface has no IPv4 address.
 */
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { type Arena, BATCH_FRAMES, type Batch } from './arena.ts';
import { interfaceInfo } from '../native/index.ts';
import { type PortOptions, QueueingPort } from './port.ts';
import { emitPackets } from './segment.ts';

const MAX_PACKET_BYTES = 65535;
const KERNEL_BUFFER_BYTES = 4 << 20;

/** A package object whose open() failed crashes the process when it is collected: these never are. */
const failedOpens: Cap[] = [];

/** The part of the package that is used; it brings no types. */
interface Cap {
  open(device: string, filter: string, kernelBufferBytes: number, buffer: Buffer): string;
  close(): void;
  send(packet: Buffer, length: number): void;
  on(event: 'packet', listener: (length: number, isTruncated: boolean) => void): void;
}

/**
 * What does not come from this end of the wire; what the port itself sends the kernel does not show it. Not libpcap's own
 * word `inbound`: the first packets after opening are filtered by libpcap itself, which cannot tell, and are lost.
 */
function inbound(name: string): string {
  const mac = Array.from(interfaceInfo(name).mac, (byte) => byte.toString(16).padStart(2, '0'));
  return `not ether src host ${mac.join(':')}`;
}

export interface PcapPortOptions extends PortOptions {
  /** Called for each packet; must call receive() before it returns. */
  onFrame: (port: PcapPort) => void;
  /** In the syntax of pcap-filter(7): only packets that match. */
  filter?: string;
}

export class PcapPort extends QueueingPort {
  readonly kind = 'pcap';
  readonly #cap: Cap;
  /** The package keeps a raw pointer into this one: it must live as long as the port. */
  readonly #received = Buffer.alloc(MAX_PACKET_BYTES);
  readonly #outgoing = Buffer.alloc(MAX_PACKET_BYTES + 1);
  #pendingBytes = 0;
  #isOpen = true;
  #unsent = false;

  /** @throws Error outside the main thread, or with libpcap's own text when the interface cannot be opened. */
  constructor(arena: Arena, options: PcapPortOptions) {
    super(arena, options);
    if (!isMainThread) throw new Error(`open ${options.name}: a pcap port works on the main thread only`);
    const { Cap } = createRequire(import.meta.url)('cap') as { Cap: new () => Cap };
    this.#cap = new Cap();
    failedOpens.push(this.#cap); // until it is open
    const filter = options.filter ? `${inbound(options.name)} and (${options.filter})` : inbound(options.name);
    const link = this.#cap.open(options.name, filter, KERNEL_BUFFER_BYTES, this.#received);
    failedOpens.pop();
    if (link !== 'ETHERNET') {
      this.#cap.close();
      throw new Error(`open ${options.name}: found link type ${link}, wanted ETHERNET`);
    }
    this.#cap.on('packet', (length, isTruncated) => {
      this.#pendingBytes = isTruncated ? 0 : length;
      if (this.#isOpen && this.#pendingBytes > 0) options.onFrame(this);
      if (isTruncated || this.#pendingBytes > 0) this.counters.receiveDrops++;
      this.#pendingBytes = 0;
    });
  }

  receive(batch: Batch): number {
    const length = this.#pendingBytes;
    if (length === 0 || batch.count === BATCH_FRAMES) return 0;
    this.#pendingBytes = 0;
    const offset = batch.arena.slotOffset(batch.count);
    batch.arena.bytes.fill(0, offset - 10, offset);
    batch.arena.bytes.set(this.#received.subarray(0, length), offset);
    batch.offsets[batch.count] = offset;
    batch.lengths[batch.count++] = length;
    this.counters.receivedFrames++;
    this.counters.receivedBytes += length;
    return 1;
  }

  /** Sends packet by packet; a frame of which one packet was refused counts as dropped. */
  protected sendQueued(): number {
    let sent = 0;
    for (let i = 0; i < this.queued; i++) {
      this.#unsent = !this.#isOpen;
      const packets = emitPackets(this.arena.bytes, this.offsets[i], this.lengths[i], this.#sendPacket);
      if (packets === 0 || this.#unsent) continue;
      this.counters.sentBytes += this.lengths[i];
      sent++;
    }
    this.counters.sentFrames += sent;
    this.counters.sendDrops += this.queued - sent;
    return sent;
  }

  readonly #sendPacket = (bytes: Uint8Array, offset: number, length: number): void => {
    if (this.#unsent || length > MAX_PACKET_BYTES) {
      this.#unsent = true;
      return;
    }
    this.#outgoing.set(bytes.subarray(offset, offset + length));
    try {
      this.#cap.send(this.#outgoing, length);
    } catch {
      this.#unsent = true; // the interface is down or its queue full; libpcap has only a text for it
    }
  };

  close(): void {
    if (this.#isOpen) this.#cap.close();
    this.#isOpen = false;
  }
}
