/** The kinds that `get`, `delete` and `rig` know, with kubectl's names and short names for them. */
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

const KINDS: readonly Kind[] = [
  kind('Pod', 'v1', 'pod', 'pods', ['po'], true),
  kind('Namespace', 'v1', 'namespace', 'namespaces', ['ns'], false),
  kind('Service', 'v1', 'service', 'services', ['svc'], true),
  kind('EndpointSlice', 'discovery.k8s.io/v1', 'endpointslice', 'endpointslices', [], true),
  kind('Node', 'v1', 'node', 'nodes', ['no'], false),
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
];

/** Words for several kinds at once. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  policies: ['NetworkPolicy', 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'],
  policy: ['NetworkPolicy', 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'],
  all: KINDS.map((one) => one.kind),
};

/** Every word that kindsOf() takes, for completion. */
export const KIND_WORDS: readonly string[] = [
  ...KINDS.flatMap(({ plural, short }) => [plural, ...short]),
  'policies',
  'all',
];

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
    const kinds = KINDS.filter((one) =>
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
