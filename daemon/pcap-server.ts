/**
 * The main thread's side of pcap ports (forwarding-pcap.ts): opens interfaces and moves frames. Loaded with the first such
 * port; a dataplane without any starts sooner and smaller.
 */
import type { MessagePort } from 'node:worker_threads';
import { Arena, Batch, MAX_FRAME_BYTES } from '../dataplane/arena.ts';
import { eventfdSignal } from '../dataplane/native/index.ts';
import { PcapPort } from '../dataplane/port-pcap.ts';
import { VNET_HEADER_BYTES } from '../wire/virtio-net.ts';
import type { PcapMessage } from './forwarding-pcap.ts';

/** The open pcap ports, by index. */
export class PcapServer {
  readonly #channel: MessagePort;
  readonly #ports = new Map<number, PcapPort>();
  readonly #arena = new Arena();
  readonly #batch = new Batch(this.#arena);

  constructor(channel: MessagePort) {
    this.#channel = channel;
  }

  /** Does what a message of the forwarding thread asks. */
  take(message: PcapMessage): void {
    if (message.kind === 'open') this.#open(message);
    else if (message.kind === 'close') this.#close(message.index);
    else if (message.kind === 'frame') this.#send(message.index, message.whole);
  }

  #open({ options, wakeFd }: Extract<PcapMessage, { kind: 'open' }>): void {
    this.#close(options.index);
    try {
      const port = new PcapPort(this.#arena, { ...options, onFrame: (port) => this.#relay(port, wakeFd) });
      this.#ports.set(options.index, port);
    } catch (error) {
      this.#post({ kind: 'failed', index: options.index, reason: (error as Error).message });
      eventfdSignal(wakeFd);
    }
  }

  #close(index: number): void {
    this.#ports.get(index)?.close();
    this.#ports.delete(index);
  }

  #relay(port: PcapPort, wakeFd: number): void {
    port.receive(this.#batch);
    for (let i = 0; i < this.#batch.count; i++) {
      const offset = this.#batch.offsets[i];
      const whole = this.#arena.bytes.slice(offset - VNET_HEADER_BYTES, offset + this.#batch.lengths[i]);
      this.#post({ kind: 'frame', index: port.index, whole });
    }
    this.#batch.reset();
    eventfdSignal(wakeFd);
  }

  #send(index: number, whole: Uint8Array): void {
    const port = this.#ports.get(index);
    if (port === undefined || whole.length > MAX_FRAME_BYTES) return;
    const offset = this.#arena.scratch();
    this.#arena.bytes.set(whole, offset - VNET_HEADER_BYTES);
    port.queue(offset, whole.length - VNET_HEADER_BYTES);
    port.flush();
    this.#arena.reset();
  }

  #post(message: PcapMessage): void {
    this.#channel.postMessage(message);
  }
}
