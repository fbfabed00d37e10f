/** The panel beside the map: what a card is connected to, or what an edge is made of. */
import { useEffect } from 'preact/hooks';
import { Verdict } from '../controls/verdict.tsx';
import { visible } from '../controls/visible.ts';
import type { Flow } from '../../hubble/flow.ts';
import { hrefOf } from '../shell/location.tsx';
import type { EdgeDetail, Tally } from '../stream/edge-detail.ts';
import { stream } from '../stream/stream.tsx';
import type { Chosen } from './chosen.ts';
import type { MapEdge, MapModel, MapPlace } from './map-model.ts';
import { queryOf } from './query-of.ts';
import { nameOf, rateText, subtitleOf, worstOf } from './wording.ts';

const MOST_EDGES = 60;

interface Props {
  readonly model: MapModel;
  readonly chosen: Chosen;
  readonly choose: (one: MapPlace | MapEdge | undefined) => void;
}

export function Panel({ model, chosen, choose }: Props) {
  const { place, edge } = chosen;
  const one = edge ?? place;
  if (one === undefined) return null;
  const query = queryOf(one);
  return (
    <aside class="panel" aria-label="Details">
      <div class="panel-head">
        <h2>{visible(edge === undefined ? nameOf(place!) : `${nameOf(edge.from)} → ${nameOf(edge.to)}`)}</h2>
        <button type="button" class="quiet" aria-label="Close the details" onClick={() => choose(undefined)}>
          ×
        </button>
      </div>
      {query !== '' && (
        <p class="actions">
          <a class="button" href={hrefOf('flows', { q: query })}>
            Its flows
          </a>
          <a class="button" href={hrefOf('map', { q: query })}>
            Only this
          </a>
        </p>
      )}
      {edge === undefined ? <PlaceDetails place={place!} model={model} choose={choose} /> : <EdgeDetails edge={edge} />}
    </aside>
  );
}

function PlaceDetails({
  place,
  model,
  choose,
}: {
  readonly place: MapPlace;
  readonly model: MapModel;
  readonly choose: Props['choose'];
}) {
  const all = [...model.edges.values()].toSorted((a, b) => b.dropped - a.dropped || b.rate - a.rate);
  const lists = [
    ['Is called by', all.filter(({ to }) => to === place), ({ from }: MapEdge) => from],
    ['Calls', all.filter(({ from }) => from === place), ({ to }: MapEdge) => to],
  ] as const;
  return (
    <>
      <p>{visible(subtitleOf(place))}</p>
      {lists.map(([title, edges, other]) => (
        <section key={title}>
          <h3>
            {title} ({edges.length})
          </h3>
          <ul class="edges">
            {edges.slice(0, MOST_EDGES).map((edge) => (
              <li key={edge.number}>
                <button type="button" class="quiet" onClick={() => choose(edge)}>
                  <span>{visible(nameOf(other(edge)))}</span>
                  <span class="soft">{visible(edge.label)}</span>
                  <Verdict verdict={worstOf(edge)} />
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {place.labels.length > 0 && (
        <section>
          <h3>Labels</h3>
          <ul class="labels">
            {place.labels.slice(0, MOST_EDGES).map((label) => (
              <li key={label} class="mono">
                {visible(label)}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

const NO_DETAIL: EdgeDetail = { ports: [], l7: [], policies: [], reasons: [], last: [] };

function EdgeDetails({ edge }: { readonly edge: MapEdge }) {
  useEffect(() => {
    stream.detailEdges([edge.number]);
    return () => stream.detailEdges([]);
  }, [edge]); // not its number: after another query that is another edge's
  const { ports, l7, policies, reasons, last } = stream.details.value.get(edge.number) ?? NO_DETAIL;
  return (
    <>
      <p>
        <Verdict verdict={worstOf(edge)} /> {rateText(edge.rate)} flows/s; {edge.forwarded} forwarded, {edge.dropped}{' '}
        dropped
        {edge.audit > 0 ? `, ${edge.audit} audited` : ''}
        {edge.error > 0 ? `, ${edge.error} errors` : ''}
      </p>
      <Tallies title="Policies that decided" tallies={policies} />
      <Tallies title="Why dropped" tallies={reasons} />
      <Tallies title="Ports" tallies={ports} />
      <Tallies title="Requests" tallies={l7} hasAnswers />
      <section>
        <h3>Last flows</h3>
        <ul class="last">
          {last.map((flow) => (
            <LastFlow key={flow.uuid} flow={flow} />
          ))}
        </ul>
      </section>
    </>
  );
}

function LastFlow({ flow }: { readonly flow: Flow }) {
  const text = `${flow.time.slice(11, 23)} ${flow.Summary ?? ''}`;
  return (
    <li>
      <Verdict verdict={flow.verdict} />
      {flow.uuid === undefined ? (
        <span>{visible(text)}</span>
      ) : (
        <a href={hrefOf('flows', { flow: flow.uuid })}>{visible(text)}</a>
      )}
    </li>
  );
}

interface TalliesProps {
  readonly title: string;
  readonly tallies: readonly Tally[];
  readonly hasAnswers?: boolean;
}

function Tallies({ title, tallies, hasAnswers = false }: TalliesProps) {
  if (tallies.length === 0) return null;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{title}</th>
          <th scope="col">Forwarded</th>
          <th scope="col">Dropped</th>
          {hasAnswers && <th scope="col">Errors</th>}
          {hasAnswers && <th scope="col">Latency</th>}
        </tr>
      </thead>
      <tbody>
        {tallies.map((tally) => (
          <tr key={tally.key}>
            <td>{visible(tally.key)}</td>
            <td>{tally.forwarded + tally.audit}</td>
            <td>{tally.dropped + tally.error}</td>
            {hasAnswers && <td>{tally.errors}</td>}
            {hasAnswers && <td>{tally.answers === 0 ? '' : `${tally.latencyMs.toFixed(1)} ms`}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
