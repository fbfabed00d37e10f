/** The last half hour of every chart: a point every time that the agent was asked, with a hole where it did not answer. */
import { CHARTS, type Figures, type Step } from './figures.ts';
import type { Scrape } from './prometheus-text.ts';

export const KEPT_MS = 30 * 60_000;
const MAX_POINTS = 1000;
/** Between scrapes further apart nobody looked: a rate over them would say nothing about a moment. */
const MAX_STEP_MS = 15_000;

export interface Point {
  readonly timeMs: number;
  /** By the chart's name; nothing where the line is broken. */
  readonly figures: ReadonlyMap<string, Figures>;
}

export class History {
  #points: Point[] = [];
  #before: { readonly timeMs: number; readonly scrape: Scrape } | undefined;

  get points(): readonly Point[] {
    return this.#points;
  }

  add(scrape: Scrape, timeMs: number): void {
    const before = this.#before;
    this.#before = { timeMs, scrape };
    const apartMs = before === undefined ? 0 : timeMs - before.timeMs;
    if (before === undefined || apartMs <= 0 || apartMs > MAX_STEP_MS) {
      this.#put({ timeMs, figures: new Map() });
      return;
    }
    const step: Step = { now: scrape, before: before.scrape, seconds: apartMs / 1000 };
    this.#put({ timeMs, figures: new Map(CHARTS.map(({ name, read }) => [name, read(step)])) });
  }

  /** The agent did not answer. */
  miss(timeMs: number): void {
    this.#put({ timeMs, figures: new Map() });
  }

  #put(point: Point): void {
    const from = point.timeMs - KEPT_MS;
    this.#points = [...this.#points.filter(({ timeMs }) => timeMs >= from), point].slice(-MAX_POINTS);
  }
}

/** A line of a chart: its figures by time, null where it is broken. */
export interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Drawn {
  readonly timesMs: readonly number[];
  readonly lines: readonly Line[];
  readonly top: number;
}

const MAX_DRAWN = 6;

/** Points since `fromMs` of a chart, as the lines that had figures last. */
export function drawnOf(points: readonly Point[], chart: string, fromMs: number): Drawn {
  const shown = points.filter(({ timeMs }) => timeMs >= fromMs);
  const names = new Set<string>();
  for (const { figures } of shown.toReversed())
    for (const name of figures.get(chart)?.keys() ?? []) if (names.size < MAX_DRAWN) names.add(name);
  const lines = [...names].sort().map((name) => ({
    name,
    values: shown.map(({ figures }) => figures.get(chart)?.get(name) ?? null),
  }));
  const top = Math.max(0, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0)));
  return { timesMs: shown.map(({ timeMs }) => timeMs), lines, top: niceTop(top) };
}

/** The end of an axis: 1, 2 or 5 of a power of ten, not below `value`. */
export function niceTop(value: number): number {
  if (!(value > 0) || value === Infinity) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((one) => one * power >= value) ?? 10) * power;
}

/** A path of SVG through a line's points, broken where it is; x and y from 0 to `width` and `height`. */
export function pathOf(
  drawn: Drawn,
  line: Line,
  box: { fromMs: number; rangeMs: number; width: number; height: number },
): string {
  let path = '';
  let isDown = false;
  for (const [index, value] of line.values.entries()) {
    if (value !== null) {
      const x = ((drawn.timesMs[index] - box.fromMs) / box.rangeMs) * box.width;
      const y = box.height - (Math.min(value, drawn.top) / drawn.top) * box.height;
      path += `${isDown ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    }
    isDown = value !== null;
  }
  return path;
}
