/**
 * Records frames of several interfaces through libpcap (package `cap`) into one pcapng file.
 *
 * The package hands over every waiting packet before it lets the event loop have its turn, so a flood would keep Ctrl-C
 * and the clock out. After MAX_BURST_MS without a turn the interface is therefore closed, and opened again on
 * the next turn: a gap, counted, in a capture that was losing frames anyway.
 *
 * The package keeps a raw pointer to the Buffer it was given: each tap holds its own for as long as it lives. It tells no
 * time stamps: a frame is stamped when it is handed over. Blocks go to the file whole and at least once a turn, so what is
 * there can be read even if the process is killed.
 */
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { timeOf } from '../../wire/pcap.ts';
import { interfaceDescription, sectionHeader } from '../../wire/pcapng.ts';
import type { CaptureTarget } from './capture-targets.ts';
import { Failure } from '../terminal/failure.ts';
import { PcapngWriter } from './pcapng-writer.ts';

/** libpcap's limit in the package. */
const MAX_FRAME_BYTES = 65_535;
const KERNEL_BUFFER_BYTES = 16 << 20;
const MAX_BURST_MS = 200;

export interface CaptureOptions {
  /** Path, or `-`. */
  readonly write: string;
  readonly count?: number | undefined;
  /** Milliseconds. */
  readonly duration?: number | undefined;
  readonly filter?: string | undefined;
}

export interface CaptureResult {
  readonly frames: number;
  readonly gaps: number;
}

/** The part of the package that is used; it brings no types. */
interface Cap {
  open(device: string, filter: string, kernelBufferBytes: number, buffer: Buffer): string;
  close(): void;
  setMinBytes?(bytes: number): void;
  on(event: 'packet', listener: (length: number, isTruncated: boolean) => void): void;
}

/**
 * Records until the count, the duration or the signal.
 * @param onBegun every interface is listened on: no frame is missed from here on
 * @throws Failure when an interface cannot be opened or the file not be written
 */
export async function capture(
  targets: readonly CaptureTarget[],
  options: CaptureOptions,
  { signal, onBegun }: { readonly signal: AbortSignal; readonly onBegun: () => void },
): Promise<CaptureResult> {
  const native = targets.some(({ netns }) => netns !== undefined)
    ? await import('../../dataplane/native/index.ts')
    : undefined;
  const taps: Tap[] = [];
  let end!: (error?: Error) => void;
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error));
  });
  const file = new PcapngWriter(options.write, end);
  try {
    file.append(sectionHeader('sluice capture'));
    for (const target of targets) file.append(interfaceDescription(target.label));
    file.flush();
    signal.addEventListener('abort', () => end());
    if (options.duration !== undefined) setTimeout(end, options.duration);
    for (const [at, target] of targets.entries()) {
      const onFrame = (bytes: Uint8Array): void => {
        if (file.frames === options.count) return;
        file.packet({ ...timeOf(performance.timeOrigin + performance.now()), bytes, interface: at });
        if (file.frames === options.count) end();
      };
      taps.push(new Tap({ target, filter: options.filter ?? '', native, onFrame }));
    }
    onBegun();
    await ended;
    return { frames: file.frames, gaps: taps.reduce((sum, tap) => sum + tap.gaps, 0) };
  } finally {
    for (const tap of taps) tap.close();
    file.close();
  }
}

interface NetnsDoor {
  setNetns(pathOrName: string): void;
}

interface TapOptions {
  readonly target: CaptureTarget;
  readonly filter: string;
  readonly native: NetnsDoor | undefined;
  readonly onFrame: (bytes: Uint8Array) => void;
}

/** One interface being listened on. */
class Tap {
  gaps = 0;
  readonly #options: TapOptions;
  readonly #buffer = Buffer.alloc(MAX_FRAME_BYTES);
  #cap: Cap | undefined;
  #isClosed = false;
  #burstStart = 0;

  constructor(options: TapOptions) {
    this.#options = options;
    this.#open();
  }

  close(): void {
    this.#isClosed = true;
    this.#cap?.close();
    this.#cap = undefined;
  }

  #open(): void {
    const { Cap } = createRequire(import.meta.url)('cap') as { Cap: new () => Cap };
    const cap = new Cap();
    const link = this.#openInNetns(cap);
    if (link !== 'ETHERNET') {
      cap.close();
      throw new Failure(`capture ${this.#options.target.label}: found link type ${link}, wanted ETHERNET`);
    }
    cap.setMinBytes?.(0);
    cap.on('packet', (length) => this.#take(cap, length));
    this.#cap = cap;
  }

  /** The socket that libpcap makes belongs to the namespace in which it is made. */
  #openInNetns(cap: Cap): string {
    const { target, filter, native } = this.#options;
    // By descriptor: once this thread has moved, /proc/self/ns/net is the other namespace.
    const home = openSync('/proc/self/ns/net', 'r');
    try {
      if (target.netns !== undefined) native?.setNetns(target.netns);
      return cap.open(target.interface, filter, KERNEL_BUFFER_BYTES, this.#buffer);
    } catch (error) {
      throw new Failure(
        `capture ${target.label}: ${(error as Error).message}: run as root; check interface and --filter`,
      );
    } finally {
      if (target.netns !== undefined) native?.setNetns(`/proc/self/fd/${home}`);
      closeSync(home);
    }
  }

  #take(cap: Cap, length: number): void {
    if (this.#isClosed || this.#cap !== cap) return;
    this.#options.onFrame(this.#buffer.subarray(0, length));
    const now = performance.now();
    if (this.#burstStart === 0) {
      this.#burstStart = now;
      setImmediate(() => {
        this.#burstStart = 0;
      });
    } else if (now - this.#burstStart > MAX_BURST_MS) {
      this.gaps++;
      cap.close();
      this.#cap = undefined;
      setImmediate(() => {
        if (!this.#isClosed) this.#open();
      });
    }
  }
}
