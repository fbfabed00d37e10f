/** What the agent's validator says of the text, a moment after the last key. What it said of an earlier text stays until it answers. */
import { type ReadonlySignal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Problem } from '../../policy/rule/problems.ts';
import { agent, AgentError } from '../shell/agent.ts';
import { leaving, open, text } from './store.tsx';

interface Checked {
  readonly problems: readonly Problem[];
  /** Why the agent could not be asked; '' when it could. */
  readonly failure: string;
  /** Said of the text as it is now. */
  readonly isCurrent: boolean;
}

const KEYS_PAUSE_MS = 300;

const last = signal<Checked>({ problems: [], failure: '', isCurrent: false });

export const checked: ReadonlySignal<Checked> = last;

/** A text that was sent is in force, or was refused: what the agent said of it is what there is to say. */
export function told(problems: readonly Problem[]): void {
  last.value = { problems, failure: '', isCurrent: true };
}

/** Asks while the component is shown. */
export function useChecks(): void {
  const now = text.value;
  useEffect(() => {
    const abort = new AbortController();
    last.value = { ...last.value, isCurrent: false };
    const timer = setTimeout(() => void check(abort.signal), KEYS_PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [now]);
}

async function check(signal: AbortSignal): Promise<void> {
  if (text.value.trim() === '') {
    told([]);
    return;
  }
  try {
    const { problems } = await agent.judge('validate', { manifests: leaving(), file: 'editor' }, { signal });
    if (!signal.aborted) told(problems);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof AgentError)) throw error;
    last.value = { problems: parsedProblems(), failure: error.message, isCurrent: true };
  }
}

/** Without the agent there is what the parser says. */
function parsedProblems(): Problem[] {
  return open.value.problems.map(({ line, column, message }) => ({
    file: '',
    line,
    column,
    path: '',
    severity: 'error',
    code: 'syntax',
    message: `read YAML: ${message}`,
  }));
}
