/** The list of policies: what is known of each, from four sources, sorted and filtered. */
import type { PolicyDocument } from '../../api/shapes.ts';
import type { SelectedDocument } from '../../explain/selectors.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import type { Decided } from '../stream/decisions.ts';
import { policyKey } from '../controls/policy-key.ts';

export interface PolicyRow {
  readonly key: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Pods; undefined when nobody knows yet. */
  readonly pods: readonly string[] | undefined;
  readonly selectsNodes: boolean;
  readonly allowed: number;
  readonly denied: number;
  readonly audited: number;
  /** Of the last flow that it decided, in all flows that are kept; '' for never. */
  readonly lastTime: string;
  readonly problems: readonly Problem[];
}

export interface RowSources {
  readonly policies: readonly PolicyDocument[];
  readonly selected: readonly SelectedDocument[] | undefined;
  readonly problems: readonly Problem[];
  readonly recent: ReadonlyMap<string, Decided>;
  readonly ever: ReadonlyMap<string, Decided>;
}

export function rowsOf({ policies, selected, problems, recent, ever }: RowSources): PolicyRow[] {
  const chosen = new Map(selected?.map((one) => [policyKey(one), one]));
  const wrong = new Map<string, Problem[]>();
  for (const problem of problems) {
    const key = problem.document ?? '';
    wrong.set(key, [...(wrong.get(key) ?? []), problem]);
  }
  return policies.map((policy) => {
    const { kind, namespace, name } = policy;
    const key = policyKey(policy);
    const { allowed = 0, denied = 0, audited = 0 } = recent.get(key) ?? {};
    return {
      key,
      kind,
      namespace,
      name,
      pods: chosen.get(key)?.pods,
      selectsNodes: chosen.get(key)?.selectsNodes ?? false,
      allowed,
      denied,
      audited,
      lastTime: ever.get(key)?.lastTime ?? '',
      problems: wrong.get(key) ?? [],
    };
  });
}

const SORTS = ['policy', 'pods', 'allowed', 'denied', 'last', 'problems'] as const;
export type Sort = (typeof SORTS)[number];

const ORDERS: Readonly<Record<Sort, (row: PolicyRow) => string | number>> = {
  policy: ({ namespace, name, kind }) => `${namespace}/${name} ${kind}`,
  pods: ({ pods, selectsNodes }) => (pods?.length ?? 0) + (selectsNodes ? 0.5 : 0),
  allowed: ({ allowed }) => allowed,
  denied: ({ denied, audited }) => denied + audited,
  last: ({ lastTime }) => lastTime,
  problems: ({ problems }) => problems.length,
};

/** @param order the name of a column, with `-` before it for the other way round; anything else means `policy` */
export function sorted(rows: readonly PolicyRow[], order: string): PolicyRow[] {
  const name = SORTS.find((one) => one === order.replace(/^-/, '')) ?? 'policy';
  const sign = order.startsWith('-') ? -1 : 1;
  const of = ORDERS[name];
  const byName = (a: PolicyRow, b: PolicyRow) => (a.key < b.key ? -1 : 1);
  return [...rows].sort((a, b) => {
    const [one, other] = [of(a), of(b)];
    return one === other ? byName(a, b) : one < other ? -sign : sign;
  });
}

/** Rows in which each word of `text` is found: in kind, namespace, name or a pod. */
export function filtered(rows: readonly PolicyRow[], text: string): readonly PolicyRow[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return rows;
  return rows.filter(({ key, pods = [] }) => {
    const all = `${key} ${pods.join(' ')}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}
