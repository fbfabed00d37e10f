/** Label selectors of workloads: which labels they select. Of policies it is policy/rule/selector.ts, which knows sources. */

type Labels = Readonly<Record<string, string>>;

interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | null;
}

export interface LabelSelector {
  readonly matchLabels?: Labels | null;
  readonly matchExpressions?: readonly Expression[] | null;
}

/** Whether a selector says nothing: of a workload that is a mistake, and selects nothing. */
export function isEmpty({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
}

/** Whether labels are those that a selector wants; none given selects nothing, an empty one everything. */
export function selects(selector: LabelSelector | null | undefined, labels: Labels = {}): boolean {
  if (selector === undefined || selector === null) return false;
  const hasAll = hasLabels(selector.matchLabels ?? {}, labels);
  return hasAll && (selector.matchExpressions ?? []).every((expression) => holds(expression, labels));
}

export function hasLabels(wanted: Labels, labels: Labels = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** Node selectors know two operators more. An operator that is not known holds of nothing. */
export function holds({ key, operator, values }: Expression, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  const wanted = values ?? [];
  if (operator === 'In') return value !== undefined && wanted.includes(value);
  if (operator === 'NotIn') return value === undefined || !wanted.includes(value);
  if (operator === 'Exists') return value !== undefined;
  if (operator === 'DoesNotExist') return value === undefined;
  if (operator === 'Gt') return value !== undefined && Number(value) > Number(wanted[0]);
  return operator === 'Lt' && value !== undefined && Number(value) < Number(wanted[0]);
}
