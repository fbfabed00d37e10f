/**
 * pcap ports for the forwarding thread. libpcap (package `cap`) works on the main thread of a process only, and may end
 * it; so a process beside holds the interfaces (pcap-server.ts, pcap-child.ts) and frames cross by messages: slow, and
 * meant for interfaces where nothing better is at hand.
 *
 *     PcapPort --frame--> main thread --frame, wake--> RelayPort.receive
 *     PcapPort <--frame-- main thread <----frame------ RelayPort.flush
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type Arena, BATCH_FRAMES, type Batch } from '../../dataplane/port/arena.ts';
import { type PortOptions, QueueingPort } from '../../dataplane/port/port.ts';
import { say } from './log.ts';
import { VNET_HEADER_BYTES } from '../../wire/header/virtio-net.ts';

const MAX_WAITING = 1024; // frames a relay port holds before it drops
const ENETDOWN = 100;

/** What crosses between the threads, and between the processes. */
export type PcapMessage =
  | { readonly kind: 'open'; readonly options: PortOptions; readonly wakeFd: number }
  | { readonly kind: 'opened'; readonly index: number }
  | { readonly kind: 'close'; readonly index: number }
  | { readonly kind: 'failed'; readonly index: number; readonly reason: string }
  | { readonly kind: 'frame'; readonly index: number; readonly whole: Uint8Array };

/** A pcap port as the forwarding thread sees it. */
class RelayPort extends QueueingPort {
  readonly kind = 'pcap';
  readonly waiting: Uint8Array[] = [];
  hasFailed = false;
  readonly #channel: MessagePort;

  constructor(arena: Arena, options: PortOptions, channel: MessagePort) {
    super(arena, options);
    this.#channel = channel;
  }

  receive(batch: Batch): number {
    if (this.hasFailed) return -ENETDOWN;
    let received = 0;
    for (; received < BATCH_FRAMES && this.waiting.length > 0; received++) {
      const whole = this.waiting.shift() as Uint8Array;
      const offset = batch.arena.slotOffset(batch.count);
      batch.arena.bytes.set(whole, offset - VNET_HEADER_BYTES);
      batch.offsets[batch.count] = offset;
      batch.lengths[batch.count++] = whole.length - VNET_HEADER_BYTES;
    }
    this.counters.receivedFrames += received;
    return received;
  }

  protected sendQueued(): number {
    for (let i = 0; i < this.queued; i++) {
      const offset = this.offsets[i];
      const whole = this.arena.bytes.slice(offset - VNET_HEADER_BYTES, offset + this.lengths[i]);
      this.#channel.postMessage({ kind: 'frame', index: this.index, whole } satisfies PcapMessage);
    }
    this.counters.sentFrames += this.queued;
    return this.queued;
  }

  close(): void {
    this.#channel.postMessage({ kind: 'close', index: this.index } satisfies PcapMessage);
  }
}

/** The forwarding thread's side. */
export class PcapRelay {
  readonly #channel: MessagePort;
  readonly #arena: Arena;
  readonly #wakeFd: number;
  readonly #ports = new Map<number, RelayPort>();
  /** Each reason is told once until it changes. */
  readonly #told = new Map<number, string>();

  readonly #onOpened: (index: number) => void;

  /** @param onOpened called when a port has been opened and can carry frames */
  constructor(channel: MessagePort, arena: Arena, wakeFd: number, onOpened: (index: number) => void) {
    this.#onOpened = onOpened;
    this.#channel = channel;
    this.#arena = arena;
    this.#wakeFd = wakeFd;
  }

  open(options: PortOptions): RelayPort {
    this.#channel.postMessage({ kind: 'open', options, wakeFd: this.#wakeFd } satisfies PcapMessage);
    const port = new RelayPort(this.#arena, options, this.#channel);
    this.#ports.set(options.index, port);
    return port;
  }

  /** Takes in what the main thread has sent. @returns indexes of ports that have frames, or have failed */
  takeReady(): Set<number> {
    const ready = new Set<number>();
    for (let next = receiveMessageOnPort(this.#channel); next; next = receiveMessageOnPort(this.#channel)) {
      const message = next.message as PcapMessage;
      if (message.kind === 'open') continue;
      const port = this.#ports.get(message.index);
      if (port === undefined) continue;
      if (message.kind === 'opened') this.#onOpened(port.index);
      else if (message.kind === 'failed') this.#fail(port, message.reason);
      else if (message.kind !== 'frame') continue;
      else if (port.waiting.length < MAX_WAITING) port.waiting.push(message.whole);
      else port.counters.receiveDrops++;
      ready.add(message.index);
    }
    return ready;
  }

  #fail(port: RelayPort, reason: string): void {
    port.hasFailed = true;
    port.waiting.length = 0;
    if (this.#told.get(port.index) === reason) return;
    this.#told.set(port.index, reason);
    say(`port ${port.index} (${port.name}): ${reason}`);
  }
}
