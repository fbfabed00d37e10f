/** A chart: lines over time, what each is now, and the newest figures as a table for who cannot see lines. */
import { useState } from 'preact/hooks';
import { visible } from '../controls/visible.ts';
import { type ChartKind, figureText } from './figures.ts';
import { type Drawn, drawnOf, pathOf, type Point } from './history.ts';

const [WIDTH, HEIGHT] = [600, 120];
const TABLE_ROWS = 10;

interface Props {
  readonly kind: ChartKind;
  readonly points: readonly Point[];
  readonly rangeMs: number;
}

export function Chart({ kind, points, rangeMs }: Props) {
  const [at, setAt] = useState(-1);
  const { title, unit, absent } = kind;
  const fromMs = (points.at(-1)?.timeMs ?? 0) - rangeMs;
  const drawn = drawnOf(points, kind.name, fromMs);
  const { lines, timesMs, top } = drawn;
  const index = at >= 0 && at < timesMs.length ? at : timesMs.length - 1;
  const x = ((timesMs[index] - fromMs) / rangeMs) * WIDTH;
  const point = (event: PointerEvent): void => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    const timeMs = fromMs + ((event.clientX - left) / width) * rangeMs;
    const next = timesMs.findIndex((one) => one >= timeMs);
    setAt(next);
  };
  return (
    <section class="chart" aria-label={title}>
      <h2>{title}</h2>
      {lines.length === 0 ? (
        <p class="nothing">
          Nothing to show: {timesMs.length < 2 ? 'the first figures come in some seconds' : absent}.
        </p>
      ) : (
        <>
          <p class="axis" aria-hidden="true">
            {figureText(top, unit)}
          </p>
          <svg
            viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
            preserveAspectRatio="none"
            aria-hidden="true"
            onPointerMove={point}
            onPointerLeave={() => setAt(-1)}
          >
            <path class="grid" d={`M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}`} />
            {lines.map((line, number) => (
              <path
                key={line.name}
                class={`line s${number + 1}`}
                d={pathOf(drawn, line, { fromMs, rangeMs, width: WIDTH, height: HEIGHT })}
              />
            ))}
            {at >= 0 && <path class="cursor" d={`M${x} 0V${HEIGHT}`} />}
          </svg>
          <p class="axis" aria-hidden="true">
            <span>{clock(fromMs)}</span>
            <span>{clock(fromMs + rangeMs)}</span>
          </p>
          <ul class="legend" aria-label={`${title} at ${clock(timesMs[index])}`}>
            {lines.map(({ name, values }, number) => (
              <li key={name}>
                <svg viewBox="0 0 24 8" aria-hidden="true">
                  <path class={`line s${number + 1}`} d="M0 4H24" />
                </svg>
                {visible(name)} <strong>{text(values[index], unit)}</strong>
              </li>
            ))}
          </ul>
          <Newest title={title} unit={unit} drawn={drawn} />
        </>
      )}
    </section>
  );
}

function Newest({
  title,
  unit,
  drawn,
}: {
  readonly title: string;
  readonly unit: ChartKind['unit'];
  readonly drawn: Drawn;
}) {
  const [isOpen, setOpen] = useState(false);
  const { lines, timesMs } = drawn;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Table<span class="heard"> of {title}</span>
      </summary>
      {isOpen && (
        <div class="scroll" tabIndex={0} role="region" aria-label={`Table of ${title}`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {lines.map(({ name }) => (
                  <th key={name} scope="col">
                    {visible(name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {timesMs
                .map((timeMs, index) => (
                  <tr key={timeMs}>
                    <th scope="row">{clock(timeMs)}</th>
                    {lines.map(({ name, values }) => (
                      <td key={name}>{text(values[index], unit)}</td>
                    ))}
                  </tr>
                ))
                .slice(-TABLE_ROWS)
                .reverse()}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

const text = (value: number | null | undefined, unit: ChartKind['unit']) =>
  value === null || value === undefined ? '–' : figureText(value, unit);

const clock = (ms: number) => new Date(ms).toISOString().slice(11, 19);
