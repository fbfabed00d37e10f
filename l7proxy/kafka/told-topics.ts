/** The names of topics in a request, as they came: the first MAX_TOLD_TOPICS of them, for its records. */

const MAX_TOLD_TOPICS = 16;
/** Of a name; Kafka's own limit. Longer ones are no topics, and are told as far as that. */
const MAX_NAME_BYTES = 249;
/** Room for the usual request, made when there is a first name. */
const FIRST_BYTES = 64;
const NOTHING = new Uint8Array(0);

export class ToldTopics {
  count = 0;
  bytes: Uint8Array = NOTHING;
  readonly #end: Uint16Array = new Uint16Array(MAX_TOLD_TOPICS);

  clear(): void {
    this.count = 0;
  }

  startOf(index: number): number {
    return index === 0 ? 0 : this.#end[index - 1];
  }

  endOf(index: number): number {
    return this.#end[index];
  }

  add(bytes: Uint8Array, at: number, length: number): void {
    if (this.count === MAX_TOLD_TOPICS) return;
    let to = this.startOf(this.count);
    const told = Math.min(length, MAX_NAME_BYTES);
    this.#makeRoom(to + told);
    for (let from = at; from < at + told; ) this.bytes[to++] = bytes[from++];
    this.#end[this.count++] = to;
  }

  #makeRoom(size: number): void {
    if (size <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(FIRST_BYTES, 2 * size));
    bytes.set(this.bytes);
    this.bytes = bytes;
  }
}
