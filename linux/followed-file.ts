/**
 * The text of a small file, followed behind symbolic links too, by reading it again and again: no word of its change can be missed. A file
 * that cannot be read has the text ''.
 */
import { readFileSync } from 'node:fs';

const POLL_MS = 2_000;

export class FollowedFile {
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;
  #text: string;

  /** @param onChange called when `text` is another */
  constructor(path: string, onChange: () => void) {
    this.#path = path;
    this.#text = this.#load();
    this.#timer = setInterval(() => this.#look(onChange), POLL_MS).unref();
  }

  get text(): string {
    return this.#text;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(onChange: () => void): void {
    const text = this.#load();
    if (text === this.#text) return;
    this.#text = text;
    onChange();
  }

  #load(): string {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch {
      return '';
    }
  }
}
