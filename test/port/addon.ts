// Frames in an arena, and what a call left behind (an error, a descriptor, a message of a worker), for tests of the addon.
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import * as native from '../../dataplane/native/index.ts';

const STRIDE = 65728;
/** How long anything that must come may take: no test measures time. */
export const PATIENCE_MS = 60_000;
export const HEADER = 10;

export function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}

/** The error that a call throws; the test fails if it throws none. */
export function errorOf(action: () => unknown): native.SystemError {
  try {
    action();
  } catch (error) {
    return error as native.SystemError;
  }
  throw new Error('nothing was thrown');
}

/** Runs code in a worker that has the addon as `native`; gives back what it posts. */
export function inWorker(code: string, data: unknown): Promise<unknown> {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(${JSON.stringify(new URL('../../dataplane/native/index.js', import.meta.url).href)}).then((native) => { ${code} });`;
  const worker = new Worker(source, { eval: true, workerData: data });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

export class Frames {
  readonly arena = new Uint8Array(STRIDE * 80);
  readonly offsets = new Int32Array(80);
  readonly lengths = new Int32Array(80);
  readonly outcome = new Int32Array(2);

  constructor() {
    for (let i = 0; i < 80; i++) this.offsets[i] = 128 + i * STRIDE;
  }

  /** Puts a frame into slot i, its virtio-net header (default zeros) before it. */
  put(i: number, frame: Uint8Array, header: Uint8Array = new Uint8Array(HEADER)): void {
    this.arena.set(header, this.offsets[i] - HEADER);
    this.arena.set(frame, this.offsets[i]);
    this.lengths[i] = frame.length;
  }

  frame(i: number): Uint8Array {
    return this.arena.subarray(this.offsets[i], this.offsets[i] + this.lengths[i]);
  }

  header(i: number): DataView {
    return new DataView(this.arena.buffer, this.offsets[i] - HEADER, HEADER);
  }

  send(fd: number, kind: number, count: number): number {
    return native.sendBatch(fd, kind, this.arena, this.offsets, this.lengths, 0, count, this.outcome);
  }

  receive(fd: number, kind: number, max = 64, budget = 1 << 20): number {
    return native.receiveBatch(fd, kind, this.arena, 128, STRIDE, max, budget, this.lengths, 0);
  }

  /**
   * Waits for `count` frames and takes what else is there then, up to `max`: a busy kernel may deliver a frame only after
   * the call that sent it. @returns how many came
   */
  receiveAll(fd: number, kind: number, count: number, max = 79): number {
    let total = 0;
    while (total < count && native.waitReadable(fd, PATIENCE_MS)) total += this.#receiveMore(fd, kind, total, max);
    return total < max ? total + this.#receiveMore(fd, kind, total, max) : total;
  }

  #receiveMore(fd: number, kind: number, slot: number, max: number): number {
    const room = Math.min(64, max - slot);
    const received = native.receiveBatch(
      fd,
      kind,
      this.arena,
      this.offsets[slot],
      STRIDE,
      room,
      1 << 24,
      this.lengths,
      slot,
    );
    if (received < 0) throw new Error(`receive: errno ${-received}`);
    return received;
  }
}

/** A frame of any length with a type nobody listens to, and a number in it. */
export function plainFrame(length: number, number: number): Uint8Array {
  const frame = new Uint8Array(length).fill(number & 0xff);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
  new DataView(frame.buffer).setUint32(14, number);
  return frame;
}
