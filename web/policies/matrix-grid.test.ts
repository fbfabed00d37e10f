import t from 'tap';
import type { MatrixRow } from '../../explain/matrix/matrix.ts';
import { queryTextOf } from '../query/query.ts';
import { askedEnd, gridOf, pairFlags } from './matrix-grid.ts';

const row = (from: string, to: string, port: number | string, verdict: MatrixRow['verdict']): MatrixRow => ({
  from,
  to,
  port,
  protocol: 'TCP',
  verdict,
});

t.test('gridOf() makes a row of each source and a column of each destination and port', (t) => {
  const grid = gridOf([
    row('a/x', 'a/y', 80, 'allow'),
    row('a/x', 'a/y', 'other', 'deny'),
    row('a/x', 'world', 'any', 'l7'),
    row('a/y', 'a/y', 80, 'mixed'),
  ]);
  t.same(grid.sources, ['a/x', 'a/y']);
  t.same(
    grid.destinations.map(({ to, columns }) => [to, columns.length]),
    [
      ['a/y', 2],
      ['world', 1],
    ],
  );
  t.equal(grid.cell('a/x', grid.columns[1]), 'deny');
  t.equal(grid.cell('a/y', grid.columns[0]), 'mixed');
  t.equal(grid.cell('a/y', grid.columns[2]), undefined);
  t.equal(gridOf([]).sources.length, 0);
  t.end();
});

t.test('no more cells are shown than a browser bears, and how many sources are left out', (t) => {
  const many = Array.from({ length: 300 }, (_, from) =>
    Array.from({ length: 60 }, (_, to) => row(`a/${from}`, `a/${to}`, 80, 'allow')),
  ).flat();
  const grid = gridOf(many);
  t.equal(grid.sources.length, 100);
  t.equal(grid.left, 200);
  t.end();
});

t.test('an end of the matrix is asked about by a pod of it', (t) => {
  const pods = ['shop/web', 'shop/api-1', 'shop/api-2'];
  t.same(askedEnd('shop/web', pods), { pod: 'shop/web' });
  t.same(askedEnd('shop/api (2 pods)', pods), { pod: 'shop/api-1' });
  t.same(askedEnd('world', pods), { entity: 'world' });
  const pair = (from: string, to: string, port: number | string) =>
    queryTextOf(pairFlags(from, { to, port, protocol: 'TCP' }));
  t.equal(pair('shop/api (2 pods)', 'world', 80), '--from-pod shop/api --to-identity world --to-port 80');
  t.equal(pair('shop/x', "a' --b", 'other'), `--from-pod shop/x --to-identity 'a'\\'' --b'`);
  t.end();
});
