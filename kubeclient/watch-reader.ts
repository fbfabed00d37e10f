/** A watch as it comes over the wire: one event a line. An event has 16 MiB at most. */

const MAX_EVENT_BYTES = 16 << 20;
const EVENT_END = 10;

export interface WatchEvent {
  readonly type: string;
  /** Of ERROR a Status. */
  readonly object: object;
}

export class WatchReader {
  readonly #onEvent: (event: WatchEvent) => void;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(onEvent: (event: WatchEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** @throws SyntaxError or RangeError for what is no event, or too long */
  take(piece: Buffer): void {
    let from = 0;
    for (let end = piece.indexOf(EVENT_END); end >= 0; end = piece.indexOf(EVENT_END, from)) {
      this.#add(piece.subarray(from, end));
      from = end + 1;
      this.#emit();
    }
    this.#add(piece.subarray(from));
  }

  #add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#bytes += piece.length;
    if (this.#bytes > MAX_EVENT_BYTES) throw new RangeError('found an event of more than 16 MiB, wanted smaller ones');
    this.#pieces.push(piece);
  }

  #emit(): void {
    const text = (this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces)).toString('utf8');
    this.#pieces = [];
    this.#bytes = 0;
    if (text.trim() === '') return;
    const event = JSON.parse(text) as Partial<WatchEvent> | null;
    if (typeof event?.type !== 'string' || typeof event.object !== 'object' || event.object === null)
      throw new SyntaxError('found a line without type and object, wanted an event');
    this.#onEvent(event as WatchEvent);
  }
}
