/** A range of ports as the few aligned blocks that a longest-prefix table can hold. */

export interface PortBlock {
  /** First port, low bits 0. */
  readonly port: number;
  /** Leading bits that count: 0 (every port) to 16 (one port). */
  readonly prefix: number;
}

/**
 * The minimal set of blocks that make up `first..last`, e.g. 8080..8095 is one block of prefix 12.
 * @param first 0..65535
 * @param last at least `first`
 */
export function portBlocks(first: number, last: number): PortBlock[] {
  const blocks: PortBlock[] = [];
  for (let port = first; port <= last; ) {
    let size = port === 0 ? 65536 : port & -port;
    while (port + size - 1 > last) size /= 2;
    blocks.push({ port, prefix: 16 - Math.log2(size) });
    port += size;
  }
  return blocks;
}

/** The prefix of the one block of `first..last` that a port of it lies in, e.g. 12 for 8085 in 8080..8095. */
export function blockPrefix(port: number, first: number, last: number): number {
  for (let prefix = 0; ; prefix++) {
    const size = 2 ** (16 - prefix);
    const start = port - (port % size);
    if (first <= start && start + size - 1 <= last) return prefix;
  }
}
