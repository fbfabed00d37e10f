/** The metrics of flows as a sink of the observatory, with the address where they are served. */
import type { Envelope } from '../../hubble/flow.ts';
import { FlowMetrics } from '../../hubble/metrics/flow-metrics.ts';
import type { Registry } from '../../hubble/metrics/registry.ts';
import type { FlowSink } from '../../hubble/sink.ts';
import type { MetricsSettings } from '../config/schema-hubble-metrics.ts';
import { type ListenerOptions, MetricsListener } from './listener.ts';

export class ServedMetrics implements FlowSink {
  readonly #flows: FlowMetrics;
  readonly #listener: MetricsListener;

  constructor(settings: MetricsSettings, registry: Registry, log: ListenerOptions['log']) {
    this.#flows = new FlowMetrics(settings.metrics, registry, () => performance.now());
    this.#listener = new MetricsListener({ address: settings['metrics-server'], registry, log });
    this.#listener.start();
  }

  take(envelopes: readonly Envelope[]): void {
    this.#flows.take(envelopes);
  }

  stop(): Promise<void> {
    return this.#listener.stop();
  }
}
