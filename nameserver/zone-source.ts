/**
 * The zone file as it changes: read when the agent says so, and looked at every second in case nobody says so. A file that is none
 * changes nothing: the last good one stays, one line tells why.
 *
 * A large file takes seconds of this thread. So it is read SLICE_MS at a time, and between two slices questions are answered, from the
 * zone before; the new one is in force as a whole when it is complete.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Counters } from './counters.ts';
import { say } from './log.ts';
import type { Zone } from './zone.ts';
import { MAX_ZONE_FILE_BYTES, readZoneFile, type ZoneFile } from './zone-file.ts';
import { buildZone } from './zone-records.ts';

const SLICE_MS = 3;

export class ZoneSource {
  readonly #path: string;
  readonly #counters: Counters;
  readonly #onZone: (zone: Zone, file: ZoneFile) => void;
  /** Which file was read last: inode, time and size. */
  #version = '';
  #problem = '';
  #hasOne = false;
  #reading: Promise<void> | undefined;

  /** @param onZone takes the zone of a file that is another than before */
  constructor(path: string, counters: Counters, onZone: (zone: Zone, file: ZoneFile) => void) {
    this.#path = path;
    this.#counters = counters;
    this.#onZone = onZone;
  }

  /** Why the file that is there was refused; '' when it was not. */
  get problem(): string {
    return this.#problem;
  }

  /** Puts the file that is there now in force, unless it is. @throws Error when it is none, or was none */
  async read(): Promise<void> {
    await this.look(); // what was under way may be of the file before
    await this.look();
    if (this.#problem !== '') throw new Error(this.#problem);
  }

  /** As read(), for a clock: a file that is none is told in the log, once. */
  look(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<void> {
    try {
      const text = this.#load();
      if (text === undefined) return;
      const file = await inSlices(readZoneFile(text));
      const zone = await inSlices(buildZone(file));
      this.#problem = '';
      this.#hasOne = true;
      this.#counters.zonesRead++;
      this.#onZone(zone, file);
    } catch (error) {
      this.#refuse((error as Error).message);
    }
  }

  #refuse(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#counters.zonesRefused++;
    say(`${problem}; ${this.#hasOne ? 'the last good one stays' : 'waiting for one'}`);
  }

  /** The text, undefined when it is of the version that was read last. */
  #load(): string | undefined {
    const fd = openSync(this.#path, 'r');
    try {
      const { size, ino, mtimeMs } = fstatSync(fd);
      const version = `${ino} ${mtimeMs} ${size}`;
      if (version === this.#version) return undefined;
      this.#version = version;
      if (size > MAX_ZONE_FILE_BYTES)
        throw new Error(`read a zone file: found ${size} bytes, wanted at most ${MAX_ZONE_FILE_BYTES}`);
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  }
}

/** Runs through steps, a few milliseconds at a time. */
async function inSlices<T>(steps: Generator<undefined, T>): Promise<T> {
  for (;;) {
    const endMs = performance.now() + SLICE_MS;
    do {
      const step = steps.next();
      if (step.done === true) return step.value;
    } while (performance.now() < endMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
