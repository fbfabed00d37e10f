/** Labels and label selectors as kubectl prints them. */

interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | null;
}

/** A selector in one line, in the order of its keys. @param whenEmpty what stands for one that says nothing */
export function selectorText(selector: unknown, whenEmpty: string): string {
  const { matchLabels, matchExpressions } = (selector ?? {}) as {
    matchLabels?: Readonly<Record<string, string>> | null;
    matchExpressions?: readonly Expression[] | null;
  };
  const parts: (readonly [key: string, text: string])[] = [
    ...Object.entries(matchLabels ?? {}).map(([key, value]) => [key, `${key}=${value}`] as const),
    ...(matchExpressions ?? []).map((expression) => [expression.key, expressionText(expression)] as const),
  ];
  const texts = parts.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, text]) => text);
  return texts.length === 0 ? whenEmpty : texts.join(',');
}

function expressionText({ key, operator, values }: Expression): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operator === 'In' ? 'in' : 'notin'} (${[...(values ?? [])].sort().join(',')})`;
}

/** `a=1,b=2`, or `<none>`. */
export function labelText(labels: unknown): string {
  const texts = Object.entries((labels ?? {}) as Readonly<Record<string, string>>).map(
    ([key, value]) => `${key}=${value}`,
  );
  return texts.length === 0 ? '<none>' : texts.sort().join(',');
}
