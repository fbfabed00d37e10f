/**
 * A port that replays a capture: the packets of a pcap or pcapng file come in by it, what is sent goes to another file.
 *
 * Replay is as fast as receive() is called, or at the pace of the recording, on the clock of `batch.nowMs`, counted from the
 * first receive(). What is sent is written as packets without offloads, checksums done, under the time of the
 * packet that was received last, so that two runs give the same file.
 */
import { readFileSync } from 'node:fs';
import { readPcap, type Packet } from '../../wire/pcap.ts';
import * as pcapng from '../../wire/pcapng.ts';
import { type Arena, BATCH_FRAMES, type Batch, MAX_FRAME_BYTES } from '../../dataplane/port/arena.ts';
import { type PortOptions, QueueingPort } from '../../dataplane/port/port.ts';
import { emitPackets } from '../../dataplane/port/segment.ts';

const LINKTYPE_ETHERNET = 1;

/**
 * The packets of a capture file, pcap or pcapng.
 *
 * @throws Error naming the file if it is damaged or not of Ethernet.
 */
export function readCapture(path: string): readonly Required<Packet>[] {
  const bytes = readFileSync(path);
  const isPcapng = bytes.length >= 4 && bytes.readUInt32BE(0) === 0x0a0d0d0a;
  const file = isPcapng ? pcapng.readPcapng(bytes) : readPcap(bytes);
  if (file.problem !== null) throw new Error(`read ${path}: ${file.problem}`);
  const types = 'interfaces' in file ? file.interfaces.map((one) => one.linkType) : [file.linkType];
  const odd = types.find((type) => type !== LINKTYPE_ETHERNET);
  if (odd !== undefined)
    throw new Error(`read ${path}: found link type ${odd}, wanted ${LINKTYPE_ETHERNET} (Ethernet)`);
  return file.packets;
}

export interface PcapFileOptions extends Partial<PortOptions> {
  packets: readonly Required<Packet>[];
  /** Keep the distances in time between the packets; default false. */
  isPaced?: boolean;
  /** Takes the next bytes of the pcapng file of what is sent; default: sent frames are only counted. */
  write?: (bytes: Uint8Array) => void;
}

export class PcapFilePort extends QueueingPort {
  readonly kind = 'pcap-file';
  readonly #packets: readonly Required<Packet>[];
  readonly #isPaced: boolean;
  readonly #write: ((bytes: Uint8Array) => void) | undefined;
  #next = 0;
  /** What to add to a packet's time to have it on the clock of the batches; NaN before the first receive(). */
  #shiftMs = Number.NaN;
  #isOpen = true;

  constructor(arena: Arena, options: PcapFileOptions) {
    super(arena, { index: 0, name: 'pcap-file', mtu: 1500, mac: new Uint8Array(6), ...options });
    this.#packets = options.packets;
    this.#isPaced = options.isPaced ?? false;
    this.#write = options.write;
    this.#write?.(pcapng.sectionHeader());
    this.#write?.(pcapng.interfaceDescription(this.name));
  }

  /** When the next packet is due, on the clock of `batch.nowMs`; Infinity after the last. */
  get nextDueMs(): number {
    if (this.#next === this.#packets.length) return Number.POSITIVE_INFINITY;
    return this.#isPaced && !Number.isNaN(this.#shiftMs) ? this.#timeMs(this.#next) + this.#shiftMs : 0;
  }

  #timeMs(index: number): number {
    const packet = this.#packets[index];
    return packet.seconds * 1000 + packet.nanoseconds / 1e6;
  }

  receive(batch: Batch): number {
    const at = batch.count;
    let bytes = 0;
    if (Number.isNaN(this.#shiftMs) && this.#packets.length > 0) this.#shiftMs = batch.nowMs - this.#timeMs(0);
    while (this.#isOpen && batch.count < BATCH_FRAMES && bytes < batch.byteBudget && this.nextDueMs <= batch.nowMs) {
      const frame = this.#packets[this.#next++].bytes;
      if (frame.length > MAX_FRAME_BYTES) {
        this.counters.receiveDrops++;
        continue;
      }
      const offset = batch.arena.slotOffset(batch.count);
      batch.arena.bytes.fill(0, offset - 10, offset);
      batch.arena.bytes.set(frame, offset);
      batch.offsets[batch.count] = offset;
      batch.lengths[batch.count++] = frame.length;
      bytes += frame.length;
    }
    this.counters.receivedFrames += batch.count - at;
    this.counters.receivedBytes += bytes;
    return batch.count - at;
  }

  protected sendQueued(): number {
    let sent = 0;
    for (let i = 0; i < this.queued && this.#isOpen; i++) {
      if (emitPackets(this.arena.bytes, this.offsets[i], this.lengths[i], this.#writePacket) === 0) continue;
      this.counters.sentBytes += this.lengths[i];
      sent++;
    }
    this.counters.sentFrames += sent;
    this.counters.sendDrops += this.queued - sent;
    return sent;
  }

  readonly #writePacket = (bytes: Uint8Array, offset: number, length: number): void => {
    const { seconds, nanoseconds } = this.#packets[Math.max(0, this.#next - 1)] ?? { seconds: 0, nanoseconds: 0 };
    const direction = pcapng.PACKET_OUTBOUND;
    const packet = { seconds, nanoseconds, bytes: bytes.subarray(offset, offset + length), direction };
    this.#write?.(pcapng.enhancedPacket(packet));
  };

  close(): void {
    this.#isOpen = false;
  }
}
