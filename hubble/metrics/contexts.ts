/**
 * Who a flow is about, as labels of metrics: Hubble's context options (pkg/hubble/metrics/api/context.go).
 *
 *   sourceContext=pod|ip                  label `source`: the first of these that says something
 *   destinationContext=dns|ip             label `destination`
 *   sourceEgressContext=..., and so on    in the place of the above, for flows of that direction
 *   labelsContext=source_pod,...          a label each
 */
import type { Endpoint, Flow } from '../flow.ts';

interface Side {
  readonly endpoint: Endpoint;
  readonly names: readonly string[];
  readonly ip: string;
}

const APP_LABELS = ['k8s:app.kubernetes.io/name=', 'k8s:k8s-app=', 'k8s:app='];
const KUBE_APISERVER = 'reserved:kube-apiserver';
const RESERVED = 'reserved:';

/** Names of contexts, and what each says. */
const CONTEXTS: Readonly<Record<string, (side: Side) => string>> = {
  identity: ({ endpoint }) => endpoint.labels?.join(',') ?? '',
  namespace: ({ endpoint }) => endpoint.namespace ?? '',
  pod: ({ endpoint }) => podOf(endpoint),
  'pod-name': ({ endpoint }) => endpoint.pod_name ?? '',
  dns: ({ names }) => names.join(','),
  ip: ({ ip }) => ip,
  'reserved-identity': ({ endpoint }) => reservedOf(endpoint),
  workload: ({ endpoint }) => {
    const name = workloadOf(endpoint);
    return name === '' || endpoint.namespace === undefined ? name : `${endpoint.namespace}/${name}`;
  },
  'workload-name': ({ endpoint }) => workloadOf(endpoint),
  app: ({ endpoint }) => appOf(endpoint),
};

const SIDE_LABELS: Readonly<Record<string, (side: Side) => string>> = {
  ip: CONTEXTS.ip,
  pod: CONTEXTS['pod-name'],
  namespace: CONTEXTS.namespace,
  workload: CONTEXTS['workload-name'],
  workload_kind: ({ endpoint }) => endpoint.workloads?.[0]?.kind ?? '',
  app: CONTEXTS.app,
};

/** In the order in which Hubble writes them. */
const CONTEXT_LABELS = [
  ...Object.keys(SIDE_LABELS).map((name) => `source_${name}`),
  ...Object.keys(SIDE_LABELS).map((name) => `destination_${name}`),
  'traffic_direction',
];

/** Options of a metric that are about context, in lower case. */
const SIDE_OPTIONS = [
  'sourcecontext',
  'sourceegresscontext',
  'sourceingresscontext',
  'destinationcontext',
  'destinationegresscontext',
  'destinationingresscontext',
];

type Contexts = readonly ((side: Side) => string)[];

/** The context labels of one metric. */
export class ContextLabels {
  readonly names: readonly string[];
  readonly #labels: readonly string[];
  readonly #sides = new Map<string, Contexts>();

  /** @param options of a metric by their names in lower case; takes out those that are its own @throws SyntaxError */
  constructor(options: Map<string, string>) {
    for (const option of SIDE_OPTIONS) {
      const text = options.get(option);
      if (text !== undefined) this.#sides.set(option, readContexts(text));
      options.delete(option);
    }
    this.#labels = readLabels(options.get('labelscontext'));
    options.delete('labelscontext');
    const has = (side: string) => [...this.#sides.keys()].some((option) => option.startsWith(side));
    const sides = ['source', 'destination'].filter(has);
    this.names = [...this.#labels, ...sides];
  }

  /** In the order of `names`. */
  values(flow: Flow): string[] {
    if (this.names.length === 0) return [];
    return this.#values(flow, sourceOf(flow), destinationOf(flow));
  }

  /** The same of a response, told by who asked and who was asked. */
  valuesOfRequest(flow: Flow): string[] {
    if (this.names.length === 0) return [];
    return this.#values(flow, destinationOf(flow), sourceOf(flow));
  }

  #values(flow: Flow, source: Side, destination: Side): string[] {
    const direction = flow.traffic_direction?.toLowerCase() ?? 'unknown';
    return this.names.map((name) => {
      if (name === 'traffic_direction') return direction;
      if (name === 'source') return first(this.#contexts('source', direction), source);
      if (name === 'destination') return first(this.#contexts('destination', direction), destination);
      const isSource = name.startsWith('source_');
      const of = SIDE_LABELS[name.slice(name.indexOf('_') + 1)];
      return of(isSource ? source : destination);
    });
  }

  #contexts(side: string, direction: string): Contexts {
    return this.#sides.get(`${side}${direction}context`) ?? this.#sides.get(`${side}context`) ?? [];
  }
}

function sourceOf({ source, source_names: names = [], IP: ip }: Flow): Side {
  return { endpoint: source, names, ip: ip?.source ?? '' };
}

function destinationOf({ destination, destination_names: names = [], IP: ip }: Flow): Side {
  return { endpoint: destination, names, ip: ip?.destination ?? '' };
}

function readContexts(text: string): Contexts {
  return text.split('|').map((name) => {
    const lower = name.toLowerCase();
    if (Object.hasOwn(CONTEXTS, lower)) return CONTEXTS[lower];
    throw new SyntaxError(`context "${name}": wanted some of ${Object.keys(CONTEXTS).join(', ')}, parted by "|"`);
  });
}

function readLabels(text: string | undefined): string[] {
  const wanted = text?.split(',') ?? [];
  for (const name of wanted) {
    if (!CONTEXT_LABELS.includes(name)) {
      throw new SyntaxError(`labelsContext "${name}": wanted some of ${CONTEXT_LABELS.join(', ')}`);
    }
  }
  return CONTEXT_LABELS.filter((name) => wanted.includes(name));
}

/** What the first context says that says something. */
function first(contexts: Contexts, side: Side): string {
  for (const context of contexts) {
    const text = context(side);
    if (text !== '') return text;
  }
  return '';
}

function podOf({ namespace, pod_name: name = '' }: Endpoint): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function workloadOf({ workloads }: Endpoint): string {
  return workloads?.[0]?.name ?? '';
}

function reservedOf({ labels = [] }: Endpoint): string {
  return labels.includes(KUBE_APISERVER) ? KUBE_APISERVER : (labels.find((label) => label.startsWith(RESERVED)) ?? '');
}

function appOf({ labels = [] }: Endpoint): string {
  for (const prefix of APP_LABELS) {
    const value = labels.find((label) => label.startsWith(prefix))?.slice(prefix.length);
    if (value !== undefined && value !== '') return value;
  }
  return '';
}
