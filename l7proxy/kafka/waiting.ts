/** Requests of one connection that have no answer yet, oldest first: Kafka answers in their order. */

/** Of one connection; further requests wait. */
export const MAX_UNANSWERED = 256;
const FIRST_WAITING = 8;
export const WAITING_WORDS = 5;

const W_CORRELATION = 0;
const W_KIND = 1; // api key and version
const W_FLAGS = 2;
const W_TIME = 3;
const W_RULES = 4; // under which it was asked: a session that its answer begins counts under these

/** What the answer of the server is read for. */
export const LEARN_NAMES = 1;
export const LEARN_SESSION = 2;
export const LIMIT_VERSIONS = 4;
/** Of versions: those of requests that are not read here are not for this client, with topics, and without. */
export const HIDE_TOPICS = 16;
export const HIDE_TOPICLESS = 32;
/** The dataplane answers it: `answer` has the bytes, or nothing, and then the connection is closed. */
export const IS_OURS = 8;

/** What is to be remembered of a request. */
interface Asked {
  readonly correlation: number;
  readonly apiKey: number;
  readonly version: number;
  readonly rules: number;
}

export class Waiting {
  count = 0;
  #words = new Int32Array(WAITING_WORDS * FIRST_WAITING);
  readonly #answers: (Uint8Array | null)[] = [];

  clear(): void {
    this.count = 0;
    this.#answers.length = 0;
  }

  get isFull(): boolean {
    return this.count === MAX_UNANSWERED;
  }

  push({ correlation, apiKey, version, rules }: Asked, flags: number, nowMs: number, answer: Uint8Array | null): void {
    const at = WAITING_WORDS * this.count++;
    if (at === this.#words.length) {
      const words = new Int32Array(2 * at);
      words.set(this.#words);
      this.#words = words;
    }
    this.#words[at + W_CORRELATION] = correlation;
    this.#words[at + W_KIND] = (apiKey << 16) | version;
    this.#words[at + W_FLAGS] = flags;
    this.#words[at + W_TIME] = nowMs | 0;
    this.#words[at + W_RULES] = rules;
    this.#answers.push(answer);
  }

  shift(): void {
    this.#words.copyWithin(0, WAITING_WORDS, WAITING_WORDS * this.count--);
    this.#answers.shift();
  }

  // Of the oldest:

  get correlation(): number {
    return this.#words[W_CORRELATION];
  }

  get apiKey(): number {
    return this.#words[W_KIND] >>> 16;
  }

  get version(): number {
    return this.#words[W_KIND] & 0xffff;
  }

  get flags(): number {
    return this.count > 0 ? this.#words[W_FLAGS] : 0;
  }

  get rules(): number {
    return this.#words[W_RULES];
  }

  /** Since it was asked. */
  ageMs(nowMs: number): number {
    return (nowMs - this.#words[W_TIME]) | 0;
  }

  get answer(): Uint8Array | null {
    return this.#answers[0];
  }

  /** Whether an answer of the dataplane is among them. */
  get hasOurs(): boolean {
    for (let i = 0; i < this.count; i++) if ((this.#words[WAITING_WORDS * i + W_FLAGS] & IS_OURS) !== 0) return true;
    return false;
  }

  /** All of them as words. Preconditions: none is the dataplane's. */
  save(): Int32Array {
    return this.#words.slice(0, WAITING_WORDS * this.count);
  }

  /** Takes up what `save` gave: rules have other numbers now, so no session is learnt from these. @returns false when it makes no sense */
  load(words: Int32Array, count: number): boolean {
    if (count % WAITING_WORDS !== 0 || count > WAITING_WORDS * MAX_UNANSWERED) return false;
    for (let at = 0; at < count; at += WAITING_WORDS) {
      const kind = words[at + W_KIND];
      const flags = words[at + W_FLAGS];
      if ((flags & IS_OURS) !== 0) return false;
      const asked = {
        correlation: words[at + W_CORRELATION],
        apiKey: kind >>> 16,
        version: kind & 0xffff,
        rules: 0,
      };
      this.push(asked, flags & ~LEARN_SESSION, words[at + W_TIME], null);
    }
    return true;
  }
}
