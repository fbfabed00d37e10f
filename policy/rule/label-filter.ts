/**
 * Which labels make an identity. Every pattern is tried from the start of the key; the longer match wins, an including
 * one against an excluding one. With a including pattern of the user's own, what no pattern includes is left out.
 */
import { parseKey } from './labels.ts';
import type { PolicyOptions } from './options.ts';

interface Pattern {
  /** '' = any source. */
  readonly source: string;
  readonly regexp: RegExp;
  readonly excludes: boolean;
}

const BUILT_IN = [
  'reserved:.*',
  'io\\.kubernetes\\.pod\\.namespace',
  'io\\.cilium\\.k8s\\.namespace\\.labels',
  'app\\.kubernetes\\.io',
  'io\\.cilium\\.k8s\\.policy\\.cluster',
  'io\\.cilium\\.k8s\\.policy\\.serviceaccount',
  '!io\\.kubernetes',
  '!kubernetes\\.io',
  '!statefulset\\.kubernetes\\.io/pod-name',
  '!apps\\.kubernetes\\.io/pod-index',
  '!batch\\.kubernetes\\.io/job-completion-index',
  '!batch\\.kubernetes\\.io/controller-uid',
  '!.*beta\\.kubernetes\\.io',
  '!k8s\\.io',
  '!pod-template-generation',
  '!pod-template-hash',
  '!controller-revision-hash',
  '!controller-uid',
  '!annotation.*',
  '!etcd_node',
  '!topology\\.kubernetes\\.io',
];

/** Compiled once; `keeps` is asked for every label of every pod, so answers are remembered by source and key. */
export class LabelFilter {
  readonly #patterns: readonly Pattern[];
  readonly #isWhitelist: boolean;
  readonly #answers = new Map<string, boolean>();

  /**
   * @param own patterns of the user, `[source:][!]regex`
   * @throws SyntaxError when one is no regular expression
   */
  constructor(own: readonly string[] = [], builtIn: readonly string[] = BUILT_IN) {
    this.#patterns = [...builtIn, ...own].map(parsePattern);
    this.#isWhitelist = own.some((text) => !parsePattern(text).excludes);
  }

  /** Which labels of pods the options make identities of: to Kubernetes every label counts. */
  static of({ labels, semantics }: PolicyOptions): LabelFilter {
    return semantics === 'kubernetes' && labels.length === 0 ? new LabelFilter([], []) : new LabelFilter(labels);
  }

  keeps(source: string, key: string): boolean {
    const name = `${source}:${key}`;
    let answer = this.#answers.get(name);
    if (answer === undefined) {
      answer = this.#decide(source, key);
      if (this.#answers.size > 10_000) this.#answers.clear();
      this.#answers.set(name, answer);
    }
    return answer;
  }

  #decide(source: string, key: string): boolean {
    let included = 0;
    let excluded = 0;
    for (const pattern of this.#patterns) {
      if (pattern.source !== '' && pattern.source !== source) continue;
      const match = pattern.regexp.exec(key);
      if (match === null || match.index !== 0) continue;
      if (!pattern.excludes) included = Math.max(included, match[0].length);
      else if (excluded === 0 || match[0].length < excluded) excluded = match[0].length;
    }
    return included > excluded || (excluded === 0 && !this.#isWhitelist);
  }
}

/** What is wrong with a pattern of the option `labels`: what is wanted instead; undefined when nothing is. */
export function labelPatternProblem(text: string): string | undefined {
  try {
    parsePattern(text);
    return undefined;
  } catch {
    return '[source:][!] and a regular expression';
  }
}

function parsePattern(text: string): Pattern {
  const bang = text.startsWith('!');
  const { source, key } = parseKey(bang ? text.slice(1) : text, '');
  const excludes = bang || key.startsWith('!');
  return {
    source: source === 'any' ? '' : source,
    regexp: new RegExp(key.startsWith('!') ? key.slice(1) : key),
    excludes,
  };
}
