/** The signals of a process from its first moment on: one that comes before anybody listens waits until somebody does. */
export class Signals {
  readonly #waiting: NodeJS.Signals[] = [];
  #listener: (signal: NodeJS.Signals) => void = (signal) => this.#waiting.push(signal);

  /** From now on none of these has its default effect. */
  constructor(...names: readonly NodeJS.Signals[]) {
    for (const name of names) process.on(name, () => this.#listener(name));
  }

  /** Calls back for each signal, those that waited first. */
  listen(listener: (signal: NodeJS.Signals) => void): void {
    this.#listener = listener;
    for (const signal of this.#waiting.splice(0)) listener(signal);
  }
}
