/** The kinds that the commands know, with kubectl's names and short names for them, and how objects are named by them. */
import { EXIT, Failure } from '../terminal/failure.ts';

export interface Kind {
  readonly kind: string;
  readonly apiVersion: string;
  /** As in `pod/web-0` of -o name: plural words of kubectl's, without and with the group. */
  readonly singular: string;
  readonly plural: string;
  readonly short: readonly string[];
  readonly isNamespaced: boolean;
}

/** What apply takes, in the order in which `get all` lists them. */
export const KINDS: readonly Kind[] = [
  kind('Pod', 'v1', 'pod', 'pods', ['po'], true),
  kind('Namespace', 'v1', 'namespace', 'namespaces', ['ns'], false),
  kind('Service', 'v1', 'service', 'services', ['svc'], true),
  kind('EndpointSlice', 'discovery.k8s.io/v1', 'endpointslice', 'endpointslices', [], true),
  kind('Endpoints', 'v1', 'endpoints', 'endpoints', ['ep'], true),
  kind('Secret', 'v1', 'secret', 'secrets', [], true),
  kind('Node', 'v1', 'node', 'nodes', ['no'], false),
  kind('Deployment', 'apps/v1', 'deployment', 'deployments', ['deploy'], true),
  kind('ReplicaSet', 'apps/v1', 'replicaset', 'replicasets', ['rs'], true),
  kind('StatefulSet', 'apps/v1', 'statefulset', 'statefulsets', ['sts'], true),
  kind('DaemonSet', 'apps/v1', 'daemonset', 'daemonsets', ['ds'], true),
  kind('ReplicationController', 'v1', 'replicationcontroller', 'replicationcontrollers', ['rc'], true),
  kind('Job', 'batch/v1', 'job', 'jobs', [], true),
  kind('CronJob', 'batch/v1', 'cronjob', 'cronjobs', ['cj'], true),
  kind('NetworkPolicy', 'networking.k8s.io/v1', 'networkpolicy', 'networkpolicies', ['netpol'], true),
  kind(
    'CiliumNetworkPolicy',
    'cilium.io/v2',
    'ciliumnetworkpolicy',
    'ciliumnetworkpolicies',
    ['cnp', 'ciliumnp'],
    true,
  ),
  kind(
    'CiliumClusterwideNetworkPolicy',
    'cilium.io/v2',
    'ciliumclusterwidenetworkpolicy',
    'ciliumclusterwidenetworkpolicies',
    ['ccnp'],
    false,
  ),
  kind('CiliumCIDRGroup', 'cilium.io/v2', 'ciliumcidrgroup', 'ciliumcidrgroups', ['ccg'], false),
  kind(
    'CiliumEgressGatewayPolicy',
    'cilium.io/v2',
    'ciliumegressgatewaypolicy',
    'ciliumegressgatewaypolicies',
    ['cegp'],
    false,
  ),
];

/** What the agent makes of them: to be listed, not to be applied or deleted. */
const MADE: readonly Kind[] = [
  kind('CiliumEndpoint', 'cilium.io/v2', 'ciliumendpoint', 'ciliumendpoints', ['cep'], true),
  kind('CiliumIdentity', 'cilium.io/v2', 'ciliumidentity', 'ciliumidentities', ['ciliumid'], false),
];

/** Words for several kinds at once. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  policies: ['NetworkPolicy', 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'],
  policy: ['NetworkPolicy', 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'],
  all: KINDS.map((one) => one.kind),
};

/** Every word that kindsOf() takes, for completion. */
export const KIND_WORDS: readonly string[] = [
  ...[...KINDS, ...MADE].flatMap(({ plural, short }) => [...new Set([plural, ...short])]),
  'policies',
  'all',
];

/** The kind by the name that manifests have for it. */
export function kindNamed(name: string): Kind | undefined {
  return [...KINDS, ...MADE].find((one) => one.kind === name);
}

/** `deployment.apps`, `pod`: as kubectl names objects. @param word singular or plural */
export function withGroup({ apiVersion }: Kind, word: string): string {
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
  return `${word}${group}`;
}

/** `pods "web" not found`, as kubectl says it. */
export function notFound(kind: Kind, name: string): string {
  return `Error from server (NotFound): ${withGroup(kind, kind.plural)} "${name}" not found`;
}

function kind(
  name: string,
  apiVersion: string,
  singular: string,
  plural: string,
  short: readonly string[],
  isNamespaced: boolean,
): Kind {
  return { kind: name, apiVersion, singular, plural, short, isNamespaced };
}

/**
 * The kinds that a word such as `po`, `pods`, `Pod`, `cnp`, `po,ns` or `policies` stands for.
 * @throws Failure (usage) naming the words there are
 */
export function kindsOf(words: string): readonly Kind[] {
  const found = words.split(',').flatMap((text) => {
    const word = text.toLowerCase().replace(/\..*$/, '');
    const group = GROUPS[word];
    const kinds = [...KINDS, ...MADE].filter((one) =>
      group !== undefined
        ? group.includes(one.kind)
        : one.singular === word || one.plural === word || one.short.includes(word),
    );
    if (kinds.length === 0) {
      throw new Failure(`found kind '${text}', wanted one of ${KIND_WORDS.join(', ')}`, EXIT.USAGE);
    }
    return kinds;
  });
  return [...new Set(found)];
}

/** Objects that a command line names: all of some kinds, or those of the names. */
export interface Named {
  readonly kinds: readonly Kind[];
  /** Empty: all. */
  readonly names: readonly string[];
}

/**
 * Reads `KIND[,KIND] [NAME...]` or `KIND/NAME...` as kubectl does; a comma after a name is forgiven.
 * @throws Failure (usage) when both are mixed, or a kind is unknown
 */
export function namedObjects(words: readonly string[]): Named[] {
  const cleaned = words
    .flatMap((word, at) => (at === 0 && !word.includes('/') ? word : word.split(',')))
    .filter(Boolean);
  const pairs = cleaned.filter((word) => word.includes('/'));
  if (pairs.length === 0) return [{ kinds: kindsOf(cleaned[0] ?? ''), names: cleaned.slice(1) }];
  if (pairs.length < cleaned.length) {
    const odd = cleaned.find((word) => !word.includes('/'));
    throw new Failure(`found '${odd}' beside '${pairs[0]}', wanted KIND NAME..., or KIND/NAME everywhere`, EXIT.USAGE);
  }
  return pairs.map((pair) => {
    const [word, name, ...rest] = pair.split('/');
    if (name === '' || rest.length > 0) throw new Failure(`found '${pair}', wanted KIND/NAME`, EXIT.USAGE);
    return { kinds: kindsOf(word), names: [name] };
  });
}
