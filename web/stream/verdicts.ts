/** Counts by verdict, in the four classes that the page has colours for. */
import type { Verdict } from '../../hubble/flow.ts';

export const VERDICT_CLASSES = ['forwarded', 'dropped', 'audit', 'error'] as const;

export type VerdictClass = (typeof VERDICT_CLASSES)[number];

export type Verdicts = Record<VerdictClass, number>;

export const zeroVerdicts = (): Verdicts => ({ forwarded: 0, dropped: 0, audit: 0, error: 0 });

/** The class of a verdict; what is no verdict on a packet (traced, translated) went on. */
export function verdictClass(verdict: Verdict): VerdictClass {
  if (verdict === 'DROPPED') return 'dropped';
  if (verdict === 'AUDIT') return 'audit';
  return verdict === 'ERROR' ? 'error' : 'forwarded';
}

/** Columns of `MapChanges.figures`: number of the edge, flows by verdict, flows a second, when it last had one, when one was dropped. */
export const FIGURES = ['edge', 'forwarded', 'dropped', 'audit', 'error', 'rate', 'lastMs', 'droppedMs'] as const;
