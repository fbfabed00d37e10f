/**
 * The agent's recurring pieces of work by name, with how they fared: what `sluice status` counts as "n/m healthy".
 * A controller is unhealthy from a failure until its next success.
 */

/** How one piece of work fared. */
export interface ControllerState {
  readonly name: string;
  readonly runs: number;
  readonly failures: number;
  /** '' when the last run succeeded. */
  readonly lastError: string;
}

/** All controllers of one agent. */
export class Controllers {
  readonly #states = new Map<string, ControllerState>();

  /** Notes a run. @param error why it failed; '' = it did not */
  note(name: string, error: string): void {
    const { runs = 0, failures = 0 } = this.#states.get(name) ?? {};
    this.#states.set(name, { name, runs: runs + 1, failures: failures + (error === '' ? 0 : 1), lastError: error });
  }

  /** Runs `work` and notes the outcome. @returns the error's message, '' when there was none */
  run(name: string, work: () => void): string {
    let error = '';
    try {
      work();
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    this.note(name, error);
    return error;
  }

  states(): ControllerState[] {
    return [...this.#states.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
