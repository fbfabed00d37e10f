/**
 * Kubernetes label selectors over Cilium labels: `app=web,tier!=db,!canary,k8s:zone in (a, b),reserved:world`. A key
 * without a source matches any source. Compiled once to a predicate over labels of the form `source:key=value`.
 */

/** Answers whether labels match. */
export type LabelPredicate = (labels: readonly string[]) => boolean;

interface Label {
  readonly source: string;
  readonly key: string;
  readonly value: string;
}

/** Takes `source:key=value` apart. Values may hold anything; a label without a source has the source ''. */
function parseLabel(text: string): Label {
  const equals = text.indexOf('=');
  const head = equals < 0 ? text : text.slice(0, equals);
  const colon = head.indexOf(':');
  const source = colon < 0 ? '' : head.slice(0, colon);
  return { source, key: head.slice(colon + 1), value: equals < 0 ? '' : text.slice(equals + 1) };
}

type Operator = 'exists' | 'absent' | 'in' | 'not in';

const KEY = String.raw`((?:[a-z0-9-]+:)?[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?)`;
const VALUE = String.raw`[-A-Za-z0-9_./:]*`;
const REQUIREMENTS: readonly (readonly [RegExp, Operator])[] = [
  [new RegExp(String.raw`^!\s*${KEY}$`), 'absent'],
  [new RegExp(String.raw`^${KEY}$`), 'exists'],
  [new RegExp(String.raw`^${KEY}\s*={1,2}\s*(${VALUE})$`), 'in'],
  [new RegExp(String.raw`^${KEY}\s*!=\s*(${VALUE})$`), 'not in'],
  [new RegExp(String.raw`^${KEY}\s+in\s*\(([^()]*)\)$`), 'in'],
  [new RegExp(String.raw`^${KEY}\s+notin\s*\(([^()]*)\)$`), 'not in'],
];

/**
 * Compiles a selector.
 * @throws SyntaxError naming the requirement that makes no sense
 */
export function compileSelector(selector: string): LabelPredicate {
  const requirements = splitRequirements(selector).map(compileRequirement);
  return (texts) => {
    const labels = texts.map(parseLabel);
    return requirements.every((matches) => matches(labels));
  };
}

/** Splits at commas outside parentheses. */
function splitRequirements(selector: string): string[] {
  const parts = selector.match(/(?:\([^()]*\)|[^,()])+/g) ?? [];
  if (parts.join(',') !== selector)
    throw new SyntaxError(`parse label selector: "${selector}" has an empty requirement`);
  return parts.map((part) => part.trim());
}

function compileRequirement(text: string): (labels: readonly Label[]) => boolean {
  for (const [pattern, operator] of REQUIREMENTS) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const { source, key } = parseLabel(match[1]);
    const values = new Set((match[2] ?? '').split(',').map((value) => value.trim()));
    return requirement(operator, (label) => label.key === key && isSource(label.source, source), values);
  }
  throw new SyntaxError(
    `parse label selector: "${text}" is no requirement, wanted e.g. "app=web", "!app", "app in (a, b)"`,
  );
}

function isSource(source: string, wanted: string): boolean {
  return wanted === '' || wanted === 'any' || source === wanted;
}

function requirement(operator: Operator, isKey: (label: Label) => boolean, values: ReadonlySet<string>) {
  return (labels: readonly Label[]) => {
    const found = labels.filter(isKey);
    if (operator === 'exists') return found.length > 0;
    if (operator === 'absent') return found.length === 0;
    const isIn = found.some((label) => values.has(label.value));
    return operator === 'in' ? isIn : !isIn;
  };
}
