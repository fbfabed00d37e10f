/**
 * Namespaces that had flows in the last hour. Every flow passes here, so none is looked into: noted is when each local endpoint
 * had its last flow, and whose namespace it is in is asked when somebody wants to know.
 */
import type { Directory } from '../../hubble/decode/directory.ts';
import type { Envelope } from '../../hubble/flow.ts';
import type { FlowSink } from '../../hubble/sink.ts';
import { LazyEnvelope } from './lazy-envelope.ts';

const HOUR_MS = 3_600_000;
/** Endpoint ids have 16 bits. */
const ENDPOINTS = 65_536;

export class NamespaceLog implements FlowSink {
  readonly #directory: Pick<Directory, 'endpoint'>;
  /** Milliseconds since the epoch of each endpoint's last flow. */
  readonly #lastMs = new Float64Array(ENDPOINTS);

  constructor(directory: Pick<Directory, 'endpoint'>) {
    this.#directory = directory;
  }

  take(envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes) {
      if (!(envelope instanceof LazyEnvelope)) continue;
      this.#lastMs[envelope.sourceEndpoint] = envelope.timeMs;
      this.#lastMs[envelope.destinationEndpoint] = envelope.timeMs;
    }
  }

  /** Names, each once. */
  namespaces(nowMs: number): Set<string> {
    const names = new Set<string>();
    for (let id = 1; id < ENDPOINTS; id++) {
      if (this.#lastMs[id] < nowMs - HOUR_MS) continue;
      const namespace = this.#directory.endpoint(id)?.namespace;
      if (namespace !== undefined && namespace !== '') names.add(namespace);
    }
    return names;
  }
}
