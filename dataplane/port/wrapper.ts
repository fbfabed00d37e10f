/** A port around another port, itself doing nothing: what tracing, capture and faults start from. */
import type { Batch } from './arena.ts';
import type { Port, PortCounters } from './port.ts';

export abstract class PortWrapper implements Port {
  readonly index: number;
  readonly kind: string;
  readonly name: string;
  readonly mac: Uint8Array;
  readonly fd: number;
  readonly counters: PortCounters;
  protected readonly inner: Port;

  constructor(inner: Port) {
    this.inner = inner;
    this.index = inner.index;
    this.kind = inner.kind;
    this.name = inner.name;
    this.mac = inner.mac;
    this.fd = inner.fd;
    this.counters = inner.counters;
  }

  get mtu(): number {
    return this.inner.mtu;
  }

  set mtu(value: number) {
    this.inner.mtu = value;
  }

  receive(batch: Batch): number {
    return this.inner.receive(batch);
  }

  queue(offset: number, length: number): void {
    this.inner.queue(offset, length);
  }

  flush(): number {
    return this.inner.flush();
  }

  countDrops(): void {
    this.inner.countDrops();
  }

  close(): void {
    this.inner.close();
  }
}
