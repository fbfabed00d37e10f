/** How long the way from documents to maps takes, told as metrics. */
import { Counter, Histogram } from '../../hubble/metrics/registry.ts';

/** From half a millisecond on: most publications are that fast. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class PublicationTimings {
  readonly #nowMs = (): number => performance.now();
  readonly compile = this.#histogram(
    'sluice_policy_compile_seconds',
    'Compiling what has changed: documents to map entries.',
  );
  readonly publish = this.#histogram('sluice_policy_publish_seconds', 'Writing what was compiled into the maps.');
  readonly changes = new Counter(
    {
      name: 'sluice_policy_publications_total',
      help: 'Publications of policy, by how they went.',
      labels: ['outcome'],
    },
    this.#nowMs,
  );

  /** Runs `work` and notes how long it took. */
  time<T>(histogram: Histogram, work: () => T): T {
    const begun = this.#nowMs();
    const result = work();
    histogram.observe([], (this.#nowMs() - begun) / 1000);
    return result;
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help }, this.#nowMs, BOUNDS);
  }
}
