/** A set of strings that are looked up by their bytes, where these lie: no string is made of what senders say. */
export class ByteStrings {
  readonly #texts: string[] = [];
  readonly #strings: Uint8Array[] = [];
  /** Numbers of the strings, by hash. */
  readonly #byHash = new Map<number, number[]>();

  get count(): number {
    return this.#texts.length;
  }

  add(text: string): void {
    const bytes = new Uint8Array(Buffer.from(text));
    if (this.find(bytes, 0, bytes.length) >= 0) return;
    const hash = hashOf(bytes, 0, bytes.length);
    const others = this.#byHash.get(hash);
    if (others === undefined) this.#byHash.set(hash, [this.#strings.length]);
    else others.push(this.#strings.length);
    this.#strings.push(bytes);
    this.#texts.push(text);
  }

  /** @returns the number of the string bytes[at, at + length), -1 when it is none of these (or length is negative) */
  find(bytes: Uint8Array, at: number, length: number): number {
    if (this.#strings.length === 0 || length < 0) return -1;
    const numbers = this.#byHash.get(hashOf(bytes, at, length));
    if (numbers === undefined) return -1;
    for (let i = 0; i < numbers.length; i++)
      if (isSame(this.#strings[numbers[i]], bytes, at, length)) return numbers[i];
    return -1;
  }

  findText(text: string): number {
    return this.#texts.indexOf(text);
  }

  text(number: number): string | undefined {
    return this.#texts[number];
  }
}

function isSame(string: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (string.length !== length) return false;
  for (let i = 0; i < length; i++) if (string[i] !== bytes[at + i]) return false;
  return true;
}

/** FNV-1a. Policies choose the strings of a set, not senders: nobody gains by strings of one hash. */
function hashOf(bytes: Uint8Array, at: number, length: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[at + i], 0x01000193);
  return hash;
}
