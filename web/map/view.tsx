/** The service map: its canvas, the same as a table, and the details of what is chosen. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Empty } from '../controls/empty.tsx';
import { visible } from '../controls/visible.ts';
import { type Key, useKeys } from '../shell/keyboard.tsx';
import { queryText, route, setParam } from '../shell/location.tsx';
import { theme } from '../shell/theme.tsx';
import { stream } from '../stream/stream.tsx';
import { Chart } from './chart.tsx';
import { focusOf } from './chosen.ts';
import { EdgeList } from './edge-list.tsx';
import { listen } from './gestures.tsx';
import type { MapEdge, MapPlace } from './map-model.ts';
import { Panel } from './panel.tsx';
import { nameOf, rateText } from './wording.ts';
import './map.css';

const chart = new Chart();
/** Counts changes of what is there, and, a second apart at least, of figures: what the elements around the canvas are made of. */
const version = signal(0);
const FIGURES_MS = 1000;
let shownMs = 0;

function choose(one: MapPlace | MapEdge | undefined | null): void {
  setParam('focus', one == null ? '' : focusOf(one), true);
}

const isList = () => route.value.params.get('as') === 'list';
const KEYS: readonly Key[] = [
  { key: 'a', does: 'arrange the map anew', run: () => chart.arrange() },
  { key: '0', does: 'show the whole map', run: () => chart.fit() },
  { key: 'f', does: 'find a card', run: () => document.getElementById('find-card')?.focus() },
  {
    key: 'l',
    does: 'show the map as a list, or the list as a map',
    run: () => setParam('as', isList() ? '' : 'list', true),
  },
];

export function MapView() {
  useKeys(KEYS);
  useEffect(
    () =>
      stream.hearMap((changes) => {
        const isOther = chart.apply(changes);
        if (!isOther && performance.now() - shownMs < FIGURES_MS) return;
        shownMs = performance.now();
        version.value++;
      }),
    [],
  );
  const focus = route.value.params.get('focus') ?? '';
  // Not in an effect: what is rendered now shows what is chosen now.
  chart.setFocus(focus);
  if (version.value === 0 || chart.model.edges.size === 0) return <NoTraffic />;
  return (
    <div class="map">
      <Toolbar />
      <div class="map-body">
        {isList() ? <EdgeList edges={[...chart.model.edges.values()]} onChoose={choose} /> : <Canvas />}
        <Panel model={chart.model} chosen={chart.chosen} choose={choose} />
      </div>
    </div>
  );
}

function NoTraffic() {
  const { state, problem } = stream.link.value;
  if (state === 'refused') return <Empty title="The agent refuses this query" text={problem} />;
  if (state !== 'live') return <Empty title="No traffic yet" text="The page is connecting to the agent." />;
  if (queryText.value === '')
    return (
      <Empty title="No traffic yet" text="Cards appear as soon as a pod sends something, or something is sent to it." />
    );
  return (
    <Empty title="No traffic that the query wants" text="Nothing of what the agent has seen matches the query.">
      <button type="button" onClick={() => setParam('q', '')}>
        Take the query away
      </button>
    </Empty>
  );
}

function Toolbar() {
  const { rate, lost } = stream.table.value;
  const { places, edges } = chart.model;
  return (
    <div class="toolbar" role="toolbar" aria-label="Map">
      <Find />
      <button type="button" onClick={() => chart.arrange()}>
        Arrange
      </button>
      <button type="button" onClick={() => chart.fit()}>
        Whole map
      </button>
      <button type="button" aria-pressed={isList()} onClick={() => setParam('as', isList() ? '' : 'list', true)}>
        List
      </button>
      <span class="soft">
        {places.size} cards, {edges.size} connections, {rateText(rate)} flows/s
        {lost > 0 ? `, ${lost} flows lost` : ''}
      </span>
    </div>
  );
}

const MOST_FOUND = 50;

/** Finds a card by any part of its name or of a label. */
function Find() {
  const find = (text: string) => {
    const wanted = text.trim().toLowerCase();
    if (wanted === '') return;
    const places = [...chart.model.places.values()];
    const found =
      places.find((place) => nameOf(place).toLowerCase() === wanted) ??
      places.find((place) => nameOf(place).toLowerCase().includes(wanted)) ??
      places.find(({ labels }) => labels.some((label) => label.toLowerCase().includes(wanted)));
    if (found === undefined) return;
    choose(found);
    chart.reveal(found);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        find(new FormData(event.currentTarget).get('find') as string);
      }}
    >
      <input id="find-card" name="find" type="search" list="cards" aria-label="Find a card" placeholder="Find a card" />
      <datalist id="cards">
        {[...chart.model.places.values()].slice(0, MOST_FOUND).map((place) => (
          <option key={place.number} value={visible(nameOf(place))} />
        ))}
      </datalist>
    </form>
  );
}

function Canvas() {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current!;
    chart.show(canvas);
    const size = new ResizeObserver(() => chart.resize(canvas.clientWidth, canvas.clientHeight));
    size.observe(canvas);
    const stopListening = listen(canvas, chart.camera, {
      moved: () => chart.touched(),
      clicked: (x, y) => choose(chart.at(x, y)),
    });
    const stopTheme = theme.subscribe(() => chart.repaint(canvas));
    const scheme = window.matchMedia('(prefers-color-scheme: dark)');
    const repaint = () => chart.repaint(canvas);
    scheme.addEventListener('change', repaint);
    return () => {
      size.disconnect();
      stopListening();
      stopTheme();
      scheme.removeEventListener('change', repaint);
      chart.hide();
    };
  }, []);
  return (
    <canvas
      ref={ref}
      tabIndex={0}
      role="application"
      aria-label="Service map: arrow keys go from card to card, plus and minus zoom; the List button shows it as a table"
      onKeyDown={(event) => {
        const next = chart.key(event.key);
        if (next === undefined) return;
        event.preventDefault();
        if (next === chart.chosen.place) return;
        choose(next);
        if (next !== null) chart.reveal(next);
      }}
    />
  );
}
