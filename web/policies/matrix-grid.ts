/** The matrix of who may reach whom as a table: a row for each source, a column for each destination and port. */
import type { Cell, MatrixRow } from '../../explain/matrix/matrix.ts';

/** Cells that are shown; a browser would take seconds for more. */
const MAX_CELLS = 6000;

export interface Column {
  readonly to: string;
  readonly port: number | string;
  readonly protocol: string;
}

export interface Destination {
  readonly to: string;
  readonly columns: readonly Column[];
}

export interface Grid {
  readonly sources: readonly string[];
  readonly destinations: readonly Destination[];
  readonly columns: readonly Column[];
  /** Sources that are not shown. */
  readonly left: number;
  readonly cell: (from: string, column: Column) => Cell | undefined;
}

export function gridOf(rows: readonly MatrixRow[]): Grid {
  const cells = new Map<string, Cell>();
  const sources = new Set<string>();
  const columns = new Map<string, Column>();
  for (const { from, to, port, protocol, verdict } of rows) {
    const column = { to, port, protocol };
    sources.add(from);
    columns.set(nameOf(column), column);
    cells.set(`${from} ${nameOf(column)}`, verdict);
  }
  const all = [...sources];
  const shown = all.slice(0, Math.max(1, Math.floor(MAX_CELLS / Math.max(1, columns.size))));
  const list = [...columns.values()].slice(0, MAX_CELLS);
  const destinations: { to: string; columns: Column[] }[] = [];
  for (const column of list) {
    const last = destinations.at(-1);
    if (last?.to === column.to) last.columns.push(column);
    else destinations.push({ to: column.to, columns: [column] });
  }
  return {
    sources: shown,
    destinations,
    columns: list,
    left: all.length - shown.length,
    cell: (from, column) => cells.get(`${from} ${nameOf(column)}`),
  };
}

function nameOf({ to, port, protocol }: Column): string {
  return `${to} ${port}/${protocol}`;
}

/** An end of the judge's question. */
export type AskedEnd = { readonly pod: string } | { readonly ip: string } | { readonly entity: string };

/**
 * What to ask the judge about an end of the matrix, which may be a pod, a workload with the number of its pods, an entity or an address.
 * @param pods `namespace/name` of all pods
 */
export function askedEnd(name: string, pods: readonly string[]): AskedEnd {
  const plain = name.replace(/ \(\d+ pods\)$/, '');
  if (!plain.includes('/')) return { entity: plain };
  if (pods.includes(plain)) return { pod: plain };
  const member = pods.find((pod) => pod.startsWith(`${plain}-`));
  return member === undefined ? { ip: plain } : { pod: member };
}

/** What flows between two ends are asked for by, as flags of the query line; a pod's name there is the beginning of one. */
export function pairFlags(from: string, { to, port }: Column): [string, string][] {
  const end = (way: 'from' | 'to', name: string): [string, string] => {
    const plain = name.replace(/ \(\d+ pods\)$/, '');
    return plain.includes('/') ? [`${way}-pod`, plain] : [`${way}-identity`, plain];
  };
  return [
    end('from', from),
    end('to', to),
    ...(typeof port === 'number' ? [['to-port', String(port)] as [string, string]] : []),
  ];
}
