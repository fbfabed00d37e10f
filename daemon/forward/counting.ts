/**
 * Brings the pinned counters (policy-maps/counters.ts) up to what their owners have counted: once a tick, so that the
 * owners keep plain fields and a frame pays nothing. What this process counted is added to what the processes before it
 * had; a gauge is stored as it is.
 */
import type { Dataplane } from '../../dataplane/assemble.ts';
import type { Port } from '../../dataplane/port/port.ts';
import type { PortTable } from '../../dataplane/port/table.ts';
import type { L7Engine } from '../../l7proxy/engine.ts';
import * as counter from '../../policy-maps/counters.ts';
import {
  type CountersMap,
  PORT_RECEIVE_DROPS,
  PORT_RECEIVED_BYTES,
  PORT_RECEIVED_FRAMES,
  PORT_SEND_DROPS,
  PORT_SENT_BYTES,
  PORT_SENT_FRAMES,
} from '../../policy-maps/counters-map.ts';

interface Source {
  readonly number: number;
  readonly isGauge: boolean;
  readonly read: () => number;
  /** As of the last tick. */
  seen: number;
}

/** Who counts what. */
export interface CountingParts {
  readonly dataplane: Pick<Dataplane, 'recorder' | 'uplinks' | 'ports' | 'errors' | 'conntrack' | 'masquerade'>;
  readonly engine: Pick<L7Engine, 'counters'>;
  /** How long the forwarding thread has waited. */
  readonly loop: { readonly idleMs: number };
}

export class Counting {
  readonly #map: CountersMap;
  readonly #table: PortTable;
  readonly #sources: readonly Source[];
  readonly #rows = new Map<Port, Float64Array>();

  constructor(map: CountersMap, parts: CountingParts) {
    this.#map = map;
    this.#table = parts.dataplane.ports;
    const readers = readersOf(parts);
    this.#sources = counter.COUNTERS.map(({ number, name, isGauge }) => {
      const read = readers.get(number);
      if (read === undefined)
        throw new Error(`counter ${name}: found nobody who counts it, wanted a line in counting.ts`);
      return { number, isGauge, read, seen: 0 };
    });
  }

  tick(): void {
    const { words } = this.#map;
    for (const source of this.#sources) {
      const now = source.read();
      words[source.number] = source.isGauge ? now : words[source.number] + now - source.seen;
      source.seen = now;
    }
    for (const port of this.#table.port) if (port !== null) this.#countPort(port);
    for (const port of this.#rows.keys()) if (this.#table.port[port.index] !== port) this.#rows.delete(port);
  }

  #countPort(port: Port): void {
    let row = this.#rows.get(port);
    if (row === undefined) {
      row = this.#map.portWords(port.index);
      this.#rows.set(port, row);
    }
    port.countDrops();
    const { counters } = port;
    row[PORT_RECEIVED_FRAMES] = counters.receivedFrames;
    row[PORT_RECEIVED_BYTES] = counters.receivedBytes;
    row[PORT_RECEIVE_DROPS] = counters.receiveDrops;
    row[PORT_SENT_FRAMES] = counters.sentFrames;
    row[PORT_SENT_BYTES] = counters.sentBytes;
    row[PORT_SEND_DROPS] = counters.sendDrops;
  }
}

function readersOf({ dataplane, engine, loop }: CountingParts): ReadonlyMap<number, () => number> {
  const { recorder, uplinks, errors, conntrack, masquerade } = dataplane;
  const { tcp, any } = conntrack;
  return new Map<number, () => number>([
    [counter.LOOP_IDLE, () => Math.round(loop.idleMs * 1000)],
    [counter.EVENTS_SKIPPED, () => recorder.skipped],
    [counter.DROPS_COUNTED, () => recorder.dropsCounted],
    [counter.L7_RECORDS, () => recorder.access.told],
    [counter.L7_RECORDS_CUT, () => recorder.access.cut],
    [counter.L7_RECORDS_SKIPPED, () => recorder.access.skipped],
    [counter.NEIGHBOR_DROPS, () => uplinks.dropped],
    [counter.GATEWAY4_DROPS, () => uplinks.gateway4Drops],
    [counter.GATEWAY6_DROPS, () => uplinks.gateway6Drops],
    [counter.ICMP_ERRORS_LIMITED, () => errors.limited],
    [counter.CT_EVICTED_IDLE, () => tcp.evictedIdle + any.evictedIdle],
    [counter.CT_EVICTED_OVER, () => tcp.evictedOver + any.evictedOver],
    [counter.CT_EVICTED_WITHIN, () => tcp.evictedWithin + any.evictedWithin],
    [counter.CT_FULL_ENDPOINT, () => tcp.evictedEndpoint || any.evictedEndpoint],
    [counter.MASQUERADE_EXHAUSTED, () => masquerade.exhausted],
    [counter.MASQUERADE_DISPLACED, () => masquerade.displaced],
    ...engine.counters(),
  ]);
}
