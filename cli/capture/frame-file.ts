/**
 * Frames into a pcapng file, each with what is known of it as its comment, and an interface of the file for each that frames came by.
 * It ends the recording when it has as many as it may have, or is full.
 */
import type { Flow } from '../../hubble/flow.ts';
import { timeOf } from '../../wire/pcap.ts';
import { interfaceDescription, PACKET_INBOUND, sectionHeader } from '../../wire/pcapng.ts';
import { printable } from '../terminal/table.ts';
import { commentOf } from './flow-comment.ts';
import { PcapngWriter } from './pcapng-writer.ts';

const LINKTYPE_RAW_IP = 101;
/** Interfaces that a file tells apart. */
const MOST_INTERFACES = 1024;

export interface FrameFileOptions {
  /** Path, or `-`. */
  readonly path: string;
  /** Frames. */
  readonly most: number;
  readonly mostBytes: number;
  /** Of a frame. */
  readonly snapBytes: number;
  /** Called once nothing more is written. */
  readonly onEnd: () => void;
}

/** A frame as it was captured. */
export interface CapturedFrame {
  readonly bytes: Uint8Array;
  readonly originalBytes: number;
  /** Since the epoch. */
  readonly timeMs: number;
  /** It has no Ethernet header. */
  readonly isL3: boolean;
}

export class FrameFile {
  /** Why it was ended: `full`, `count`, or not yet. */
  ended: 'full' | 'count' | undefined;
  problem: Error | undefined;
  readonly #options: FrameFileOptions;
  readonly #file: PcapngWriter;
  readonly #interfaces = new Map<string, number>();

  /** @throws Failure when it cannot be written */
  constructor(options: FrameFileOptions) {
    this.#options = options;
    const onFault = (error?: Error): void => {
      this.problem ??= error;
      options.onEnd();
    };
    this.#file = new PcapngWriter(options.path, onFault, options.mostBytes);
    this.#file.append(sectionHeader('sluice record'));
  }

  get frames(): number {
    return this.#file.frames;
  }

  /** @param notes of the recording, for the comment */
  write(flow: Flow, frame: CapturedFrame, notes: readonly string[] = []): void {
    if (this.ended !== undefined) return;
    const isWritten = this.#file.packet({
      ...timeOf(frame.timeMs),
      bytes: frame.bytes,
      originalLength: Math.max(frame.originalBytes, frame.bytes.length),
      interface: this.#interfaceOf(flow, frame.isL3 ? LINKTYPE_RAW_IP : undefined),
      comment: commentOf(flow, notes),
      direction: flow.trace_observation_point === 'FROM_PROXY' ? 0 : PACKET_INBOUND,
    });
    if (!isWritten) this.#end('full');
    else if (this.frames >= this.#options.most) this.#end('count');
  }

  close(): void {
    this.#file.close();
  }

  #end(why: 'full' | 'count'): void {
    this.ended = why;
    this.#options.onEnd();
  }

  #interfaceOf(flow: Flow, linkType: number | undefined): number {
    const name = flow.interface?.name ?? 'unknown';
    const key = `${linkType ?? ''} ${this.#interfaces.size < MOST_INTERFACES ? name : 'others'}`;
    const known = this.#interfaces.get(`${linkType ?? ''} ${name}`) ?? this.#interfaces.get(key);
    if (known !== undefined) return known;
    const shown = key.slice(key.indexOf(' ') + 1);
    const description = shown === name ? whoIsBehind(flow) : '';
    this.#file.append(interfaceDescription(shown, linkType, this.#options.snapBytes, description));
    this.#interfaces.set(key, this.#interfaces.size);
    return this.#interfaces.size - 1;
  }
}

/** What comes in by the interface of a pod comes from that pod. */
function whoIsBehind({ source, destination, trace_observation_point: point }: Flow): string {
  const { ID: id, namespace, pod_name: pod } = point === 'FROM_PROXY' ? destination : source;
  return id === undefined || pod === undefined ? '' : printable(`${namespace}/${pod}, endpoint ${id}`);
}
