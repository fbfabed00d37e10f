/**
 * A list as it comes over the wire, one item after another: a server that is asked for pages may still answer with everything it has, and
 * a hundred megabytes must never be one string. What stands around the items (kind, metadata with the version and the
 * token of the next page) is kept apart and read at the end.
 *
 *     {"kind":"PodList","metadata":{...},"items":[ {...} , {...} ]}
 *      `---------------- shell ----------------'  `item'  `item'
 *
 * Only brackets and strings are looked at, from quote to quote with the native search; the JSON of an item is read by JSON.parse.
 *
 * Limits: an item has 16 MiB, what stands around the items 1 MiB.
 */

const MAX_ITEM_BYTES = 16 << 20;
const MAX_SHELL_BYTES = 1 << 20;

const STRING_MARK = 0x22;
const ESCAPE_MARK = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Depth inside the list, and one less than inside its items. */
const TOP = 1;
const KEY_CHARACTERS = 16; // more than `items` has

const NO_BYTES = Buffer.alloc(0);

interface ListShell {
  readonly metadata?: { readonly resourceVersion?: unknown; readonly continue?: unknown };
}

/** Takes the bytes of one list. */
export class ListReader {
  readonly #onItem: (item: object) => void;
  #rest: Buffer = NO_BYTES;
  /** Where in `#rest` to go on looking. */
  #at = 0;
  #depth = 0;
  /** Of an item that has begun, in `#rest`; -1 between items. */
  #start = -1;
  /** Of what belongs to the shell and is not there yet, in `#rest`. */
  #shellFrom = 0;
  #shell = '';
  #isInItems = false;
  #lastKey = '';

  constructor(onItem: (item: object) => void) {
    this.#onItem = onItem;
  }

  /** @throws SyntaxError or RangeError when it is no list, or too large */
  take(piece: Buffer): void {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    this.#scan();
    this.#forget();
  }

  /** What stood around the items. @throws SyntaxError when the list has no end */
  end(): ListShell {
    if (this.#depth !== 0 || this.#shell === '')
      throw new SyntaxError('found the end of the answer, wanted that of the list');
    this.#keepShell(this.#rest.length);
    const shell = JSON.parse(this.#shell) as ListShell | null;
    if (typeof shell !== 'object' || shell === null) throw new SyntaxError('found no object, wanted a list');
    return shell;
  }

  #scan(): void {
    const bytes = this.#rest;
    let at = this.#at;
    while (at < bytes.length) {
      const byte = bytes[at];
      if (byte === STRING_MARK) {
        const end = endOfString(bytes, at);
        if (end < 0) break;
        if (this.#depth === TOP && !this.#isInItems)
          this.#lastKey = bytes.toString('latin1', at + 1, Math.min(end, at + KEY_CHARACTERS));
        at = end;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#open(byte, at);
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#close(at);
      at++;
    }
    this.#at = at;
  }

  #open(byte: number, at: number): void {
    if (this.#isInItems && this.#depth === TOP + 1) this.#start = at;
    if (byte === OPEN_BRACKET && this.#depth === TOP && this.#lastKey === 'items') {
      this.#keepShell(at + 1);
      this.#isInItems = true;
    }
    this.#depth++;
  }

  #close(at: number): void {
    if (--this.#depth < 0) throw new SyntaxError('found a bracket that closes nothing, wanted a list');
    if (!this.#isInItems) return;
    if (this.#depth === TOP) {
      this.#isInItems = false;
      this.#shellFrom = at;
    } else if (this.#depth === TOP + 1) {
      const item = JSON.parse(this.#rest.toString('utf8', this.#start, at + 1)) as object;
      this.#start = -1;
      this.#onItem(item);
    }
  }

  #keepShell(to: number): void {
    this.#shell += this.#rest.toString('utf8', this.#shellFrom, to);
    if (this.#shell.length > MAX_SHELL_BYTES)
      throw new RangeError('found more than 1 MiB around the items, wanted a list');
    this.#shellFrom = to;
  }

  /** Drops the bytes that are done with. */
  #forget(): void {
    if (!this.#isInItems) this.#keepShell(this.#at);
    const from = this.#start >= 0 ? this.#start : this.#at;
    this.#rest = from >= this.#rest.length ? NO_BYTES : this.#rest.subarray(from);
    if (this.#rest.length > MAX_ITEM_BYTES)
      throw new RangeError('found an item of more than 16 MiB, wanted smaller ones');
    this.#at -= from;
    this.#shellFrom = this.#isInItems ? 0 : this.#shellFrom - from;
    if (this.#start >= 0) this.#start = 0;
  }
}

/** Where the string that begins at `from` ends; -1 when its end is not there yet. */
function endOfString(bytes: Buffer, from: number): number {
  for (let end = bytes.indexOf(STRING_MARK, from + 1); end >= 0; end = bytes.indexOf(STRING_MARK, end + 1)) {
    let slashes = 0;
    while (bytes[end - 1 - slashes] === ESCAPE_MARK) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}
