/**
 * Memory for the rows of a file, made as they are used for the first time, dense from row 0 on. A sparse file costs memory
 * only where it is used, and a store that finds none kills the process (map-file.ts); so a writer asks here before it
 * takes a row that nobody has used yet. Where there is none, the file system is asked again now and then only.
 */
import type { MapFile } from './map-file.ts';

/** Room is made for so much at once. */
const STEP_BYTES = 64 * 1024;
/** Rows asked for in vain before the file system is asked again. */
const RETRY = 1024;

export class Reservation {
  readonly #file: MapFile;
  readonly #rows: Int32Array;
  readonly #rowBytes: number;
  /** Rows below this have room. */
  #ready = 0;
  /** How often rows are still refused without asking. */
  #wait = 0;

  /**
   * @param rows all of them, as they lie in the file
   * @throws {MapFullError} when there is no room even for the first
   */
  constructor(file: MapFile, rows: Int32Array, rowWords: number) {
    this.#file = file;
    this.#rows = rows;
    this.#rowBytes = rowWords * 4;
    const bytes = Math.min(STEP_BYTES, rows.byteLength);
    file.require(rows.byteOffset, bytes);
    this.#ready = Math.floor(bytes / this.#rowBytes);
  }

  /** Whether a row that was never used may be written. */
  hasRoom(row: number): boolean {
    if (row < this.#ready) return true;
    if (this.#wait > 0) {
      this.#wait--;
      return false;
    }
    const at = row * this.#rowBytes;
    const bytes = Math.min(STEP_BYTES, this.#rows.byteLength - at);
    if (this.#file.reserve(this.#rows.byteOffset + at, bytes)) {
      this.#ready = row + Math.floor(bytes / this.#rowBytes);
      return true;
    }
    this.#wait = RETRY;
    return false;
  }
}
