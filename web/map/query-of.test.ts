import t from 'tap';
import { parseQuery } from '../query/query.ts';
import type { MapEdge, MapPlace } from './map-model.ts';
import { queryOf } from './query-of.ts';

const place = (kind: MapPlace['kind'], namespace: string, name: string, labels: readonly string[] = []): MapPlace => ({
  number: 0,
  key: '',
  kind,
  namespace,
  name,
  labels,
});

t.test('queryOf() is a query that the query line takes, for each kind of place', (t) => {
  const cases: [MapPlace, string][] = [
    [place('workload', 'shop', 'web'), '--pod shop/web'],
    [place('name', '', 'api.example.com'), '--fqdn api.example.com'],
    [place('prefix', '', '10.0.0.0/8'), '--ip 10.0.0.0/8'],
    [place('entity', '', 'host', ['reserved:host']), '--label reserved:host'],
    [place('entity', '', 'unknown'), ''],
    [place('other', '', 'others'), ''],
  ];
  for (const [one, wanted] of cases) {
    t.equal(queryOf(one), wanted);
    parseQuery(wanted);
  }
  t.end();
});

t.test('queryOf() of an edge names both ends, as far as a filter can', (t) => {
  const web = place('pod', 'shop', 'web');
  const edgeTo = (to: MapPlace) => ({ from: web, to }) as unknown as MapEdge;
  t.equal(queryOf(edgeTo(place('other', '', 'others'))), '--from-pod shop/web');
  t.same(parseQuery(queryOf(edgeTo(place('prefix', '', '10.0.0.0/8')))).filters.allow, [
    { source_pod: ['shop/web'], destination_ip: ['10.0.0.0/8'] },
  ]);
  const hostile = place('pod', 'shop', `a' "b`);
  t.same(parseQuery(queryOf(edgeTo(hostile))).filters.allow[0].destination_pod, [`shop/a' "b`]);
  t.end();
});
