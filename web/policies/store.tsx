/**
 * What the view knows of policies. The agent is asked for its policies and the stream for what they decided, while the view is shown and the
 * page is seen; the judge is asked only when policies or pods have changed, or after a while, as it is slower.
 */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { CookieDocument, EndpointDocument, PolicyDocument } from '../../api/shapes.ts';
import type { SelectedDocument } from '../../explain/selectors.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { agent, AgentError } from '../shell/agent.ts';
import type { Decisions } from '../stream/decisions.ts';
import { stream } from '../stream/stream.tsx';

/** What "lately" is. */
export const RECENT_MINUTES = 5;
const TICK_MS = 2000;
const POLICIES_MS = 6000;
const JUDGE_MS = 60_000;

interface Known {
  readonly policies: readonly PolicyDocument[] | undefined;
  /** Where each rule stands in its file. */
  readonly cookies: readonly CookieDocument[];
  readonly pods: readonly string[];
  readonly namespaces: readonly string[];
  /** Why the agent did not tell them; '' when it did. */
  readonly failure: string;
}

interface Judged {
  readonly selected: readonly SelectedDocument[] | undefined;
  readonly problems: readonly Problem[];
  readonly failure: string;
}

export const known = signal<Known>({ policies: undefined, cookies: [], pods: [], namespaces: [], failure: '' });
export const judged = signal<Judged>({ selected: undefined, problems: [], failure: '' });
/** Undefined until the stream has answered. */
export const decisions = signal<Decisions | undefined>(undefined);

let judgedFor = '';
let judgedMs = 0;

export async function askAgent(): Promise<void> {
  try {
    const [policies, cookies, endpoints] = await Promise.all([
      agent.get('/v1/policies'),
      agent.get('/v1/cookies'),
      agent.get('/v1/endpoints'),
    ]);
    const namespaces = [...new Set(endpoints.map(({ namespace }) => namespace))].sort();
    const pods = endpoints.map(podName).sort();
    known.value = { policies, cookies, pods, namespaces, failure: '' };
    const state = JSON.stringify([policies, pods]);
    if (state === judgedFor && performance.now() - judgedMs < JUDGE_MS) return;
    judgedFor = state;
    judgedMs = performance.now();
    await askJudge();
  } catch (error) {
    known.value = { ...known.value, failure: messageOf(error) };
  }
}

const podName = ({ namespace, pod }: EndpointDocument) => `${namespace}/${pod}`;

async function askJudge(): Promise<void> {
  try {
    const [{ policies: selected }, { problems }] = await Promise.all([
      agent.judge('selected', {}),
      agent.judge('lint', {}),
    ]);
    judged.value = { selected, problems, failure: '' };
  } catch (error) {
    judgedFor = '';
    judged.value = { ...judged.value, failure: messageOf(error) };
  }
}

/** @throws what is no failure of the agent */
export function messageOf(error: unknown): string {
  if (error instanceof AgentError) return error.message;
  throw error;
}

async function askStream(policy: string): Promise<void> {
  decisions.value = await stream.decisions(Date.now() - RECENT_MINUTES * 60_000, policy);
}

/** Keeps all of it fresh. @param policy of which it is also wanted on what it decided */
export function useFresh(policy: string): void {
  useEffect(() => {
    let isGone = false;
    let isAsking = false;
    let agentMs = Number.NEGATIVE_INFINITY;
    const tick = async (): Promise<void> => {
      if (isAsking || document.hidden) return;
      isAsking = true;
      try {
        await askStream(policy);
        if (!isGone && performance.now() - agentMs >= POLICIES_MS) {
          agentMs = performance.now();
          await askAgent();
        }
      } finally {
        isAsking = false;
      }
    };
    void tick();
    const timer = window.setInterval(() => void tick(), TICK_MS);
    return () => {
      isGone = true;
      clearInterval(timer);
    };
  }, [policy]);
}
