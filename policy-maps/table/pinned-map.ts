/** What every pinned map has: a file that is made, or opened, under the layout of the map's class. */
import { rmSync } from 'node:fs';
import { type CreateOptions, MapFile, type Mapper, type Unmapper } from './map-file.ts';
import type { MapLayout } from './map-header.ts';

/** A class of maps: `layout` says what its files look like, the constructor takes one that has been held to that. */
export interface MapClass<M> {
  readonly layout: MapLayout;
  new (file: MapFile): M;
}

/** @throws {MapFullError} when there is no memory for what a writer has from the start; the pen is laid down then */
function begin<M>(map: MapClass<M>, file: MapFile): M {
  try {
    if (file.writable && map.layout.isDense === true) file.require(0, file.buffer.byteLength);
    return new map(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

export abstract class PinnedMap {
  readonly file: MapFile;

  constructor(file: MapFile) {
    this.file = file;
  }

  /**
   * Makes the file (replacing one that nobody writes) and holds its pen.
   * @throws {MapError} ERR_MAP_BUSY when a live process writes the file that is there
   * @throws {MapFullError} when there is no memory for what it has from the start; there is no file then
   * @throws {RangeError} when the capacity is not one that the layout allows
   */
  static create<M>(this: MapClass<M>, path: string, options: CreateOptions, mapper: Mapper): M {
    const file = MapFile.create(path, this.layout, options, mapper);
    try {
      return begin(this, file);
    } catch (error) {
      rmSync(path, { force: true }); // or nobody could make it again while this process lives
      throw error;
    }
  }

  /**
   * Opens the file read only, or with its pen.
   * @throws {MapError} ERR_MAP_MISSING, ERR_MAP_FORMAT, or ERR_MAP_BUSY when somebody else has the pen
   */
  static open<M>(this: MapClass<M>, path: string, mapper: Mapper, options: { writable?: boolean } = {}): M {
    return begin(this, MapFile.open(path, this.layout, mapper, options.writable ?? false));
  }

  get capacity(): number {
    return this.file.capacity;
  }

  /** Lays the pen down. @param unmap takes the mapping away too: the map must not be used any more */
  close(unmap?: Unmapper): void {
    this.file.close(unmap);
  }
}
