/** Charts of agent and dataplane, out of their metrics: what passes, what is dropped, how fast, how full, how busy. */
import { route, setParam } from '../shell/location.tsx';
import { visible } from '../controls/visible.ts';
import { Chart } from './chart.tsx';
import { CHARTS } from './figures.ts';
import { KEPT_MS } from './history.ts';
import { failure, points, useSampling } from './sampling.tsx';
import './charts.css';

const MINUTES = [2, 10, 30];

export function ChartsView() {
  useSampling();
  const wanted = Number(route.value.params.get('minutes'));
  const minutes = MINUTES.includes(wanted) ? wanted : 10;
  return (
    <div class="charts">
      <header>
        <h1 class="heard">Charts</h1>
        <div class="actions" role="group" aria-label="Time shown">
          {MINUTES.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === minutes}
              onClick={() => setParam('minutes', String(one), true)}
            >
              {one} minutes
            </button>
          ))}
        </div>
        <p>
          Of the whole agent, every 2 s while this is open; the last {KEPT_MS / 60_000} minutes are kept. Times are UTC.
        </p>
        {failure.value !== '' && (
          <p role="alert" class="failure">
            Nothing new: {visible(failure.value)}. It is asked again every 2 s.
          </p>
        )}
      </header>
      {CHARTS.map((kind) => (
        <Chart key={kind.name} kind={kind} points={points.value} rangeMs={minutes * 60_000} />
      ))}
    </div>
  );
}
