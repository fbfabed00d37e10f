/** A source of the API that a test fills by hand. */
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { Ring } from '../../hubble/ring.ts';
import type { ObserverSource } from '../../hubble/service/source.ts';
import { rfc3339 } from '../../hubble/time.ts';
import { flowsOfAllKinds } from './flows-of-all-kinds.ts';

const START_MS = Date.parse('2026-01-02T03:04:05Z');

export class FakeSource implements ObserverSource {
  readonly nodeName = 'node-1';
  readonly clusterName = 'default';
  readonly version = 'sluice 0.1.0';
  readonly startedMs = START_MS;
  readonly flows: Ring;
  readonly agentEvents: Ring;
  address = '';
  tlsServerName: string | undefined;
  readonly #namespaces = new Set<string>();
  /** What the clock says. */
  atMs = START_MS;

  constructor(capacity = 4095) {
    const common = { nodeName: this.nodeName, nowMs: () => this.atMs };
    this.flows = new Ring({ capacity, ...common });
    this.agentEvents = new Ring({ capacity: 15, ...common });
  }

  readonly nowMs = (): number => this.atMs;

  history(): undefined {
    return undefined;
  }

  refresh(): void {
    // what a test writes is there at once
  }

  namespaces(): Iterable<string> {
    return this.#namespaces;
  }

  /** Writes a flow a millisecond after the last. */
  write(kind: Flow, uuid: string): Envelope {
    this.atMs++;
    const time = rfc3339(this.atMs);
    const flow: Flow = Object.assign({ time: '', uuid: '' }, kind, { time, uuid }); // in the order of the proto
    const envelope = { flow, node_name: this.nodeName, time };
    for (const { namespace } of [flow.source, flow.destination]) {
      if (namespace !== undefined) this.#namespaces.add(namespace);
    }
    this.flows.write(envelope);
    return envelope;
  }

  /** Writes as many flows of all kinds, each with its number as the uuid. */
  fill(count: number, from = 0): void {
    for (let i = from; i < from + count; i++) this.write(KINDS[i % KINDS.length], String(i));
  }
}

const KINDS = flowsOfAllKinds();
