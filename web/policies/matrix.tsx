/** Who may reach whom on which port, as the policies in force have it; a cell is explained when it is chosen. */
import { signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Cell, MatrixRow } from '../../explain/matrix/matrix.ts';
import { Empty } from '../controls/empty.tsx';
import { visible } from '../controls/visible.ts';
import { agent } from '../shell/agent.ts';
import { route, setParam } from '../shell/location.tsx';
import { CellDetail } from './cell-detail.tsx';
import { type Column, type Grid, gridOf } from './matrix-grid.ts';
import { known, messageOf } from './store.tsx';

/** Of more pods a namespace is chosen first: the judge asks itself about every pair. */
const MAX_PODS_AT_ONCE = 60;
const BY = ['workload', 'pod', 'identity'] as const;

interface Answer {
  readonly rows: readonly MatrixRow[];
  readonly notes: readonly string[];
  readonly failure: string;
}

const answer = signal<Answer | undefined>(undefined);
const chosen = signal<{ readonly from: string; readonly column: Column } | undefined>(undefined);

const param = (name: string) => route.value.params.get(name) ?? '';

export function Matrix() {
  const { namespaces, pods, policies, failure } = known.value;
  const wanted = param('namespace');
  const namespace =
    wanted === '' && pods.length > MAX_PODS_AT_ONCE ? (namespaces[0] ?? '') : wanted === '*' ? '' : wanted;
  const by = BY.find((one) => one === param('by')) ?? 'workload';
  const ports = param('port');
  const state = policies === undefined ? '' : JSON.stringify([policies, pods]);
  useEffect(() => {
    if (state === '') return;
    const gone = new AbortController();
    void ask({ namespace, by, ports }, gone.signal);
    return () => gone.abort();
  }, [namespace, by, ports, state]);
  if (policies === undefined)
    return failure === '' ? (
      <p class="loading">Asking the agent…</p>
    ) : (
      <Empty title="Policies are not known" text={failure} />
    );
  return (
    <div class="matrix">
      <div class="finding">
        <label>
          Namespace{' '}
          <select
            value={namespace === '' ? '*' : namespace}
            onChange={(event) => setParam('namespace', event.currentTarget.value, true)}
          >
            <option value="*">all</option>
            {namespaces.map((one) => (
              <option key={one} value={one}>
                {visible(one)}
              </option>
            ))}
          </select>
        </label>
        <label>
          By{' '}
          <select value={by} onChange={(event) => setParam('by', event.currentTarget.value, true)}>
            {BY.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <label>
          Ports{' '}
          <input
            type="text"
            placeholder="as declared; 80, 53/UDP"
            spellcheck={false}
            value={param('port')}
            onChange={(event) => setParam('port', event.currentTarget.value, true)}
          />
        </label>
        <Legend />
      </div>
      <Answered />
      {chosen.value !== undefined && (
        <CellDetail {...chosen.value} pods={pods} onClose={() => (chosen.value = undefined)} />
      )}
    </div>
  );
}

interface Asked {
  readonly namespace: string;
  readonly by: string;
  /** Parted by commas or spaces; with ports the world and the host are destinations too. */
  readonly ports: string;
}

async function ask({ namespace, by, ports }: Asked, gone: AbortSignal): Promise<void> {
  const port = ports.split(/[\s,]+/).filter((one) => one !== '');
  const question = { by, entity: ['world', 'host'], port, ...(namespace === '' ? {} : { namespace }) };
  try {
    const { rows, notes } = await agent.judge('matrix', question, { signal: gone });
    answer.value = { rows, notes, failure: '' };
  } catch (error) {
    if (gone.aborted) return;
    answer.value = { rows: [], notes: [], failure: messageOf(error) };
  }
}

function Answered() {
  const { value } = answer;
  const grid = useMemo(() => gridOf(value?.rows ?? []), [value]);
  if (value === undefined) return <p class="loading">The judge is asked…</p>;
  if (value.failure !== '') return <Empty title="No matrix" text={value.failure} />;
  if (value.rows.length === 0)
    return <Empty title="Nobody here" text="There are no pods: the matrix appears with them." />;
  return (
    <>
      {grid.left > 0 && <p class="note">{grid.left} more sources: choose a namespace.</p>}
      <Table grid={grid} />
      {value.notes.map((note) => (
        <p key={note} class="note">
          {visible(note)}
        </p>
      ))}
    </>
  );
}

const CELLS: Readonly<Record<Cell, readonly [shape: string, word: string]>> = {
  allow: ['✓', 'allowed'],
  l7: ['◑', 'some requests'],
  deny: ['✕', 'denied'],
  mixed: ['±', 'some pods'],
};

function Legend() {
  return (
    <ul class="legend" aria-label="Legend">
      {Object.entries(CELLS).map(([cell, [shape, word]]) => (
        <li key={cell} class={`cell ${cell}`}>
          <span aria-hidden="true">{shape}</span> {word}
        </li>
      ))}
    </ul>
  );
}

function Table({ grid }: { readonly grid: Grid }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Matrix">
      <table onKeyDown={moveFocus}>
        <caption class="heard">Sources in rows, destinations with their ports in columns</caption>
        <thead>
          <tr>
            <th rowSpan={2} scope="col">
              From
            </th>
            {grid.destinations.map(({ to, columns }) => (
              <th key={to} colSpan={columns.length} scope="colgroup" class="to">
                {visible(to)}
              </th>
            ))}
          </tr>
          <tr>
            {grid.columns.map((column) => (
              <th key={`${column.to} ${portText(column)}`} scope="col">
                {visible(portText(column))}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {grid.sources.map((from) => (
            <tr key={from}>
              <th scope="row">{visible(from)}</th>
              {grid.columns.map((column) => (
                <CellButton
                  key={`${column.to} ${portText(column)}`}
                  from={from}
                  column={column}
                  cell={grid.cell(from, column)}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const portText = ({ port, protocol }: Column) => `${port}/${protocol}`;

interface CellProps {
  readonly from: string;
  readonly column: Column;
  readonly cell: Cell | undefined;
}

function CellButton({ from, column, cell }: CellProps) {
  if (cell === undefined) return <td />;
  const [shape, word] = CELLS[cell];
  const { value } = chosen;
  const isChosen = value?.from === from && value.column.to === column.to && portText(value.column) === portText(column);
  return (
    <td>
      <button
        type="button"
        class={`cell ${cell}`}
        aria-pressed={isChosen}
        aria-label={visible(`${from} to ${column.to}, ${portText(column)}: ${word}`)}
        title={word}
        onClick={() => (chosen.value = { from, column })}
      >
        <span aria-hidden="true">{shape}</span>
      </button>
    </td>
  );
}

const MOVES: Readonly<Record<string, readonly [down: number, right: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Arrows go from cell to cell. */
function moveFocus(event: KeyboardEvent): void {
  const move = MOVES[event.key];
  const cell = (event.target as HTMLElement).closest('td');
  const row = cell?.parentElement;
  if (move === undefined || cell === null || !(row instanceof HTMLTableRowElement)) return;
  const body = row.parentElement as HTMLTableSectionElement;
  const next = body.rows[row.sectionRowIndex + move[0]]?.cells[cell.cellIndex + move[1]]?.querySelector('button');
  if (next === null || next === undefined) return;
  event.preventDefault();
  next.focus();
}
