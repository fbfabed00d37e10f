/**
 * Whether the page hears its agent. Two things are watched: questions (GET /v1/status now and then, which also tells who the agent
 * is), and the stream of flows. What is wrong with either is shown in the header, with when the next try is; nobody has to load
 * the page again.
 */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { StatusDocument } from '../../api/shapes.ts';
import { AgentError, agent } from './agent.ts';
import { backoffMs } from './backoff.ts';
import { stream } from '../stream/stream.tsx';
import { notify } from './notices.tsx';

export interface Link {
  readonly state: 'connecting' | 'live' | 'lost' | 'locked';
  /** What is wrong, a sentence; '' when nothing is. */
  readonly problem: string;
  /** When the next try is, of a link that is lost. */
  readonly retryAtMs: number;
}

const CONNECTING: Link = { state: 'connecting', problem: '', retryAtMs: 0 };
const LIVE: Link = { state: 'live', problem: '', retryAtMs: 0 };
const BEAT_MS = 10_000;

const questions = signal(CONNECTING);
const status = signal<StatusDocument | undefined>(undefined);

/** What the agent said of itself last. */
export const agentStatus: ReadonlySignal<StatusDocument | undefined> = status;

/** The worse of the two. */
export const connection = computed((): Link => {
  const { state, problem, retryAtMs } = stream.link.value;
  const isStreamLost = state === 'lost' && questions.value.state === 'live';
  return isStreamLost ? { state: 'lost', problem, retryAtMs } : questions.value;
});

let timer = 0;
let failures = 0;

/** Asks now, and then again and again. */
export async function beat(): Promise<void> {
  stream.retry();
  clearTimeout(timer);
  let waitMs = BEAT_MS;
  try {
    status.value = await agent.get('/v1/status', { signal: AbortSignal.timeout(BEAT_MS) });
    if (failures > 0) notify('Connected again');
    failures = 0;
    questions.value = LIVE;
  } catch (error) {
    const isLocked = error instanceof AgentError && error.status === 401;
    waitMs = isLocked ? BEAT_MS : backoffMs(++failures, Math.random());
    const problem = error instanceof AgentError ? error.message : 'the agent takes too long to answer';
    questions.value = { state: isLocked ? 'locked' : 'lost', problem, retryAtMs: Date.now() + waitMs };
  }
  timer = window.setTimeout(() => void beat(), waitMs);
}

/** A laptop that wakes up, a network that is back: no reason to wait for the timer. */
window.addEventListener('online', () => void beat());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && questions.value.state !== 'live') void beat();
});
