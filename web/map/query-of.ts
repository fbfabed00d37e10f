/** The query that shows the flows of a card or an edge. */
import { queryTextOf } from '../query/query.ts';
import type { Place } from '../stream/place.ts';
import type { MapEdge, MapPlace } from './map-model.ts';

type Flag = readonly [string, string];

/** The flag of one end; none for what no filter can say. */
function endOf({ kind, namespace, name, labels }: Place, end: 'from-' | 'to-' | ''): Flag[] {
  switch (kind) {
    case 'workload':
    case 'pod':
      return [[`${end}pod`, `${namespace}/${name}`]];
    case 'name':
      return [[`${end}fqdn`, name]];
    case 'prefix':
      return [[`${end}ip`, name]];
    case 'entity':
      return labels.includes(`reserved:${name}`) ? [[`${end}label`, `reserved:${name}`]] : [];
    case 'other':
      return [];
  }
}

/** @returns '' when there is no such query. That of an edge leaves replies out: observe takes them for flows the other way */
export function queryOf(one: MapPlace | MapEdge): string {
  return queryTextOf('key' in one ? endOf(one, '') : [...endOf(one.from, 'from-'), ...endOf(one.to, 'to-')]);
}
