/** What a counter of counters.ts is, and how a row of that table is written. */

/** Numbers are below this. */
export const COUNTER_WORDS = 1024;

export interface Counter {
  readonly number: number;
  /** As Prometheus has it, without `sluice_` and `_total`. */
  readonly name: string;
  /** Apart by these, counters of one name add up. */
  readonly labels: Readonly<Record<string, string>>;
  readonly unit:
    | 'bytes'
    | 'connections'
    | 'endpoint'
    | 'events'
    | 'frames'
    | 'messages'
    | 'records'
    | 'segments'
    | 'us';
  /** It can fall. */
  readonly isGauge: boolean;
  /** What one of it is, for operators. */
  readonly meaning: string;
}

const table = new Map<number, Counter>();

type Labels = Readonly<Record<string, string>>;

/** One that only grows. @returns its number */
export function counter(
  number: number,
  name: string,
  unit: Counter['unit'],
  meaning: string,
  labels: Labels = {},
): number {
  return define({ number, name, labels, unit, isGauge: false, meaning });
}

/** One that can fall. @returns its number */
export function gauge(number: number, name: string, unit: Counter['unit'], meaning: string): number {
  return define({ number, name, labels: {}, unit, isGauge: true, meaning });
}

function define(row: Counter): number {
  if (table.has(row.number) || row.number >= COUNTER_WORDS) throw new RangeError(`counter ${row.number}: taken`);
  table.set(row.number, row);
  return row.number;
}

/** All that were written so far. */
export function defined(): Iterable<Counter> {
  return table.values();
}

/** `http_requests{verdict="denied"}` */
export function counterText({ name, labels }: Pick<Counter, 'name' | 'labels'>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}
