/**
 * Labels and selectors, the plain way: an identity is a list of `source:key` -> value, a selector a list of conditions
 * that must all hold.
 */

/** `source:key` -> value. */
export type Labels = ReadonlyMap<string, string>;

export interface Condition {
  /** `source:key`; the source `any` stands for every source. */
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** A Kubernetes label selector. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { key: string; operator: Condition['operator']; values?: string[] }[];
}

/** @param source of keys that name none */
export function conditionsOf(selector: LabelSelector, source = 'any'): Condition[] {
  const full = (key: string): string => (key.includes(':') ? key : `${source}:${key}`);
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => isOneOf(full(key), value)),
    ...(selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => ({
      key: full(key),
      operator,
      values,
    })),
  ];
}

export const isOneOf = (key: string, ...values: string[]): Condition => ({ key, operator: 'In', values });
export const exists = (key: string): Condition => ({ key, operator: 'Exists', values: [] });

export const sourceOf = (key: string): string => key.slice(0, key.indexOf(':'));
export const nameOf = (key: string): string => key.slice(key.indexOf(':') + 1);

const holds = (condition: Condition, labels: Labels): boolean => isMet(condition, valuesOf(condition.key, labels));

/** @param found the values that the key has */
export function isMet({ operator, values }: Condition, found: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return found.some((value) => values.includes(value));
    case 'NotIn':
      return !found.some((value) => values.includes(value));
    case 'Exists':
      return found.length > 0;
    case 'DoesNotExist':
      return found.length === 0;
  }
}

function valuesOf(key: string, labels: Labels): string[] {
  if (sourceOf(key) !== 'any') return labels.has(key) ? [labels.get(key)!] : [];
  return [...labels].filter(([label]) => nameOf(label) === nameOf(key)).map(([, value]) => value);
}

export const allHold = (conditions: readonly Condition[], labels: Labels): boolean =>
  conditions.every((condition) => holds(condition, labels));

/** The same for selectors that say the same: rules about the same peer are merged. */
export const textOf = (conditions: readonly Condition[]): string =>
  [...new Set(conditions.map(({ key, operator, values }) => `${key} ${operator} ${[...values].sort().join(',')}`))]
    .sort()
    .join(' && ');

// --- which labels make an identity

const INCLUDED = [
  'io\\.kubernetes\\.pod\\.namespace',
  'io\\.cilium\\.k8s\\.namespace\\.labels',
  'app\\.kubernetes\\.io',
  'io\\.cilium\\.k8s\\.policy\\.cluster',
  'io\\.cilium\\.k8s\\.policy\\.serviceaccount',
];
const EXCLUDED = [
  'io\\.kubernetes',
  'kubernetes\\.io',
  'statefulset\\.kubernetes\\.io/pod-name',
  'apps\\.kubernetes\\.io/pod-index',
  'batch\\.kubernetes\\.io/job-completion-index',
  'batch\\.kubernetes\\.io/controller-uid',
  '.*beta\\.kubernetes\\.io',
  'k8s\\.io',
  'pod-template-generation',
  'pod-template-hash',
  'controller-revision-hash',
  'controller-uid',
  'annotation.*',
  'etcd_node',
  'topology\\.kubernetes\\.io',
];

const answers = new Map<string, boolean>();

/** The default label filter: the longest pattern that includes a label against the shortest that excludes it. */
export function makesIdentity(key: string): boolean {
  let answer = answers.get(key);
  if (answer === undefined) answers.set(key, (answer = isIncluded(key)));
  return answer;
}

function isIncluded(key: string): boolean {
  const lengths = (patterns: string[]): number[] =>
    patterns.map((pattern) => new RegExp(`^(?:${pattern})`).exec(key)?.[0].length ?? 0).filter((length) => length > 0);
  const included = Math.max(0, ...lengths(INCLUDED));
  const excluded = lengths(EXCLUDED);
  return excluded.length === 0 || included > Math.min(...excluded);
}
