/**
 * Where an end of a flow stands on the map: its workload, or its pod when nothing owns it; outside, the name that DNS gave it, the
 * prefix that a policy speaks of, or its entity (host, world, ...).
 */
import { NAMESPACE_LABEL } from '../../hubble/decode/decode.ts';
import type { Endpoint } from '../../hubble/flow.ts';

export type PlaceKind = 'workload' | 'pod' | 'name' | 'prefix' | 'entity' | 'other';

export interface Place {
  /** What it is told apart by. */
  readonly key: string;
  readonly kind: PlaceKind;
  /** '' outside of namespaces. */
  readonly namespace: string;
  readonly name: string;
  /** As they were when it was met first. */
  readonly labels: readonly string[];
}

/** Stands for all that the map has no room for. */
export const OTHER_PLACE: Place = { key: 'other', kind: 'other', namespace: '', name: 'others', labels: [] };

export function placeOf(end: Endpoint, names: readonly string[] = []): Place {
  const { labels = [], pod_name: pod = '', workloads = [] } = end;
  const namespace =
    end.namespace ?? labels.find((label) => label.startsWith(NAMESPACE_LABEL))?.slice(NAMESPACE_LABEL.length);
  if (namespace !== undefined && namespace !== '') {
    const { name = '', kind = '' } = workloads[0] ?? {};
    if (name !== '') return { key: `w ${namespace}/${kind}/${name}`, kind: 'workload', namespace, name, labels };
    if (pod !== '') return { key: `p ${namespace}/${pod}`, kind: 'pod', namespace, name: pod, labels };
    // An end that is not of this node: its labels are all that is known.
    const app = labels.find((label) => /^k8s:(app\.kubernetes\.io\/name|k8s-app|app|name)=/.test(label));
    const named = app?.slice(app.indexOf('=') + 1) ?? `identity ${end.identity ?? 0}`;
    return { key: `i ${namespace}/${named}`, kind: 'workload', namespace, name: named, labels };
  }
  return outside(end.identity, labels, names);
}

function outside(identity: number | undefined, labels: readonly string[], names: readonly string[]): Place {
  const named = names[0]?.replace(/\.$/, '');
  if (named !== undefined && named !== '') return place('name', named, labels);
  // Prefixes stand in the order of the text; the longest says most.
  let prefix = '';
  for (const label of labels) {
    const found = /^cidr:(.+)\/(\d+)$/.exec(label);
    if (found !== null && (prefix === '' || Number(found[2]) > Number(prefix.slice(prefix.lastIndexOf('/') + 1))))
      prefix = `${found[1]}/${found[2]}`;
  }
  // `cidr:2001-db8--/32`: a label cannot have colons.
  if (prefix !== '' && !/\/0$/.test(prefix))
    return place('prefix', prefix.includes('-') ? prefix.replaceAll('-', ':') : prefix, labels);
  const reserved = labels
    .filter((label) => label.startsWith('reserved:'))
    .map((label) => label.slice('reserved:'.length));
  const entity = reserved.find((name) => !name.startsWith('world')) ?? reserved[0];
  return place('entity', entity ?? (identity === undefined ? 'unknown' : `identity ${identity}`), labels);
}

const place = (kind: PlaceKind, name: string, labels: readonly string[]): Place => ({
  key: `${kind} ${name}`,
  kind,
  namespace: '',
  name,
  labels,
});
