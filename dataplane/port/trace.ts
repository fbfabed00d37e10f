/** A wrapper that tells a listener one line for each frame, for finding out what a port really sees. */
import { u16 } from '../../wire/bytes.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import type { Arena, Batch } from './arena.ts';
import type { Port } from './port.ts';
import { PortWrapper } from './wrapper.ts';

const GSO_NAMES: Record<number, string> = { 1: 'tso4', 3: 'ufo', 4: 'tso6', 5: 'uso' };

function mac(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.subarray(at, at + 6))
    .toString('hex', 0, 6)
    .replace(/..(?!$)/g, '$&:');
}

/** `in red 66 aa:aa:aa:aa:aa:aa > bb:bb:bb:bb:bb:bb 0x0800 undone-checksum tso4 1448` */
function describeFrame(direction: string, name: string, bytes: Uint8Array, offset: number, length: number): string {
  if (length < 14) return `${direction} ${name} ${length} runt`;
  const type = u16(bytes, offset + 12)
    .toString(16)
    .padStart(4, '0');
  let line = `${direction} ${name} ${length} ${mac(bytes, offset + 6)} > ${mac(bytes, offset)} 0x${type}`;
  if (vnet.flags(bytes, offset) & vnet.FLAG_NEEDS_CSUM) line += ' undone-checksum';
  const gso = vnet.gsoType(bytes, offset) & ~vnet.GSO_ECN;
  return gso === vnet.GSO_NONE ? line : `${line} ${GSO_NAMES[gso] ?? `gso-${gso}`} ${vnet.gsoSize(bytes, offset)}`;
}

export class TracePort extends PortWrapper {
  readonly #arena: Arena;
  readonly #onLine: (line: string) => void;

  constructor(inner: Port, arena: Arena, onLine: (line: string) => void) {
    super(inner);
    this.#arena = arena;
    this.#onLine = onLine;
  }

  override receive(batch: Batch): number {
    const at = batch.count;
    const got = this.inner.receive(batch);
    for (let i = at; i < batch.count; i++) {
      this.#onLine(describeFrame('in', this.name, batch.arena.bytes, batch.offsets[i], batch.lengths[i]));
    }
    return got;
  }

  override queue(offset: number, length: number): void {
    this.#onLine(describeFrame('out', this.name, this.#arena.bytes, offset, length));
    this.inner.queue(offset, length);
  }
}
