/**
 * The filter flags of `hubble observe` turned into FlowFilters (hubble/cmd/observe/flows_filter.go).
 *
 * A flag without from- or to- means either end, which one FlowFilter cannot say: two are kept, left for the source and
 * right for the destination, and the result is "left or right". Flags of one end go to both; when both come out equal
 * one is enough. Namespaces are put before the names of pods and services at the end, or stand alone as a pod `ns/`.
 *
 *   --pod a --verdict DROPPED   ->  {source_pod: [a], verdict: [DROPPED]}  or  {destination_pod: [a], verdict: [DROPPED]}
 *
 * `--not` sends the next flag to the deny list. Flags that contradict each other are refused in either list.
 */
import type { FlowFilter } from './flow-filter.ts';
import * as values from './observe-value.ts';

export interface ObserveFilters {
  readonly allow: readonly FlowFilter[];
  readonly deny: readonly FlowFilter[];
}

type Field = keyof FlowFilter;
type Values = unknown[];
type Draft = Partial<Record<Field, Values>>;

/** Of each group at most one flag may be given. */
const CONFLICTS: readonly (readonly string[])[] = [
  ['from-fqdn', 'from-ip', 'ip', 'fqdn', 'from-namespace', 'namespace', 'from-all-namespaces', 'all-namespaces'],
  ['from-fqdn', 'from-ip', 'ip', 'fqdn', 'from-pod', 'pod'],
  ['to-fqdn', 'to-ip', 'ip', 'fqdn', 'to-namespace', 'namespace', 'to-all-namespaces', 'all-namespaces'],
  ['to-fqdn', 'to-ip', 'ip', 'fqdn', 'to-pod', 'pod'],
  ['to-pod', 'namespace', 'all-namespaces'],
  ['from-pod', 'namespace', 'all-namespaces'],
  ['to-service', 'namespace', 'all-namespaces'],
  ['from-service', 'namespace', 'all-namespaces'],
  ['encrypted', 'unencrypted'],
  ...['label', 'service', 'port', 'identity', 'workload', 'cluster'].flatMap((name) => [
    [name, `from-${name}`],
    [name, `to-${name}`],
  ]),
];

/** Flags with from- and to-: the field less its end, and how a value is read. */
const ENDED: Readonly<Record<string, readonly [string, (value: string) => unknown]>> = {
  ip: ['ip', values.text],
  pod: ['pod', values.text],
  fqdn: ['fqdn', values.text],
  label: ['label', values.text],
  service: ['service', values.text],
  port: ['port', values.text],
  workload: ['workload', values.workload],
  identity: ['identity', values.identity],
  cluster: ['cluster_name', values.text],
};

/** Flags of the whole flow: their field, and how a value is read. */
const WHOLE: Readonly<Record<string, readonly [Field, (value: string) => unknown]>> = {
  uuid: ['uuid', values.text],
  'node-name': ['node_name', values.text],
  'node-label': ['node_labels', values.text],
  protocol: ['protocol', values.text],
  'tcp-flags': ['tcp_flags', values.tcpFlags],
  type: ['event_type', values.eventType],
  verdict: ['verdict', values.verdict],
  'drop-reason-desc': ['drop_reason_desc', values.dropReason],
  'http-status': ['http_status_code', values.text],
  'http-method': ['http_method', values.text],
  'http-path': ['http_path', values.text],
  'http-url': ['http_url', values.text],
  'http-header': ['http_header', values.header],
  'trace-id': ['trace_id', values.text],
  'ip-trace-id': ['ip_trace_id', values.ipTraceId],
  'snat-ip': ['source_ip_xlated', values.text],
  encrypted: ['encrypted', () => true],
  unencrypted: ['encrypted', () => false],
  'dns-query': ['dns_query', values.text],
  'traffic-direction': ['traffic_direction', values.direction],
  interface: ['interface', (value) => ({ name: value })],
  ipv4: ['ip_version', () => 'IPv4'],
  ipv6: ['ip_version', () => 'IPv6'],
  'ip-version': ['ip_version', values.ipVersion],
  reply: ['reply', (value) => value !== 'false'],
};

const NAMESPACE_FLAGS = ['', 'from-', 'to-'].flatMap((end) => [`${end}namespace`, `${end}all-namespaces`]);

/** Every flag that `observeFilters` takes, without its dashes, for tests that compare them with the command's. */
export const OBSERVE_FLAGS: readonly string[] = [
  'not',
  'allowlist',
  'denylist',
  ...Object.keys(WHOLE),
  ...Object.keys(ENDED).flatMap((name) => [name, `from-${name}`, `to-${name}`]),
  ...NAMESPACE_FLAGS,
];

/** Flags that take no value, for tests of the same kind. */
export const VALUELESS_FLAGS: readonly string[] = [
  'not',
  'ipv4',
  'ipv6',
  'encrypted',
  'unencrypted',
  ...NAMESPACE_FLAGS.filter((flag) => flag.endsWith('all-namespaces')),
];

/**
 * Turns flags into filters.
 * @param flags name (without dashes, long form) and value, in the order of the command line
 * @throws SyntaxError with hubble's message: a flag nobody knows, a value that makes no sense, flags that cannot be
 * combined, `--not` twice or last
 */
export function observeFilters(flags: Iterable<readonly [string, string]>): ObserveFilters {
  const allow = new Tracker();
  const deny = new Tracker();
  const raw = { allowlist: [] as FlowFilter[], denylist: [] as FlowFilter[] };
  let isNot = false;
  for (const [flag, value] of flags) {
    if (flag === 'not') {
      if (isNot) throw new SyntaxError('consecutive --not statements');
      isNot = true;
    } else if (flag === 'allowlist' || flag === 'denylist') raw[flag].push(values.raw(flag, value));
    else {
      (isNot ? deny : allow).set(flag, value);
      isNot = false;
    }
  }
  if (isNot) throw new SyntaxError('trailing --not found in the arguments');
  return { allow: [...allow.filters(), ...raw.allowlist], deny: [...deny.filters(), ...raw.denylist] };
}

/** One list's flags on their way to filters. */
class Tracker {
  readonly #left: Draft = {};
  readonly #right: Draft = {};
  readonly #given = new Set<string>();
  readonly #namespaces = { either: [] as string[], source: [] as string[], destination: [] as string[] };

  set(flag: string, value: string): void {
    this.#given.add(flag);
    this.#checkConflicts();
    const [, end = '', name] = /^(from-|to-)?(.*)$/.exec(flag)!;
    if (name === 'namespace' || name === 'all-namespaces') {
      const list = end === '' ? 'either' : end === 'from-' ? 'source' : 'destination';
      this.#namespaces[list].push(name === 'namespace' ? value : '');
    } else if (Object.hasOwn(ENDED, name)) this.#setEnded(end, ENDED[name], value);
    else if (end === '' && Object.hasOwn(WHOLE, name)) {
      const [field, read] = WHOLE[name];
      this.#append([this.#left, this.#right], field, read(value));
    } else throw new SyntaxError(`unknown filter flag --${flag}`);
    this.#checkNamespaces();
  }

  filters(): FlowFilter[] {
    if (this.#given.size === 0) return [];
    const left = structuredClone(this.#left);
    const right = structuredClone(this.#right);
    for (const draft of [left, right]) {
      applyNamespaces(draft, 'source', this.#namespaces.source);
      applyNamespaces(draft, 'destination', this.#namespaces.destination);
    }
    applyNamespaces(left, 'source', this.#namespaces.either);
    applyNamespaces(right, 'destination', this.#namespaces.either);
    const both = [left, right] as FlowFilter[];
    return JSON.stringify(left) === JSON.stringify(right) ? both.slice(0, 1) : both;
  }

  #setEnded(end: string, [suffix, read]: readonly [string, (value: string) => unknown], value: string): void {
    const parsed = read(value);
    const both = [this.#left, this.#right];
    if (end !== 'to-') this.#append(end === '' ? [this.#left] : both, `source_${suffix}` as Field, parsed);
    if (end !== 'from-') this.#append(end === '' ? [this.#right] : both, `destination_${suffix}` as Field, parsed);
  }

  #append(drafts: readonly Draft[], field: Field, value: unknown): void {
    for (const draft of drafts) (draft[field] ??= []).push(value);
  }

  #checkConflicts(): void {
    for (const group of CONFLICTS) {
      const [first, second] = group.filter((flag) => this.#given.has(flag));
      if (second !== undefined) throw new SyntaxError(`filters --${first} and --${second} cannot be combined`);
    }
  }

  /** A pod or service that names another namespace than the one asked for matches nothing: surely not what was meant. */
  #checkNamespaces(): void {
    const { either, source, destination } = this.#namespaces;
    for (const draft of [this.#left, this.#right]) {
      for (const end of ['source', 'destination'] as const) {
        const pods = (draft[`${end}_pod`] ?? []) as string[];
        const services = (draft[`${end}_service`] ?? []) as string[];
        const asked = [...either, ...(end === 'source' ? source : destination)].filter((namespace) => namespace !== '');
        checkAsked(asked, [...pods, ...services]);
        checkPodsAndServices(pods, services);
      }
    }
  }
}

function namespaceOf(name: string): string {
  const slash = name.indexOf('/');
  return slash < 0 ? '' : name.slice(0, slash);
}

function checkAsked(asked: readonly string[], names: readonly string[]): void {
  for (const namespace of asked) {
    const other = names.find((name) => namespaceOf(name) !== '' && namespaceOf(name) !== namespace);
    if (other !== undefined) throw new SyntaxError(`namespace conflict: "${namespace}" does not contain "${other}"`);
  }
}

function checkPodsAndServices(pods: readonly string[], services: readonly string[]): void {
  for (const namespace of pods.map(namespaceOf).filter((name) => name !== '')) {
    const other = services.find((service) => namespaceOf(service) !== namespace);
    if (other !== undefined) throw new SyntaxError(`namespace of service "${other}" conflict with pod "${namespace}"`);
  }
}

function applyNamespaces(draft: Draft, end: 'source' | 'destination', namespaces: readonly string[]): void {
  if (namespaces.length === 0) return;
  const [pod, service] = [`${end}_pod`, `${end}_service`] as const;
  if (!draft[pod]?.length && !draft[service]?.length) draft[pod] = [''];
  for (const field of [pod, service]) {
    const names = draft[field] as string[] | undefined;
    if (names === undefined) continue;
    draft[field] = names.flatMap((name) => (name.includes('/') ? [name] : namespaces.map((one) => `${one}/${name}`)));
  }
}
