/** How long a container that ends again and again waits before it begins anew: not at all, then 10 s, twice as long each time, 5 minutes at most. */
const FIRST_MS = 10_000;
const MOST_MS = 300_000;
/** One that ran for so long begins from the start. */
const FORGIVEN_MS = 600_000;

export class BackOff {
  #delayMs = 0;
  #nextMs = 0;
  #untilMs = 0;

  /** Notes that it has ended. @param ranMs how long it ran */
  ended(nowMs: number, ranMs: number): void {
    if (ranMs >= FORGIVEN_MS) this.#nextMs = 0;
    this.#delayMs = this.#nextMs;
    this.#untilMs = nowMs + this.#delayMs;
    this.#nextMs = this.#delayMs === 0 ? FIRST_MS : Math.min(this.#delayMs * 2, MOST_MS);
  }

  /** As if it had ended so often already: of a container that an earlier kubelet began. */
  resume(times: number, endedMs: number): void {
    this.#nextMs = times === 0 ? 0 : Math.min(FIRST_MS * 2 ** Math.min(times - 1, 10), MOST_MS);
    this.ended(endedMs, 0);
  }

  /** Begins from the start. */
  forget(): void {
    this.#nextMs = 0;
    this.#untilMs = 0;
  }

  /** 0 when it may begin. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs);
  }

  /** What is waited in whole, for people: `10s`, `2m40s`. */
  get text(): string {
    const whole = this.#delayMs / 1000;
    const [minutes, seconds] = [Math.floor(whole / 60), whole % 60];
    return `${minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
  }
}
