/** Metrics as Prometheus' text format has them: `name{label="value"} 12`, a line each. What is no sample is passed over. */

const MAX_SAMPLES = 20_000;

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples by the name of their metric. */
export type Scrape = ReadonlyMap<string, readonly Sample[]>;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? +(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n' };

export function parseMetrics(text: string): Scrape {
  const found = new Map<string, Sample[]>();
  let count = 0;
  for (const line of text.split('\n')) {
    const [, name, inner = '', number] = LINE.exec(line) ?? [];
    const value = Number(number?.replace(/^([+-]?)Inf$/, '$1Infinity'));
    if (name === undefined || (Number.isNaN(value) && number !== 'NaN')) continue;
    if (++count > MAX_SAMPLES) break;
    const labels = Object.fromEntries(
      [...inner.matchAll(LABEL)].map(([, key, raw]) => [
        key,
        raw.replace(/\\(.)/g, (_, one: string) => ESCAPES[one] ?? one),
      ]),
    );
    const samples = found.get(name) ?? [];
    found.set(name, samples);
    samples.push({ labels, value });
  }
  return found;
}
