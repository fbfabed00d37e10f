/** The table of policies. */
import { visible } from '../controls/visible.ts';
import { hrefOf, route, setParam } from '../shell/location.tsx';
import type { PolicyRow, Sort } from './policy-rows.ts';

/** Rows that are shown: of more, a filter finds those that are wanted. */
const MAX_ROWS = 500;

const COLUMNS: readonly (readonly [Sort, string])[] = [
  ['policy', 'Policy'],
  ['pods', 'Selects'],
  ['allowed', 'Allowed'],
  ['denied', 'Denied'],
  ['last', 'Last flow'],
  ['problems', 'Warnings'],
];

interface Props {
  readonly rows: readonly PolicyRow[];
  /** Of all policies. */
  readonly count: number;
  readonly chosen: string;
  readonly order: string;
  readonly find: string;
}

export function PolicyList({ rows, count, chosen, order, find }: Props) {
  return (
    <>
      <div class="finding">
        <input
          type="search"
          aria-label="Find policies"
          placeholder="Kind, namespace, name, pod"
          spellcheck={false}
          value={find}
          onInput={(event) => setParam('find', event.currentTarget.value)}
        />
        <span aria-live="polite">
          {rows.length === count ? `${count} policies` : `${rows.length} of ${count} policies`}
        </span>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of policies">
        <table>
          <thead>
            <tr>
              {COLUMNS.map(([sort, title]) => (
                <SortedHead key={sort} sort={sort} title={title} order={order === '' ? 'policy' : order} />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, MAX_ROWS).map((row) => (
              <Row key={row.key} row={row} isChosen={row.key === chosen} />
            ))}
          </tbody>
        </table>
        {rows.length > MAX_ROWS && <p class="note">{rows.length - MAX_ROWS} more: find what you want by its name.</p>}
      </div>
    </>
  );
}

function SortedHead({ sort, title, order }: { readonly sort: Sort; readonly title: string; readonly order: string }) {
  const isUp = order === sort;
  const isDown = order === `-${sort}`;
  // Figures are looked for from the largest down.
  const next = isDown ? sort : isUp || sort !== 'policy' ? `-${sort}` : sort;
  return (
    <th scope="col" aria-sort={isUp ? 'ascending' : isDown ? 'descending' : 'none'}>
      <button type="button" class="quiet" onClick={() => setParam('sort', next === 'policy' ? '' : next)}>
        {title}
        <span aria-hidden="true">{isUp ? ' ▲' : isDown ? ' ▼' : ''}</span>
      </button>
    </th>
  );
}

function Row({ row, isChosen }: { readonly row: PolicyRow; readonly isChosen: boolean }) {
  const { key, kind, namespace, name, allowed, denied, audited, lastTime, problems } = row;
  const params = Object.fromEntries(['sort', 'find'].map((one) => [one, route.value.params.get(one) ?? '']));
  return (
    <tr class={isChosen ? 'chosen' : ''} aria-current={isChosen ? 'true' : undefined}>
      <th scope="row">
        <a href={hrefOf('policies', { ...params, policy: key })}>
          {visible(namespace === '' ? name : `${namespace}/${name}`)}
        </a>
        <span class="kind">{visible(kind)}</span>
      </th>
      <td class={row.pods?.length === 0 && !row.selectsNodes ? 'odd' : ''}>{selectsText(row)}</td>
      <td class="number">{allowed}</td>
      <td class={denied > 0 ? 'number denied' : 'number'}>
        {denied}
        {audited > 0 && <span class="verdict audit"> {audited} on trial</span>}
      </td>
      <td class={lastTime === '' ? 'odd' : 'mono'}>{lastTime === '' ? 'never matched' : lastTime.slice(11, 19)}</td>
      <td class="number">{problems.length === 0 ? '' : `⚠ ${problems.length}`}</td>
    </tr>
  );
}

function selectsText({ pods, selectsNodes }: PolicyRow): string {
  if (pods === undefined) return '…';
  const nodes = selectsNodes ? ['nodes'] : [];
  const some = pods.length === 0 ? [] : [pods.length === 1 ? '1 pod' : `${pods.length} pods`];
  return [...some, ...nodes].join(', ') || 'no pods';
}
