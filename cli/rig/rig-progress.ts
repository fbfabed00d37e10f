/** One line on a terminal that says what is waited for; nothing elsewhere. */
import type { Host } from '../terminal/host.ts';

const CLEAR_LINE = '\r\x1b[K';

export class Progress {
  readonly #host: Host;
  #shown = '';

  constructor(host: Host) {
    this.#host = host;
  }

  /** Replaces what is shown. */
  show(text: string): void {
    if (this.#host.stderr.isTTY !== true || text === this.#shown) return;
    this.#shown = text;
    const columns = this.#host.stderr.columns ?? 80;
    this.#host.stderr.write(CLEAR_LINE + text.slice(0, columns - 1));
  }

  /** Leaves an empty line for what comes. */
  end(): void {
    if (this.#shown !== '') this.#host.stderr.write(CLEAR_LINE);
    this.#shown = '';
  }
}
