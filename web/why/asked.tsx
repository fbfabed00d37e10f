/** What is asked, and what the judge says: the flow or the pair that the address names. */
import { computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import type { FlowExplanation, PatchedExplanation } from '../../explain/explanation.ts';
import type { Flow } from '../../hubble/flow.ts';
import { opened } from '../flows/opened.tsx';
import { agent } from '../shell/agent.ts';
import { route } from '../shell/location.tsx';
import { flowByUuid } from '../stream/flow-by-uuid.ts';
import { pairOf, questionOf } from './pair.ts';

export type Explained = PatchedExplanation & Partial<FlowExplanation>;

interface Asked {
  readonly state: 'nothing' | 'asking' | 'answered' | 'failed';
  readonly flow?: Flow | undefined;
  readonly answer?: Explained;
  readonly problem?: string;
}

const NOTHING: Asked = { state: 'nothing' };
const current = signal(NOTHING);
export const asked: ReadonlySignal<Asked> = current;

/** What the address asks about, as a text: only another one is another question. */
const asksFor = computed(() => {
  const { view, params } = route.value;
  if (view !== 'why') return '';
  const uuid = params.get('flow') ?? '';
  return uuid === '' ? JSON.stringify(pairOf(params) ?? null) : JSON.stringify({ uuid });
});

let stop = new AbortController();

effect(() => ask(asksFor.value));

/** Policies may have changed meanwhile. */
export function askAgain(): void {
  ask(asksFor.value);
}

function ask(what: string): void {
  stop.abort();
  stop = new AbortController();
  if (what === '' || what === 'null') current.value = NOTHING;
  else void run(stop.signal);
}

async function run(signal: AbortSignal): Promise<void> {
  current.value = { state: 'asking' };
  let said: Asked;
  try {
    said = await answerOf(signal);
  } catch (error) {
    said = { state: 'failed', problem: (error as Error).message };
  }
  if (!signal.aborted) current.value = said;
}

async function answerOf(signal: AbortSignal): Promise<Asked> {
  const { params } = route.peek();
  const uuid = params.get('flow') ?? '';
  if (uuid === '') {
    const answer = await agent.judge('explain', { query: questionOf(pairOf(params)!) }, { signal });
    return { state: 'answered', answer };
  }
  const shown = opened.peek();
  const flow = shown?.uuid === uuid && shown.flow !== undefined ? shown.flow : await flowByUuid(uuid);
  if (flow === undefined) return { state: 'failed', problem: 'The agent does not keep this flow any more.' };
  return { state: 'answered', flow, answer: await agent.judge('explain', { flow }, { signal }) };
}
