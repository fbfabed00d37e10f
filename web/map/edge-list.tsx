/** The map as a table: what a screen reader reads, and who wants to sort by eye. */
import { Verdict } from '../controls/verdict.tsx';
import { visible } from '../controls/visible.ts';
import type { MapEdge } from './map-model.ts';
import { nameOf, rateText, worstOf } from './wording.ts';

const MOST_ROWS = 500;

interface Props {
  readonly edges: readonly MapEdge[];
  readonly onChoose: (edge: MapEdge) => void;
}

export function EdgeList({ edges, onChoose }: Props) {
  const busiest = edges.toSorted((a, b) => b.dropped - a.dropped || b.rate - a.rate || b.lastMs - a.lastMs);
  return (
    <div class="edge-list">
      <table>
        <caption>
          {edges.length} connections between workloads, those with drops first
          {edges.length > MOST_ROWS ? `; the first ${MOST_ROWS} are shown: narrow the query to see the others` : ''}
        </caption>
        <thead>
          <tr>
            <th scope="col">Details</th>
            <th scope="col">From</th>
            <th scope="col">To</th>
            <th scope="col">Ports</th>
            <th scope="col">Verdict</th>
            <th scope="col">Flows/s</th>
            <th scope="col">Forwarded</th>
            <th scope="col">Dropped</th>
          </tr>
        </thead>
        <tbody>
          {busiest.slice(0, MOST_ROWS).map((edge) => (
            <tr key={edge.number}>
              <td>
                <button type="button" class="quiet" onClick={() => onChoose(edge)}>
                  Show<span class="heard"> {visible(`${nameOf(edge.from)} to ${nameOf(edge.to)}`)}</span>
                </button>
              </td>
              <td>{visible(nameOf(edge.from))}</td>
              <td>{visible(nameOf(edge.to))}</td>
              <td>{visible(edge.label)}</td>
              <td>
                <Verdict verdict={worstOf(edge)} />
              </td>
              <td>{rateText(edge.rate)}</td>
              <td>{edge.forwarded}</td>
              <td>{edge.dropped}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
