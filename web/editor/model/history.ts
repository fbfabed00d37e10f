/**
 * The texts that an editor has had, for undo and redo. Typing that goes on is one step: a text within a second of the one before it, from
 * the keyboard both, takes its place.
 */

/** Older ones are forgotten. */
const STEPS_MAX = 200;
/** And so are the oldest when all together are larger. */
const CHARACTERS_MAX = 16_000_000;
const PAUSE_MS = 1000;

export class History {
  #past: string[] = [];
  #future: string[] = [];
  #text: string;
  /** When a key was last hit; before that there was none. */
  #typedMs = -Infinity;

  constructor(text: string) {
    this.#text = text;
  }

  get text(): string {
    return this.#text;
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** A change that is undone as one. */
  put(text: string): void {
    this.#typedMs = -Infinity;
    this.#step(text);
  }

  /** What a person types. */
  type(text: string, nowMs: number): void {
    const goesOn = nowMs - this.#typedMs < PAUSE_MS && this.#past.length > 0;
    this.#typedMs = nowMs;
    if (goesOn) {
      this.#text = text;
      this.#future = [];
    } else this.#step(text);
  }

  #step(text: string): void {
    if (text === this.#text) return;
    this.#past.push(this.#text);
    this.#text = text;
    this.#future = [];
    let size = this.#past.reduce((sum, one) => sum + one.length, 0);
    while (this.#past.length > STEPS_MAX || (size > CHARACTERS_MAX && this.#past.length > 1))
      size -= this.#past.shift()?.length ?? 0;
  }

  undo(): void {
    const text = this.#past.pop();
    if (text === undefined) return;
    this.#future.push(this.#text);
    this.#text = text;
    this.#typedMs = -Infinity;
  }

  redo(): void {
    const text = this.#future.pop();
    if (text === undefined) return;
    this.#past.push(this.#text);
    this.#text = text;
    this.#typedMs = -Infinity;
  }
}
