/** How each verdict looks: the class that colours it (styles/base.css, styles/tokens.css), its shape and its word. */
import type { Verdict } from '../../hubble/flow.ts';

interface Mark {
  readonly kind: 'forwarded' | 'dropped' | 'audit' | 'error' | 'other';
  readonly shape: string;
  readonly word: string;
}

const MARKS: Readonly<Record<Verdict, Mark>> = {
  FORWARDED: { kind: 'forwarded', shape: '✓', word: 'forwarded' },
  REDIRECTED: { kind: 'forwarded', shape: '↪', word: 'redirected' },
  TRANSLATED: { kind: 'forwarded', shape: '⇄', word: 'translated' },
  DROPPED: { kind: 'dropped', shape: '✕', word: 'dropped' },
  AUDIT: { kind: 'audit', shape: '◐', word: 'audit' },
  ERROR: { kind: 'error', shape: '!', word: 'error' },
  TRACED: { kind: 'other', shape: '·', word: 'traced' },
  VERDICT_UNKNOWN: { kind: 'other', shape: '?', word: 'unknown' },
};

export function markOf(verdict: Verdict): Mark {
  return MARKS[verdict] ?? MARKS.VERDICT_UNKNOWN;
}
