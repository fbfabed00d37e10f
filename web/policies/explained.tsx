/**
 * Which rule decided: the judge is asked for a flow of each situation, once, one after another. A flow is judged by the policies of now;
 * when these change, it is asked again.
 */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Explanation } from '../../explain/explanation.ts';
import { agent } from '../shell/agent.ts';
import type { Situation } from '../stream/decisions.ts';
import { policyKey } from '../controls/policy-key.ts';
import type { PolicyText } from './policy-text.ts';
import { known, messageOf } from './store.tsx';

const MAX_KEPT = 500;

type Explained = Pick<Explanation, 'explanation'>;

/** By the situation; without a rule for what the judge could not answer. */
const answers = signal<ReadonlyMap<string, Explained>>(new Map());
let answeredFor: unknown;

const UNEXPLAINED: Explained = { explanation: [] };

export function useExplained(situations: readonly Situation[]): void {
  const { policies } = known.value;
  const objects = JSON.stringify(policies?.map(({ object }) => object));
  useEffect(() => {
    if (answeredFor !== objects) answers.value = new Map();
    answeredFor = objects;
    const gone = new AbortController();
    void askEach(situations, gone.signal);
    return () => gone.abort();
  }, [situations.map(({ key }) => key).join('\n'), objects]);
}

async function askEach(situations: readonly Situation[], gone: AbortSignal): Promise<void> {
  for (const { key, flow } of situations) {
    if (answers.value.has(key)) continue;
    let answer = UNEXPLAINED;
    try {
      answer = await agent.judge('explain', { flow }, { signal: gone });
    } catch (error) {
      if (gone.aborted) return;
      messageOf(error); // an end that is gone: no rule is told
    }
    answers.value = new Map([...answers.value, [key, answer] as const].slice(-MAX_KEPT));
  }
}

export interface Hit {
  readonly path: string;
  allowed: number;
  denied: number;
}

/** Flows by the line of the rule that decided them. */
export function rulesHit(situations: readonly Situation[], policy: string, text: PolicyText): Map<number, Hit> {
  const hits = new Map<number, Hit>();
  for (const { key, word, count } of situations) {
    const origins = answers.value.get(key)?.explanation.flatMap(({ decidedBy }) => decidedBy) ?? [];
    for (const { path } of origins.filter((origin) => policyKey(origin) === policy)) {
      const line = text.lineOf(path === '' ? 'spec' : path);
      const hit = hits.get(line) ?? { path, allowed: 0, denied: 0 };
      hits.set(line, hit);
      hit[word === 'allowed' ? 'allowed' : 'denied'] += count;
    }
  }
  return hits;
}
