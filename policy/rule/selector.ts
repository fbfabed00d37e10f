/** Label selectors: a list of requirements that must all hold. */
import { createHash } from 'node:crypto';
import { formatLabel, type LabelSet, parseKey } from './labels.ts';

export type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';

export interface Requirement {
  /** 'any' matches whatever source the label has. */
  readonly source: string;
  readonly key: string;
  readonly operator: Operator;
  /** Sorted; empty for Exists and DoesNotExist. */
  readonly values: readonly string[];
}

/** All requirements must hold; none = every label set. */
export type LabelSelector = readonly Requirement[];

/** A selector as documents have it. */
export interface SelectorDocument {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { key: string; operator: Operator; values?: readonly string[] }[];
}

/** @param defaultSource the source of keys written without one: 'any' in Cilium documents, 'k8s' in Kubernetes' */
export function selectorFrom(document: SelectorDocument, defaultSource: string): LabelSelector {
  const requirements: Requirement[] = [];
  for (const [key, value] of Object.entries(document.matchLabels ?? {})) {
    requirements.push(equals(parseKey(key, defaultSource), value));
  }
  for (const { key, operator, values } of document.matchExpressions ?? []) {
    requirements.push({ ...parseKey(key, defaultSource), operator, values: [...new Set(values ?? [])].sort() });
  }
  return requirements;
}

export function equals(name: { source: string; key: string }, value: string): Requirement {
  return { source: name.source, key: name.key, operator: 'In', values: [value] };
}

export function exists(source: string, key: string): Requirement {
  return { source, key, operator: 'Exists', values: [] };
}

export function selects(selector: LabelSelector, labels: LabelSet): boolean {
  for (const requirement of selector) if (!holds(requirement, labels)) return false;
  return true;
}

function holds({ source, key, operator, values }: Requirement, labels: LabelSet): boolean {
  switch (operator) {
    case 'In':
      return labels.hasOneOf(source, key, values);
    case 'NotIn':
      return !labels.hasOneOf(source, key, values);
    case 'Exists':
      return labels.has(source, key);
    case 'DoesNotExist':
      return !labels.has(source, key);
  }
}

/** Equal for selectors that are written differently but require the same. */
export function selectorKey(selector: LabelSelector): string {
  return selector.map(requirementText).sort().join(',');
}

/** Requirements that many selectors have in common: held once, however many they are. */
export class Requirements {
  readonly selector: LabelSelector;
  /** Equal for requirements that are the same. */
  readonly key: string;
  readonly #texts: ReadonlySet<string>;

  constructor(selector: LabelSelector) {
    const byText = new Map(selector.map((requirement) => [requirementText(requirement), requirement]));
    this.selector = [...byText.values()];
    this.#texts = new Set(byText.keys());
    const text = [...this.#texts].sort().join(',');
    // Part of the key of each of those selectors.
    this.key = text.length <= 64 ? text : createHash('sha256').update(text).digest('base64');
  }

  /** What a selector requires besides. */
  without(selector: LabelSelector): LabelSelector {
    return selector.filter((requirement) => !this.#texts.has(requirementText(requirement)));
  }
}

function requirementText({ source, key, operator, values }: Requirement): string {
  if (operator === 'In' && values.length === 1) return `${source}:${key}=${values[0]}`;
  if (operator === 'Exists') return formatLabel(source, key);
  if (operator === 'DoesNotExist') return `!${formatLabel(source, key)}`;
  return `${formatLabel(source, key)} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
}

export function mentions(selector: LabelSelector, test: (source: string, key: string) => boolean): boolean {
  return selector.some((requirement) => test(requirement.source, requirement.key));
}
