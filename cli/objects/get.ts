/** Objects as `sluice get` lists them: kubectl's tables, with what this machine knows of each. */
import type { Palette } from '../terminal/color.ts';
import { DaemonApi } from '../../api/daemon-api.ts';
import type { EndpointDocument } from '../../api/shapes.ts';
import { Failure } from '../terminal/failure.ts';
import type { Kind } from './kinds.ts';
import { printDocument, printListing } from '../terminal/output.ts';
import { type Manifest, referenceOf } from '../../policy/document/manifest.ts';
import { podsOf } from '../../policy/document/workload.ts';
import type { Settings } from '../terminal/settings.ts';
import type { Column } from '../terminal/table.ts';

export interface GetOptions {
  /** undefined: all. */
  readonly namespace: string | undefined;
  /** Only objects of these names; all when empty. */
  readonly names: readonly string[];
  /** Only objects with these labels; see matchesLabels(). */
  readonly selector: string | undefined;
}

interface Row {
  readonly object: Manifest;
  readonly endpoint: EndpointDocument | undefined;
}

/**
 * Prints the objects of some kinds, a table for each kind, as kubectl does.
 * @throws Failure when a named object is not there
 */
export async function getObjects(settings: Settings, kinds: readonly Kind[], options: GetOptions): Promise<void> {
  const api = new DaemonApi(settings);
  const found: Row[][] = [];
  for (const kind of kinds) found.push(await rowsOf(api, kind, options));
  const missing = options.names.filter((name) => !found.flat().some((row) => row.object.metadata?.name === name));
  if (missing.length > 0) {
    throw new Failure(`get ${kinds.map((kind) => kind.plural).join(',')}: not found: ${missing.join(', ')}`);
  }
  const { output } = settings;
  if (output === 'json' || output === 'yaml' || output.startsWith('jsonpath=')) {
    const items = found.flat().map(withStatus);
    const isSingle = kinds.length === 1 && options.names.length === 1 && items.length === 1;
    return printDocument(settings, isSingle ? items[0] : { apiVersion: 'v1', kind: 'List', items });
  }
  return printTables(settings, kinds, found, options);
}

async function printTables(
  settings: Settings,
  kinds: readonly Kind[],
  found: Row[][],
  options: GetOptions,
): Promise<void> {
  let isFirst = true;
  for (const [at, kind] of kinds.entries()) {
    if (found[at].length === 0) continue;
    if (!isFirst && settings.output !== 'name') settings.host.stdout.write('\n');
    isFirst = false;
    await printListing(settings, {
      columns: columnsOf(kind, settings.paint, {
        showNamespace: options.namespace === undefined,
        showKind: kinds.length > 1,
      }),
      rows: found[at],
      nameOf: ({ object }) => `${kind.singular}/${object.metadata?.name}`,
    });
  }
  if (isFirst) {
    const isEverywhere = options.namespace === undefined || !kinds.some((kind) => kind.isNamespaced);
    const where = isEverywhere ? '' : ` in namespace ${options.namespace}`;
    settings.host.stderr.write(`No resources found${where}\n`);
  }
}

async function rowsOf(api: DaemonApi, kind: Kind, options: GetOptions): Promise<Row[]> {
  const namespace = kind.isNamespaced ? options.namespace : undefined;
  const isPod = kind.kind === 'Pod';
  // Pods of workloads are no objects of their own, so all objects are asked for.
  const query = { ...(isPod ? {} : { kind: kind.kind }), ...(namespace === undefined ? {} : { namespace }) };
  const found = await api.objects(query);
  const objects = isPod ? found.flatMap(podsOf) : found;
  const endpoints = isPod ? await api.endpoints() : [];
  return objects
    .filter((object) => options.names.length === 0 || options.names.includes(object.metadata?.name ?? ''))
    .filter(
      (object) => options.selector === undefined || matchesLabels(object.metadata?.labels ?? {}, options.selector),
    )
    .sort((a, b) => (referenceOf(a) < referenceOf(b) ? -1 : 1))
    .map((object) => ({
      object,
      endpoint: endpoints.find((one) => `Pod/${one.namespace}/${one.pod}` === referenceOf(object)),
    }));
}

/**
 * Whether labels satisfy a selector of equalities: `app=web,tier!=db,env` (the last: the key is there), `!env`.
 */
export function matchesLabels(labels: Readonly<Record<string, string>>, selector: string): boolean {
  return selector.split(',').every((part) => {
    const [, not, key, operator, value] = /^\s*(!?)([^=!\s]+)\s*(?:(==?|!=)\s*(.*?))?\s*$/.exec(part) ?? [];
    if (key === undefined) return false;
    if (operator === undefined) return Object.hasOwn(labels, key) === (not === '');
    return (labels[key] === value) === (operator !== '!=');
  });
}

interface Shape {
  readonly showNamespace: boolean;
  readonly showKind: boolean;
}

function columnsOf(kind: Kind, paint: Palette, shape: Shape): Column<Row>[] {
  const columns: Column<Row>[] = [];
  if (shape.showNamespace && kind.isNamespaced) {
    columns.push({ header: 'NAMESPACE', cell: ({ object }) => object.metadata?.namespace ?? 'default' });
  }
  const prefix = shape.showKind ? `${kind.singular}/` : '';
  columns.push({ header: 'NAME', cell: ({ object }) => prefix + (object.metadata?.name ?? '') });
  columns.push(...(OWN_COLUMNS[kind.kind]?.(paint) ?? []));
  columns.push({ header: 'LABELS', cell: ({ object }) => labelText(object.metadata?.labels), isWide: true });
  return columns;
}

/** States of pods that have no endpoint here and need none. */
const ELSEWHERE = new Set(['external', 'remote', 'host']);

const OWN_COLUMNS: Readonly<Record<string, (paint: Palette) => Column<Row>[]>> = {
  Pod: (paint) => [
    {
      header: 'STATUS',
      cell: statusOf,
      paint: (text) => (text === 'ready' ? paint.green : ELSEWHERE.has(text) ? paint.dim : paint.red),
    },
    { header: 'IP', cell: ({ object, endpoint }) => endpoint?.ipv4 ?? endpoint?.ipv6 ?? podIp(object) },
    { header: 'ENDPOINT', cell: ({ endpoint }) => endpoint?.id || undefined },
    { header: 'IDENTITY', cell: ({ endpoint }) => endpoint?.identity || undefined },
    { header: 'IPv6', cell: ({ endpoint }) => endpoint?.ipv6, isWide: true },
    {
      header: 'NETNS',
      cell: ({ endpoint, object }) => endpoint?.netns ?? object.metadata?.annotations?.['sluice.io/netns'],
      isWide: true,
    },
    { header: 'INTERFACE', cell: ({ endpoint }) => endpoint?.interface, isWide: true },
    { header: 'NODE', cell: nodeOf, isWide: true },
  ],
  NetworkPolicy: () => [
    { header: 'POD-SELECTOR', cell: ({ object }) => selectorText(object.spec?.['podSelector']) },
    { header: 'TYPES', cell: ({ object }) => policyTypes(object) },
  ],
  CiliumNetworkPolicy: () => ciliumColumns(),
  CiliumClusterwideNetworkPolicy: () => ciliumColumns(),
  Service: () => [
    { header: 'TYPE', cell: ({ object }) => (object.spec?.['type'] as string | undefined) ?? 'ClusterIP' },
    { header: 'CLUSTER-IP', cell: ({ object }) => (object.spec?.['clusterIP'] as string | undefined) ?? '<none>' },
    { header: 'PORT(S)', cell: ({ object }) => servicePorts(object) },
  ],
  CiliumCIDRGroup: () => [
    {
      header: 'CIDRS',
      cell: ({ object }) => ((object.spec?.['externalCIDRs'] as string[] | undefined) ?? []).join(','),
    },
  ],
};

function ciliumColumns(): Column<Row>[] {
  return [
    { header: 'SUBJECT', cell: ({ object }) => rulesOf(object).map(subjectText).join('\n') },
    { header: 'DIRECTIONS', cell: ({ object }) => rulesOf(object).map(directions).join('\n') },
    {
      header: 'DESCRIPTION',
      cell: ({ object }) =>
        rulesOf(object)
          .map((rule) => (rule['description'] as string | undefined) ?? '')
          .join('\n'),
      isWide: true,
    },
  ];
}

/** Where its document says, or here: the name of this node is in its endpoint. */
function nodeOf({ object, endpoint }: Row): string | undefined {
  return (object.spec?.['nodeName'] as string | undefined) ?? endpoint?.['node'];
}

/** A pod of this machine without an endpoint could not even be given its addresses: `sluice status` says why. */
function statusOf({ object, endpoint }: Row): string {
  if (object.spec?.['hostNetwork'] === true) return 'host';
  if (endpoint === undefined) return object.spec?.['nodeName'] === undefined ? 'waiting' : 'remote';
  return endpoint.place === 'external' && endpoint.state === 'ready' ? 'external' : endpoint.state;
}

/** The object with what is known here of its pod, where Kubernetes tells it: addresses, phase, what it waits for. */
function withStatus({ object, endpoint }: Row): Manifest {
  if (endpoint === undefined) return object;
  const ips = [endpoint.ipv4, endpoint.ipv6].filter((ip) => ip !== undefined && ip !== '');
  const phase = endpoint.state === 'ready' ? 'Running' : endpoint.state === 'failed' ? 'Failed' : 'Pending';
  const problem = endpoint.problem === undefined ? {} : { message: endpoint.problem };
  const addresses = ips.length === 0 ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
  return { ...object, status: { ...(object['status'] as object | undefined), phase, ...addresses, ...problem } };
}

function podIp(object: Manifest): string | undefined {
  const status = object['status'] as { podIP?: string } | undefined;
  return status?.podIP;
}

type Fields = Readonly<Record<string, unknown>>;

function rulesOf(object: Manifest): readonly Fields[] {
  const specs = (object['specs'] as Fields[] | undefined) ?? [];
  return object.spec === undefined ? specs : [object.spec, ...specs];
}

function subjectText(rule: Fields): string {
  const isNode = rule['nodeSelector'] !== undefined;
  return (isNode ? 'node: ' : '') + selectorText(rule['endpointSelector'] ?? rule['nodeSelector']);
}

function directions(rule: Fields): string {
  const names = ['ingress', 'ingressDeny', 'egress', 'egressDeny'];
  return names.filter((name) => rule[name] !== undefined && rule[name] !== null).join(',');
}

/** A label selector as kubectl prints it; `<all>` when it is empty. */
export function selectorText(selector: unknown): string {
  const { matchLabels = {}, matchExpressions = [] } = (selector ?? {}) as {
    matchLabels?: Record<string, string> | null;
    matchExpressions?: { key: string; operator: string; values?: string[] }[] | null;
  };
  const parts = Object.entries(matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values = [] } of matchExpressions ?? []) {
    if (operator === 'Exists') parts.push(key);
    else if (operator === 'DoesNotExist') parts.push(`!${key}`);
    else parts.push(`${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`);
  }
  return parts.length === 0 ? '<all>' : parts.join(',');
}

function policyTypes({ spec = {} }: Manifest): string {
  const given = spec['policyTypes'] as string[] | undefined;
  const inferred = spec['egress'] === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
  return (given ?? inferred).join(',');
}

function servicePorts({ spec = {} }: Manifest): string {
  const ports = (spec['ports'] as { port: number; protocol?: string }[] | undefined) ?? [];
  return ports.map(({ port, protocol = 'TCP' }) => `${port}/${protocol}`).join(',');
}

function labelText(labels: Readonly<Record<string, string>> = {}): string {
  const text = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return text.length === 0 ? '<none>' : text.join(',');
}
