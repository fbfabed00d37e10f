/** Text that is written when the program waits, or there is much of it: a call for each line costs more than making the line. */
import type { Sink } from './host.ts';

const MOST_CHARACTERS = 65_536;

export class BatchedText {
  readonly #sink: Sink;
  #text = '';

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  write(text: string): void {
    if (this.#text === '') setImmediate(() => this.flush());
    this.#text += text;
    if (this.#text.length >= MOST_CHARACTERS) this.flush();
  }

  /** Writes what has not been: before the program ends, or something else is written. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.#sink.write(text);
  }
}
