/** Where bytes lie when others were taken away and put in, beside a plain list. */
import t from 'tap';
import { draws } from '../../test/stream/tcp-rig.ts';
import { PositionMap } from './position-map.ts';

interface Span {
  readonly in: number;
  readonly out: number;
  bytes: number;
}

/** A plain list. */
class Reference {
  spans: Span[];

  constructor(first: number, firstOut: number) {
    this.spans = [{ in: first, out: firstOut, bytes: Number.POSITIVE_INFINITY }];
  }

  edit(at: number, nextIn: number, nextOut: number): void {
    const last = this.spans[this.spans.length - 1];
    last.bytes = at - last.in;
    if (last.bytes <= 0) this.spans.pop();
    this.spans.push({ in: nextIn, out: nextOut, bytes: Number.POSITIVE_INFINITY });
  }

  prune(una: number): void {
    while (this.spans.length > 1 && this.spans[1].out <= una) this.spans.shift();
  }

  toOut(position: number): number {
    const span = this.spans.findLast((one) => one.in <= position) ?? this.spans[0];
    return span.out + Math.max(0, Math.min(position - span.in, span.bytes));
  }

  toIn(position: number): number {
    const span = this.spans.findLast((one) => one.out <= position) ?? this.spans[0];
    return span.in + Math.max(0, Math.min(position - span.out, span.bytes));
  }
}

t.test('positions are those of a plain list, however many edits come and go', (t) => {
  const draw = draws(7);
  const wrong: string[] = [];
  for (let run = 0; run < 300; run++) {
    const base = 1000;
    const map = new PositionMap();
    map.begin(base, base);
    const reference = new Reference(base, base);
    let [nextIn, nextOut, una] = [base, base, base];
    for (let step = 0; step < 200; step++) {
      const bytes = 1 + draw(50);
      const choice = draw(8);
      const isDrop = choice === 4;
      if (choice < 4) {
        nextIn += bytes;
        nextOut += bytes;
      } else if (choice < 6 && reference.spans.length < 60) {
        const [afterIn, afterOut] = isDrop ? [nextIn + bytes, nextOut] : [nextIn, nextOut + bytes];
        reference.edit(nextIn, afterIn, afterOut);
        if (!map.edit(nextIn, afterIn, afterOut)) wrong.push(`${run} ${step}: full`);
        [nextIn, nextOut] = [afterIn, afterOut];
      } else {
        una += draw(nextOut - una + 1);
        map.prune(una);
        reference.prune(una);
      }
      const isShifted = reference.spans.length > 1 || nextIn !== nextOut;
      if (map.isShifted !== isShifted) wrong.push(`${run} ${step}: shifted`);
      if (!isShifted) continue;
      const position = base + draw(nextIn - base + 1);
      if (map.toOut(position) !== reference.toOut(position)) wrong.push(`${run} ${step}: out of ${position}`);
      const acked = base + draw(nextOut - base + 1);
      if (map.toIn(acked) !== reference.toIn(acked)) wrong.push(`${run} ${step}: in of ${acked}`);
    }
  }
  t.strictSame(wrong.slice(0, 5), []);
  t.end();
});

t.test('sequence numbers go round', (t) => {
  const map = new PositionMap();
  map.begin(0x7ffffff0 | 0, 0x7ffffff0 | 0);
  t.ok(map.edit(0x7ffffff8 | 0, 0x80000008 | 0, 0x7ffffff8 | 0));
  t.equal(map.toOut(0x80000018 | 0), 0x80000008 | 0);
  t.equal(map.toIn(0x7ffffff4 | 0), 0x7ffffff4 | 0);
  t.equal(map.toIn(0x7ffffff8 | 0), 0x80000008 | 0, 'what was taken away is acknowledged with what is before it');
  t.end();
});

t.test('edits have a limit, and a map that has none left takes others over clean', (t) => {
  const first = new PositionMap();
  first.begin(0, 0);
  let edits = 0;
  while (first.edit(edits * 10 + 10, edits * 10 + 10, edits * 11 + 11)) edits++;
  t.equal(edits, 63);
  t.ok(first.isCrowded);
  first.begin(5, 5);
  t.notOk(first.isShifted);
  t.notOk(first.isCrowded);
  const second = new PositionMap();
  second.begin(100, 100);
  t.ok(second.edit(110, 120, 110));
  t.equal(second.toOut(105), 105);
  t.equal(second.toOut(115), 110, 'inside what was taken away');
  t.equal(second.toOut(125), 115);
  t.equal(first.toOut(105), 105);
  t.end();
});
