/** The tables that Kubernetes' own API server has made of objects, and ours of the same objects. */
import t from 'tap';
import { readRecordings } from '../../test/kubernetes/recorded-api.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { tableOf, type TableKind } from './table.ts';

interface RealTable {
  readonly metadata: { resourceVersion: string };
  readonly columnDefinitions: readonly { name: string; type: string; format: string; priority: number }[];
  readonly rows: readonly { cells: readonly unknown[]; object: KubeObject }[];
}

const tables = readRecordings()
  .filter(({ accept }) => accept.includes('as=Table'))
  .map(({ path, body, atMs }) => ({ path, atMs, real: JSON.parse(body) as RealTable }))
  .filter(({ real }) => real.rows.length > 0);
t.ok(tables.length >= 9, `${tables.length} kinds with objects were recorded`);

for (const { path, atMs, real } of tables) {
  const { apiVersion, kind } = real.rows[0].object as unknown as TableKind;
  t.test(`${kind} has the columns and cells that Kubernetes gives (${path.split('?')[0]})`, (t) => {
    const objects = real.rows.map(({ object }) => object);
    const options = { version: 'v1', includeObject: 'Object', metadata: real.metadata, nowMs: atMs } as const;
    const ours = tableOf({ apiVersion, kind }, objects, options) as RealTable;
    const shape = ({ columnDefinitions }: RealTable) =>
      columnDefinitions.map(({ name, type, format, priority }) => ({ name, type, format, priority }));
    t.strictSame(shape(ours), shape(real));
    t.strictSame(
      ours.rows.map(({ cells }) => cells),
      real.rows.map(({ cells }) => cells),
    );
    t.end();
  });
}
