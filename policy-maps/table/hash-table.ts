/**
 * The open-addressing hash table under the pinned maps: rows that never move, and an index of single words.
 *
 * ```
 *   index (power of two >= 2 x capacity words)            rows (16-byte multiples)
 *   | 0 | fp·slot+1 | fp·slot+1 | 0 | ...                 slot 0: | hash | state | key ... | value ... |
 *         linear probing, low bits of the hash            slot 1: ...
 * ```
 *
 * An index word is a fingerprint (the high bits of the hash) over slot+1, so a probe touches a row only when it is
 * almost surely the right one, and one word store adds, replaces or takes away an entry. Rows are handed out densely
 * from slot 0, so that a big table with few entries stays small in memory.
 *
 * Writer: fill `key`, `stage()` a row, write its value words, `publish(slot)`. A key that exists gets its new row by
 * one index store (copy on write) and the old row is freed. Freed rows wait in a queue of QUARANTINE rows before they
 * are used again, so that a reader that has just found a slot can still read it. Removal closes the gap by shifting
 * later index words back, copying each before it is overwritten: no tombstones, and whatever store was the last one,
 * every entry can be found. So a writer that dies half way leaves a readable table.
 *
 * Reader in another process: hash-reader.ts.
 *
 * Memory: the index has room from the start, rows get it as they are used for the first time
 * (reservation.ts). Where the file system is full there are no new rows, and freed ones go round.
 *
 * Bounds: an entry that has no place within the probe limit is refused. What a writer reads from the file is checked
 * before it is used as a position to write to.
 */
import { HashReader } from './hash-reader.ts';
import { LIVE, ROW_HASH, ROW_KEY, ROW_STATE, STAGED } from './hash-row.ts';
import { MapFullError } from './map-error.ts';
import { Reservation } from './reservation.ts';
import {
  W_COUNT,
  W_FREE_COUNT,
  W_FREE_HEAD,
  W_FREE_TAIL,
  W_FULL,
  W_GENERATION,
  W_HIGH_WATER,
  W_PROBE_FAILURES,
  W_REMOVALS,
  W_UPDATES,
} from './map-header.ts';

// --- implementation
const QUARANTINE = 32; // rows
// V8 folds a constant of the module's own, but loads and checks an imported one at every use (bench/policy-maps.bench.ts)
const HASH = ROW_HASH;
const STATE = ROW_STATE;
const KEY = ROW_KEY;
const IN_USE = LIVE;
const GENERATION = W_GENERATION;

export class HashTable extends HashReader {
  /** Freed rows kept back before reuse, oldest first; 0 = none, and the row freed last is used first (it is in cache). */
  protected quarantine = QUARANTINE;
  /** Memory for new rows; a writer's. */
  #memory: Reservation | undefined;

  /**
   * Takes a row for `key` and zeroes its value; nobody finds it before `publish`.
   * @throws {MapFullError} when the key is new and the table has `capacity` entries
   */
  stage(): number {
    if (this.find() < 0 && this.header[W_COUNT] >= this.file.capacity) this.#refuse('entries', this.file.capacity);
    const slot = this.takeRow();
    if (slot < 0) this.#refuse('free rows', 0);
    this.fillRow(slot, this.foundHash);
    return slot;
  }

  /**
   * Makes a staged row the one that `key` leads to.
   * @throws {MapFullError} when too many neighbours are taken; the row is freed again
   */
  publish(slot: number): void {
    const base = slot * this.rowWords;
    this.loadKey(slot);
    const previous = this.find();
    if (this.foundAt < 0) {
      this.freeRow(slot);
      this.header[W_PROBE_FAILURES]++;
      this.#refuse('free places near its own', 0);
    }
    this.beginChange();
    this.index[this.foundAt] = (this.foundHash & ~this.slotMask) | (slot + 1);
    this.rows[base + STATE] = IN_USE;
    if (previous >= 0) this.freeRow(previous);
    else this.header[W_COUNT]++;
    this.header[W_UPDATES]++;
    this.endChange();
  }

  /**
   * Adds `key`, which the find() just before did not find, with a value of zeroes, and gives its slot. No copy, no
   * generation: for tables that only their writer looks things up in. -1 when there is no place.
   */
  claim(): number {
    if (this.foundAt < 0) this.header[W_PROBE_FAILURES]++;
    const slot = this.foundAt < 0 || this.header[W_COUNT] >= this.file.capacity ? -1 : this.takeRow();
    if (slot < 0) {
      this.header[W_FULL]++;
      return -1;
    }
    this.fillRow(slot, this.foundHash);
    this.rows[slot * this.rowWords + STATE] = IN_USE;
    this.index[this.foundAt] = (this.foundHash & ~this.slotMask) | (slot + 1);
    this.header[W_COUNT]++;
    this.header[W_UPDATES]++;
    return slot;
  }

  /** Takes `key` out; false when it was not there. */
  remove(): boolean {
    const slot = this.find();
    if (slot < 0) return false;
    this.beginChange();
    this.#closeGap(this.foundAt);
    this.freeRow(slot);
    this.header[W_REMOVALS]++;
    if (--this.header[W_COUNT] === 0 && this.quarantine === 0) {
      this.#forgetFreeRows();
      this.header[W_HIGH_WATER] = 0; // an empty table begins again at slot 0, and does not stay as wide as it once was
    }
    this.endChange();
    return true;
  }

  /** What a writer does first: repairs the table if the writer before it died, or if its header cannot be. */
  prepare(): void {
    const { header, rowCount, index, rows } = this;
    this.file.require(index.byteOffset, index.byteLength);
    this.#memory = new Reservation(this.file, rows, this.rowWords);
    const isSound =
      inRange(header[W_COUNT], this.file.capacity) &&
      inRange(header[W_HIGH_WATER], rowCount) &&
      inRange(header[W_FREE_COUNT], rowCount) &&
      inRange(header[W_FREE_HEAD], rowCount) &&
      inRange(header[W_FREE_TAIL], rowCount) &&
      (header[GENERATION] & 1) === 0;
    if (this.file.recovered || !isSound) this.recover();
  }

  /** After a writer died: keeps the rows that could be found, frees the others, builds the index again. */
  recover(): void {
    const { rows, rowWords, header } = this;
    const end = Math.min(Math.max(header[W_HIGH_WATER], 0), this.rowCount);
    const keep: number[] = [];
    for (let slot = 0; slot < end; slot++) {
      if (rows[slot * rowWords + STATE] !== IN_USE) continue;
      this.loadKey(slot);
      if (this.find() === slot) keep.push(slot);
    }
    this.beginChange();
    this.index.fill(0);
    header[W_FREE_HEAD] = header[W_FREE_TAIL] = header[W_FREE_COUNT] = 0;
    header[W_HIGH_WATER] = end;
    for (let slot = 0; slot < end; slot++) rows[slot * rowWords + STATE] = 0;
    for (const slot of keep) this.#reinstate(slot);
    for (let slot = 0; slot < end; slot++) if (rows[slot * rowWords + STATE] === 0) this.freeRow(slot);
    header[W_COUNT] = keep.length;
    this.endChange();
  }

  /** Odd generation: readers in other processes wait. A generation left odd by a dead writer stays odd until the end. */
  protected beginChange(): void {
    Atomics.store(this.header, GENERATION, this.header[GENERATION] | 1);
  }

  protected endChange(): void {
    Atomics.store(this.header, GENERATION, ((this.header[GENERATION] | 1) + 1) | 0);
  }

  /** Whether a new key finds a row, or one must be given up first: the file system may be full before the table is. */
  hasRow(): boolean {
    return this.header[W_FREE_COUNT] > this.quarantine || this.#hasFreshRow();
  }

  #hasFreshRow(): boolean {
    const fresh = this.header[W_HIGH_WATER];
    return fresh < this.rowCount && this.#memory?.hasRoom(fresh) !== false;
  }

  /** A row nobody uses: a fresh one while few are free (freed rows rest), then the one freed longest ago; -1 if none. */
  protected takeRow(): number {
    const { header } = this;
    if (header[W_FREE_COUNT] <= this.quarantine && this.#hasFreshRow()) return header[W_HIGH_WATER]++;
    const slot = header[W_FREE_HEAD] - 1;
    const state = slot < 0 || slot >= this.rowCount ? 0 : this.rows[slot * this.rowWords + STATE];
    if (state >= 0) {
      this.#forgetFreeRows(); // the end of the list, or a list that is not one: what is in use stays where it is
      return -1;
    }
    header[W_FREE_HEAD] = -state - 1; // -(next + 2) holds next; the head word holds next + 1, and -1 the end
    header[W_FREE_COUNT]--;
    if (header[W_FREE_HEAD] === 0) header[W_FREE_TAIL] = 0;
    return slot;
  }

  protected freeRow(slot: number): void {
    const { header, rows, rowWords } = this;
    header[W_FREE_COUNT]++;
    if (this.quarantine === 0) {
      rows[slot * rowWords + STATE] = -(header[W_FREE_HEAD] + 1); // the head word holds next + 1, or 0: -(next + 2), or -1
      header[W_FREE_HEAD] = slot + 1;
      return;
    }
    rows[slot * rowWords + STATE] = -1;
    const tail = header[W_FREE_TAIL] - 1;
    if (tail >= 0 && tail < this.rowCount) rows[tail * rowWords + STATE] = -(slot + 2);
    else header[W_FREE_HEAD] = slot + 1;
    header[W_FREE_TAIL] = slot + 1;
  }

  protected fillRow(slot: number, hash: number): void {
    const { rows } = this;
    const base = slot * this.rowWords;
    rows[base + HASH] = hash;
    rows[base + STATE] = STAGED;
    for (let i = 0; i < this.keyWords; i++) rows[base + KEY + i] = this.key[i];
    for (let i = this.valueWord; i < this.rowWords; i++) rows[base + i] = 0;
  }

  #forgetFreeRows(): void {
    const { header } = this;
    header[W_FREE_HEAD] = header[W_FREE_TAIL] = header[W_FREE_COUNT] = 0;
  }

  /** Empties index position `hole` by moving back every later word of the run that may stand there. */
  #closeGap(hole: number): void {
    const { index, indexMask, slotMask, rows, rowWords } = this;
    let gap = hole;
    let at = hole;
    for (let probes = 0; probes <= indexMask; probes++) {
      at = (at + 1) & indexMask;
      const word = index[at];
      if (word === 0) break;
      const home = rows[((word & slotMask) - 1) * rowWords + HASH] & indexMask;
      if (((at - home) & indexMask) < ((at - gap) & indexMask)) continue; // its home lies after the gap
      index[gap] = word;
      gap = at;
    }
    index[gap] = 0;
  }

  #reinstate(slot: number): void {
    this.loadKey(slot);
    this.find();
    const base = slot * this.rowWords;
    this.rows[base + HASH] = this.foundHash;
    this.rows[base + STATE] = IN_USE;
    this.index[this.foundAt] = (this.foundHash & ~this.slotMask) | (slot + 1);
  }

  #refuse(what: string, limit: number): never {
    this.header[W_FULL]++;
    throw new MapFullError('insert into map', this.file.path, { what, found: limit, wanted: 'room for one more' });
  }
}

function inRange(value: number, max: number): boolean {
  return value >= 0 && value <= max;
}
