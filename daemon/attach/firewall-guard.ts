/**
 * Sees to it that the firewall is there: looks every second, puts back what is gone, and tells of it for a minute. Without it
 * a flushed rule set would open the host to every pod, with nobody the wiser.
 */
import type { Firewall } from './firewall.ts';

const LOOK_MS = 1000;
const TOLD_MS = 60_000;

export class FirewallGuard {
  readonly #firewall: Pick<Firewall, 'restore'>;
  readonly #tell: (problems: readonly string[]) => void;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #lostMs = Number.NEGATIVE_INFINITY;
  #problem = '';

  /** @param tell takes what is wrong now, after each look that changed it */
  constructor(firewall: Pick<Firewall, 'restore'>, tell: (problems: readonly string[]) => void) {
    this.#firewall = firewall;
    this.#tell = tell;
  }

  /** Looks from now on. @returns a function that ends it, when no look is under way any more */
  start(): () => Promise<void> {
    let looking = Promise.resolve();
    const again = () => {
      if (this.#isStopped) return;
      this.#timer = setTimeout(() => {
        looking = this.#look().then(again);
      }, LOOK_MS);
    };
    again();
    return () => {
      this.#isStopped = true;
      clearTimeout(this.#timer);
      return looking;
    };
  }

  async #look(): Promise<void> {
    try {
      const lost = await this.#firewall.restore();
      if (lost.length > 0) {
        this.#lostMs = performance.now();
        this.#say(`somebody removed what keeps the host's stack off ${names(lost)} (nft): it is put back`);
      } else if (performance.now() - this.#lostMs >= TOLD_MS) this.#say('');
    } catch (error) {
      this.#lostMs = Number.NEGATIVE_INFINITY;
      this.#say((error as Error).message);
    }
  }

  #say(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#tell(problem === '' ? [] : [problem]);
  }
}

function names(interfaces: readonly string[]): string {
  const [first, ...others] = interfaces;
  return others.length === 0 ? first : `${first} and ${others.length} more interfaces`;
}
