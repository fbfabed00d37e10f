/**
 * The zone file as it changes: read when the agent says so, and looked at every second in case nobody says so. A file that is none
 * changes nothing: the last good one stays, one line tells why.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Counters } from './counters.ts';
import { say } from './log.ts';
import { MAX_ZONE_FILE_BYTES, parseZoneFile, type ZoneFile } from './zone-file.ts';

export class ZoneSource {
  readonly #path: string;
  readonly #counters: Counters;
  readonly #onFile: (file: ZoneFile) => void;
  /** Which file was read last: inode, time and size. */
  #version = '';
  #problem = '';
  #hasOne = false;

  /** @param onFile takes a file that is another than before */
  constructor(path: string, counters: Counters, onFile: (file: ZoneFile) => void) {
    this.#path = path;
    this.#counters = counters;
    this.#onFile = onFile;
  }

  /** Why the file that is there was refused; '' when it was not. */
  get problem(): string {
    return this.#problem;
  }

  /** Reads the file, unless it is the one that was read last. @throws Error when it is none, or was none */
  read(): void {
    this.look();
    if (this.#problem !== '') throw new Error(this.#problem);
  }

  /** As read(), for a clock: a file that is none is told in the log, once. */
  look(): void {
    try {
      const text = this.#load();
      if (text === undefined) return;
      const file = parseZoneFile(text);
      this.#problem = '';
      this.#hasOne = true;
      this.#counters.zonesRead++;
      this.#onFile(file);
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
