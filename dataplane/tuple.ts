/** Two ends, as a frame has them: for lookups of what a frame was, or will be. Used again and again; nothing is allocated. */
import type { TupleFields } from '../policy-maps/conntrack-map.ts';
import type { FragmentFields } from '../policy-maps/fragment-map.ts';

export class Tuple implements FragmentFields {
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;
  srcPort = 0;
  dstPort = 0;
  protocol = 0;
  fragmentId = 0;

  copy(f: TupleFields): void {
    this.src0 = f.src0;
    this.src1 = f.src1;
    this.src2 = f.src2;
    this.src3 = f.src3;
    this.dst0 = f.dst0;
    this.dst1 = f.dst1;
    this.dst2 = f.dst2;
    this.dst3 = f.dst3;
    this.srcPort = f.srcPort;
    this.dstPort = f.dstPort;
    this.protocol = f.protocol;
  }

  /** The way back. */
  copyTurned(f: TupleFields): void {
    this.src0 = f.dst0;
    this.src1 = f.dst1;
    this.src2 = f.dst2;
    this.src3 = f.dst3;
    this.dst0 = f.src0;
    this.dst1 = f.src1;
    this.dst2 = f.src2;
    this.dst3 = f.src3;
    this.srcPort = f.dstPort;
    this.dstPort = f.srcPort;
    this.protocol = f.protocol;
  }

  /** @param words an address, from `at` on */
  setDestination(words: Int32Array, at: number, port: number): void {
    this.dst0 = words[at];
    this.dst1 = words[at + 1];
    this.dst2 = words[at + 2];
    this.dst3 = words[at + 3];
    this.dstPort = port;
  }
}
