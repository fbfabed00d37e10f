/** What repeats in a table, once: JSON texts with ids that count from 1 in the order in which they came. */
import { MAX_ENTRIES, MAX_ENTRY_LENGTH } from './columns.ts';

/** A text that no table takes. */
export class TooLong extends Error {}

export class Dictionary {
  readonly texts: string[] = [];
  /** Characters of all texts. */
  size = 0;

  /** Whether so many can come yet. */
  hasRoom(entries: number): boolean {
    return this.texts.length + entries <= MAX_ENTRIES;
  }

  /** @returns the new id @throws TooLong */
  add(text: string): number {
    if (text.length > MAX_ENTRY_LENGTH) throw new TooLong();
    this.size += text.length;
    return this.texts.push(text);
  }
}

const MAX_REMEMBERED = 4096; // objects

/** Finds ids by value: by identity for objects that are met again, else by their text. */
export class Interner {
  readonly #dictionary: Dictionary;
  readonly #byText = new Map<string, number>();
  readonly #byString = new Map<string, number>();
  readonly #byObject = new Map<object, number>();

  constructor(dictionary: Dictionary) {
    this.#dictionary = dictionary;
  }

  /** The id of a string. */
  string(value: string): number {
    const known = this.#byString.get(value);
    if (known !== undefined) return known;
    const id = this.text(JSON.stringify(value));
    this.#byString.set(value, id);
    return id;
  }

  /** The id of an object or a list, which must not change. */
  object(value: object): number {
    const known = this.#byObject.get(value);
    if (known !== undefined) return known;
    const id = this.text(JSON.stringify(value));
    // Who makes a new object for each flow must not fill the memory.
    if (this.#byObject.size >= MAX_REMEMBERED) this.#byObject.clear();
    this.#byObject.set(value, id);
    return id;
  }

  /** The id of a JSON text. */
  text(text: string): number {
    let id = this.#byText.get(text);
    if (id === undefined) {
      id = this.#dictionary.add(text);
      this.#byText.set(text, id);
    }
    return id;
  }
}
