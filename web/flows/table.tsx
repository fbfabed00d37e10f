/**
 * The table itself: a grid of which only the rows in sight exist. The grid has the focus, and says which row is the active one; on narrow screens
 * each row is a card of the same cells.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Flow } from '../../hubble/flow.ts';
import { Verdict } from '../controls/verdict.tsx';
import { visible } from '../controls/visible.ts';
import { type Column, COLUMNS } from './cells.ts';
import { shownColumns } from './columns.tsx';
import { close, open, opened } from './opened.tsx';
import { drawnOf, keyAt, placeOf, type RowKey } from './row-order.ts';
import {
  fetchRows,
  flowOf,
  follow,
  hold,
  isFollowing,
  lookBack,
  olderState,
  rowCount,
  span,
  turnOrder,
} from './rows.tsx';

const ROW_PX = 28;
const CARD_PX = 108;
const LOOK_BACK_MS = 400;
const NARROW = window.matchMedia('(max-width: 700px)');
const CARD_COLUMNS = ['verdict', 'time', 'source', 'destination', 'port', 'l7', 'reason', 'policy'];

export function FlowsTable() {
  const grid = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  const isNarrow = useSignal(NARROW.matches);
  const active = useSignal<RowKey | undefined>(undefined);
  const rowPx = isNarrow.value ? CARD_PX : ROW_PX;
  const { isNewestFirst } = span.value;
  const count = rowCount.value;
  const drawn = drawnOf(count, top.value, height.value, rowPx);
  const columns = isNarrow.value ? COLUMNS.filter(({ name }) => CARD_COLUMNS.includes(name)) : shownColumns.value;
  const { state } = olderState.value;

  useEffect(() => {
    const observer = new ResizeObserver(() => (height.value = grid.current?.clientHeight ?? 0));
    observer.observe(grid.current!);
    const turn = () => (isNarrow.value = NARROW.matches);
    NARROW.addEventListener('change', turn);
    return () => {
      observer.disconnect();
      NARROW.removeEventListener('change', turn);
    };
  }, []);
  useEffect(() => fetchRows(drawn));
  useLayoutEffect(() => {
    // The newest row stays in sight as long as the table follows.
    if (isFollowing.value && grid.current !== null)
      grid.current.scrollTop = isNewestFirst ? 0 : grid.current.scrollHeight;
  });
  const isOldestInSight = isNewestFirst ? drawn.to >= count : drawn.from === 0;
  useEffect(() => {
    if (!isOldestInSight || state !== 'more') return;
    const timer = setTimeout(() => void lookBack(), LOOK_BACK_MS);
    return () => clearTimeout(timer);
  }, [isOldestInSight, state, count === 0]);

  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = grid.current!;
    top.value = scrollTop;
    const isAtNewest = isNewestFirst ? scrollTop < rowPx / 2 : scrollTop + clientHeight > scrollHeight - rowPx / 2;
    if (!isAtNewest) hold();
  };
  const moveTo = (place: number) => {
    const to = Math.max(0, Math.min(count - 1, place));
    if (count === 0) return;
    active.value = keyAt(span.value, to);
    hold();
    scrollTo(grid.current!, to * rowPx, rowPx);
  };
  const place = active.value === undefined ? -1 : placeOf(span.value, active.value);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target !== grid.current) return;
    const pageRows = Math.max(1, Math.floor(height.value / rowPx) - 2);
    const steps: Readonly<Record<string, () => void>> = {
      ArrowDown: () => moveTo(place < 0 ? drawn.from : place + 1),
      ArrowUp: () => moveTo(place < 0 ? 0 : place - 1),
      PageDown: () => moveTo(Math.max(place, 0) + pageRows),
      PageUp: () => moveTo(Math.max(place, 0) - pageRows),
      Home: () => moveTo(0),
      End: () => moveTo(count - 1),
      Enter: () => {
        const flow = active.value === undefined ? undefined : flowOf(active.value);
        if (flow !== undefined && flow !== 'gone') open(flow);
      },
      Escape: close,
    };
    if (!Object.hasOwn(steps, event.key)) return;
    event.preventDefault();
    steps[event.key]();
  };
  const rows = [];
  for (let at = drawn.from; at < drawn.to; at++) {
    const key = keyAt(span.value, at);
    rows.push(
      <Row
        key={key}
        row={key}
        place={at}
        px={rowPx}
        columns={columns}
        isActive={key === active.value}
        onPick={() => {
          active.value = key;
          hold();
        }}
      />,
    );
  }
  const template = columns.map(({ letters }) => `minmax(${letters}ch, ${letters}fr)`).join(' ');
  const letters = columns.reduce((sum, column) => sum + column.letters, 0);
  const width = `calc(${letters}ch + ${columns.length + 1} * var(--s-1))`;
  return (
    <div
      ref={grid}
      class={isNarrow.value ? 'flow-grid cards' : 'flow-grid'}
      role="grid"
      tabIndex={0}
      aria-label="Flows"
      aria-rowcount={count + 1}
      aria-colcount={columns.length}
      aria-activedescendant={place >= drawn.from && place < drawn.to ? rowId(active.value!) : undefined}
      style={{ '--columns': template, '--width': width }}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <div class="flow-head" role="row" aria-rowindex={1}>
        {columns.map((column, index) => (
          <ColumnHead key={column.name} column={column} index={index} isNewestFirst={isNewestFirst} />
        ))}
      </div>
      <div class="flow-rows" role="rowgroup" style={{ height: `${count * rowPx}px` }}>
        {rows}
      </div>
    </div>
  );
}

function scrollTo(grid: HTMLElement, top: number, rowPx: number): void {
  const headPx = grid.firstElementChild?.clientHeight ?? 0;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top + rowPx > grid.scrollTop + grid.clientHeight - headPx)
    grid.scrollTop = top + rowPx - grid.clientHeight + headPx;
}

const rowId = (key: RowKey) => `flow-row-${key}`;

interface HeadProps {
  readonly column: Column;
  readonly index: number;
  readonly isNewestFirst: boolean;
}

function ColumnHead({ column: { name, title }, index, isNewestFirst }: HeadProps) {
  if (name !== 'time')
    return (
      <span role="columnheader" aria-colindex={index + 1}>
        {title}
      </span>
    );
  const turn = () => {
    turnOrder();
    follow();
  };
  return (
    <span role="columnheader" aria-colindex={index + 1} aria-sort={isNewestFirst ? 'descending' : 'ascending'}>
      <button type="button" class="quiet" onClick={turn} title={isNewestFirst ? 'Newest first' : 'Oldest first'}>
        {title} <span aria-hidden="true">{isNewestFirst ? '▾' : '▴'}</span>
      </button>
    </span>
  );
}

interface RowProps {
  readonly row: RowKey;
  readonly place: number;
  readonly px: number;
  readonly columns: readonly Column[];
  readonly isActive: boolean;
  readonly onPick: () => void;
}

function Row({ row, place, px, columns, isActive, onPick }: RowProps) {
  const flow = flowOf(row);
  const isOpen = flow !== undefined && flow !== 'gone' && flow.uuid !== undefined && opened.value?.uuid === flow.uuid;
  const pick = () => {
    onPick();
    if (flow !== undefined && flow !== 'gone') open(flow);
  };
  return (
    <div
      id={rowId(row)}
      class={`flow-row${isActive ? ' active' : ''}${place % 2 === 1 ? ' odd' : ''}`}
      role="row"
      aria-rowindex={place + 2}
      aria-selected={isOpen}
      style={{ transform: `translateY(${place * px}px)`, height: `${px}px` }}
      onClick={pick}
    >
      {columns.map((column, index) => (
        <Cell key={column.name} column={column} index={index} flow={flow} />
      ))}
    </div>
  );
}

interface CellProps {
  readonly column: Column;
  readonly index: number;
  readonly flow: Flow | 'gone' | undefined;
}

function Cell({ column: { name, text }, index, flow }: CellProps) {
  const isThere = flow !== undefined && flow !== 'gone';
  const shown = isThere ? visible(text(flow)) : flow === 'gone' && index === 0 ? 'no longer kept' : '';
  return (
    <span role="gridcell" class={`cell-${name}`} aria-colindex={index + 1} title={shown === '' ? undefined : shown}>
      {isThere && name === 'verdict' ? <Verdict verdict={flow.verdict} /> : <bdi>{shown}</bdi>}
    </span>
  );
}
