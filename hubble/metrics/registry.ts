/**
 * Metrics as Prometheus reads them: families of series in a registry, rendered as Prometheus text (0.0.4) or OpenMetrics (1.0.0).
 *
 *     Counter, Histogram   counted here, by label values        --+
 *                                                                 +--> Registry.render(format)
 *     Read                 asked at each scrape                  --+
 *
 * What is counted is bounded: a family has SERIES_LIMIT series at most. Label values come from traffic (methods, names), so the
 * limit will be met. Then series that nobody has touched for STALE_MS make room; if none has, the event is counted under
 * OVERFLOW in every label, so that sums stay true. A value of more than VALUE_LIMIT characters is cut.
 */

/** The text formats. */
export type Format = 'prometheus' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** The value of every label of the series that stands for those without room. */
const OVERFLOW = 'other';

const SERIES_LIMIT = 2000;
const STALE_MS = 15 * 60_000;
const SWEEP_MS = 30_000;
const VALUE_LIMIT = 256;
const LONE_SURROGATE = /\p{Surrogate}/gu;
/** Bounds of buckets, in seconds: those of client_golang, which Hubble uses. */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** Name, help text and label names of a family. Names of counters end in `_total`. */
export interface FamilyText {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** One number of a family that is asked: the values of its labels, in their order. */
export type Reading = readonly [values: readonly string[], value: number];

interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  readonly atMs: number;
}

/** A family of series. */
export interface Family {
  readonly name: string;
  /** Lines of the family, each with its end. */
  render(format: Format): string;
}

/** Series of one family by the values of their labels. */
class SeriesTable<Row extends { touchedMs: number }> {
  readonly #rows = new Map<string, { readonly values: readonly string[]; readonly row: Row }>();
  readonly #labels: number;
  readonly #limit: number;
  readonly #make: () => Row;
  #sweptMs = Number.NEGATIVE_INFINITY;

  constructor(labels: number, limit: number, make: () => Row) {
    this.#labels = labels;
    this.#limit = limit;
    this.#make = make;
  }

  /** The series of these values, made if there is room, else the one of what has no room. */
  row(values: readonly string[], nowMs: number): Row {
    const key = values.length === 1 ? values[0] : values.join('\0');
    const found = this.#rows.get(key)?.row ?? this.#add(key, values, nowMs);
    found.touchedMs = nowMs;
    return found;
  }

  *[Symbol.iterator](): IterableIterator<{ readonly values: readonly string[]; readonly row: Row }> {
    yield* this.#rows.values();
  }

  #add(key: string, values: readonly string[], nowMs: number): Row {
    if (this.#rows.size >= this.#limit) this.#sweep(nowMs);
    const isFull = this.#rows.size >= this.#limit;
    const kept = isFull ? Array<string>(this.#labels).fill(OVERFLOW) : values;
    const at = isFull ? kept.join('\0') : key;
    const row = this.#rows.get(at)?.row ?? this.#make();
    this.#rows.set(at, { values: kept, row });
    return row;
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    for (const [key, { row }] of this.#rows) if (nowMs - row.touchedMs > STALE_MS) this.#rows.delete(key);
  }
}

/** What only grows. */
export class Counter implements Family {
  readonly name: string;
  readonly #text: FamilyText;
  readonly #series: SeriesTable<{ touchedMs: number; count: number }>;
  readonly #nowMs: () => number;

  /** @param nowMs any steady clock */
  constructor(text: FamilyText, nowMs: () => number, limit = SERIES_LIMIT) {
    this.name = text.name;
    this.#text = text;
    this.#nowMs = nowMs;
    this.#series = new SeriesTable(text.labels?.length ?? 0, limit, () => ({ touchedMs: 0, count: 0 }));
  }

  /** @param values of the labels, in their order */
  add(values: readonly string[] = [], amount = 1): void {
    this.#series.row(values, this.#nowMs()).count += amount;
  }

  render(format: Format): string {
    const { name, labels = [] } = this.#text;
    let lines = head(this.#text, 'counter', format);
    for (const { values, row } of this.#series) lines += `${name}${labelText(labels, values)} ${row.count}\n`;
    return lines;
  }
}

interface HistogramRow {
  touchedMs: number;
  sum: number;
  /** Not cumulative; the last is above all bounds. */
  readonly counts: number[];
  readonly exemplars: (Exemplar | undefined)[];
}

/** How long things took, in seconds. */
export class Histogram implements Family {
  readonly name: string;
  readonly #text: FamilyText;
  readonly #bounds: readonly number[];
  readonly #series: SeriesTable<HistogramRow>;
  readonly #nowMs: () => number;

  constructor(text: FamilyText, nowMs: () => number, bounds: readonly number[] = DURATION_BOUNDS, limit = 500) {
    this.name = text.name;
    this.#text = text;
    this.#nowMs = nowMs;
    this.#bounds = bounds;
    this.#series = new SeriesTable(text.labels?.length ?? 0, limit, () => ({
      touchedMs: 0,
      sum: 0,
      counts: Array<number>(bounds.length + 1).fill(0),
      exemplars: [],
    }));
  }

  /** @param traceId of the request that took so long, told as an exemplar in OpenMetrics @param atMs when, since 1970 */
  observe(values: readonly string[], seconds: number, traceId = '', atMs = 0): void {
    const row = this.#series.row(values, this.#nowMs());
    const found = this.#bounds.findIndex((bound) => seconds <= bound);
    const bucket = found < 0 ? this.#bounds.length : found;
    row.counts[bucket]++;
    row.sum += seconds;
    if (traceId !== '') row.exemplars[bucket] = { traceId, value: seconds, atMs };
  }

  render(format: Format): string {
    let lines = head(this.#text, 'histogram', format);
    for (const { values, row } of this.#series) lines += this.#seriesLines(values, row, format);
    return lines;
  }

  #seriesLines(values: readonly string[], { counts, exemplars, sum }: HistogramRow, format: Format): string {
    const { name, labels = [] } = this.#text;
    let lines = '';
    let total = 0;
    for (const [bucket, count] of counts.entries()) {
      total += count;
      const bound = bucket < this.#bounds.length ? boundText(this.#bounds[bucket], format) : '+Inf';
      const exemplar = exemplars[bucket];
      const told = format === 'openmetrics' && exemplar !== undefined ? exemplarText(exemplar) : '';
      lines += `${name}_bucket${labelText([...labels, 'le'], [...values, bound])} ${total}${told}\n`;
    }
    const own = labelText(labels, values);
    return `${lines}${name}_sum${own} ${sum}\n${name}_count${own} ${total}\n`;
  }
}

/** What is known elsewhere and asked at each scrape. */
export class Read implements Family {
  readonly name: string;
  readonly #text: FamilyText;
  readonly #kind: 'counter' | 'gauge';
  readonly #read: () => Iterable<Reading>;

  constructor(text: FamilyText, kind: 'counter' | 'gauge', read: () => Iterable<Reading>) {
    this.name = text.name;
    this.#text = text;
    this.#kind = kind;
    this.#read = read;
  }

  render(format: Format): string {
    const { name, labels = [] } = this.#text;
    let lines = head(this.#text, this.#kind, format);
    for (const [values, value] of this.#read()) lines += `${name}${labelText(labels, values)} ${numberText(value)}\n`;
    return lines;
  }
}

/** All families that one address serves. */
export class Registry {
  readonly #families = new Map<string, Family>();

  /** @throws RangeError when there is a family of that name */
  add<F extends Family>(family: F): F {
    if (this.#families.has(family.name)) throw new RangeError(`metric ${family.name}: there are two of that name`);
    this.#families.set(family.name, family);
    return family;
  }

  /** All families in the order in which they were added. */
  render(format: Format): string {
    let text = '';
    for (const family of this.#families.values()) text += family.render(format);
    return format === 'openmetrics' ? `${text}# EOF\n` : text;
  }
}

/** The format that an Accept header asks for. */
export function formatOf(accept: string | undefined): Format {
  return accept?.includes('application/openmetrics-text') === true ? 'openmetrics' : 'prometheus';
}

function head({ name, help }: FamilyText, kind: string, format: Format): string {
  const family = format === 'openmetrics' && kind === 'counter' ? name.replace(/_total$/, '') : name;
  return `# HELP ${family} ${escape(help, format === 'openmetrics')}\n# TYPE ${family} ${kind}\n`;
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  return `{${names.map((name, index) => `${name}="${escape(cut(values[index]), true)}"`).join(',')}}`;
}

/** Lone halves of surrogate pairs are no UTF-8: they become U+FFFD. */
function cut(value: string): string {
  return (value.length > VALUE_LIMIT ? `${value.slice(0, VALUE_LIMIT - 1)}…` : value).replace(LONE_SURROGATE, '\ufffd');
}

function escape(text: string, withQuotes: boolean): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return withQuotes ? escaped.replaceAll('"', '\\"') : escaped;
}

function exemplarText({ traceId, value, atMs }: Exemplar): string {
  return ` # {trace_id="${escape(cut(traceId).slice(0, 64), true)}"} ${value} ${(atMs / 1000).toFixed(3)}`;
}

/** OpenMetrics wants whole numbers with a decimal point. */
function boundText(bound: number, format: Format): string {
  return format === 'openmetrics' && Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
