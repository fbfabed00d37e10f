/** A wrapper that writes every frame of a port, in both directions, to a pcapng file; several ports may share a file. */
import * as pcapng from '../../wire/pcapng.ts';
import { timeOf } from '../../wire/pcap.ts';
import type { Arena, Batch } from '../../dataplane/port/arena.ts';
import type { Port } from '../../dataplane/port/port.ts';
import { PortWrapper } from '../../dataplane/port/wrapper.ts';

/** A pcapng file under way. What goes wrong in `write` reaches the caller of the port. */
export class CaptureFile {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #epochMs: () => number;
  readonly #snapBytes: number;
  #interfaces = 0;

  /**
   * @param write takes the next bytes of the file. @param epochMs the time of a frame.
   * @param snapBytes longer frames are cut to this; default: whole frames.
   */
  constructor(write: (bytes: Uint8Array) => void, epochMs: () => number, snapBytes = Number.POSITIVE_INFINITY) {
    this.#write = write;
    this.#epochMs = epochMs;
    this.#snapBytes = snapBytes;
    write(pcapng.sectionHeader());
  }

  /** @returns the number to give to `packet`. */
  addInterface(name: string): number {
    this.#write(pcapng.interfaceDescription(name));
    return this.#interfaces++;
  }

  /** @param direction pcapng.PACKET_INBOUND or PACKET_OUTBOUND. */
  packet(interfaceId: number, direction: number, frame: Uint8Array): void {
    const time = timeOf(this.#epochMs());
    const bytes = frame.length > this.#snapBytes ? frame.subarray(0, this.#snapBytes) : frame;
    this.#write(
      pcapng.enhancedPacket({ ...time, bytes, originalLength: frame.length, interface: interfaceId, direction }),
    );
  }
}

/** Large segments and undone checksums are written as they pass, like tcpdump shows them. */
export class CapturePort extends PortWrapper {
  readonly #arena: Arena;
  readonly #file: CaptureFile;
  readonly #interfaceId: number;

  constructor(inner: Port, arena: Arena, file: CaptureFile) {
    super(inner);
    this.#arena = arena;
    this.#file = file;
    this.#interfaceId = file.addInterface(inner.name);
  }

  override receive(batch: Batch): number {
    const at = batch.count;
    const got = this.inner.receive(batch);
    for (let i = at; i < batch.count; i++) {
      this.#write(pcapng.PACKET_INBOUND, batch.arena, batch.offsets[i], batch.lengths[i]);
    }
    return got;
  }

  override queue(offset: number, length: number): void {
    this.#write(pcapng.PACKET_OUTBOUND, this.#arena, offset, length);
    this.inner.queue(offset, length);
  }

  #write(direction: number, arena: Arena, offset: number, length: number): void {
    this.#file.packet(this.#interfaceId, direction, arena.bytes.subarray(offset, offset + length));
  }
}
