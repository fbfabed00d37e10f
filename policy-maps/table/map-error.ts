/** The errors of pinned maps: what was refused, where, what was found and what was wanted. */

export type MapErrorCode =
  /** Not a Sluice map, another kind or layout, truncated, or with contents that cannot be. */
  | 'ERR_MAP_FORMAT'
  /** Another live process has it open for writing. */
  | 'ERR_MAP_BUSY'
  /** There is no such file, or it cannot be read. */
  | 'ERR_MAP_MISSING'
  /** No room for one more entry. */
  | 'ERR_MAP_FULL';

/** What was found and what was wanted, in words or numbers; both end up in the message. */
export interface MapMismatch {
  readonly what: string;
  readonly found: string | number;
  readonly wanted: string | number;
}

/** A map that cannot be used as asked. `path`, `found` and `wanted` are also in the message. */
export class MapError extends Error {
  readonly code: MapErrorCode;
  readonly path: string;
  readonly found: string | number;
  readonly wanted: string | number;

  constructor(code: MapErrorCode, action: string, path: string, mismatch: MapMismatch) {
    super(`${action} ${path}: ${mismatch.what}: found ${mismatch.found}, wanted ${mismatch.wanted}`);
    this.name = new.target.name;
    this.code = code;
    this.path = path;
    this.found = mismatch.found;
    this.wanted = mismatch.wanted;
  }
}

/** A map that has no room; what was in it is unchanged. */
export class MapFullError extends MapError {
  constructor(action: string, path: string, mismatch: MapMismatch) {
    super('ERR_MAP_FULL', action, path, mismatch);
  }
}
