/** What the judge answers to each question of the page: whoever asks and whoever answers have it from here. */
import type { Problem } from '../policy/rule/problems.ts';
import type { FlowExplanation, PatchedExplanation } from './explanation.ts';
import type { ConnectionDocument, ReplayDocument } from './flows/replay-document.ts';
import type { MatrixRow } from './matrix/matrix.ts';
import type { SelectedDocument, SelectorRow } from './selectors.ts';
import type { Validation } from './validation.ts';

/** What each question is answered. */
export interface JudgeAnswers {
  readonly explain: PatchedExplanation & Partial<FlowExplanation>;
  readonly validate: Validation;
  readonly replay: ReplayDocument & { readonly isCut: boolean };
  readonly generate: GeneratedDocument;
  readonly matrix: { readonly rows: readonly MatrixRow[]; readonly notes: readonly string[] };
  readonly lint: { readonly problems: readonly Problem[] };
  readonly selected: { readonly policies: readonly SelectedDocument[]; readonly selectors: readonly SelectorRow[] };
}

interface GeneratedDocument {
  /** All policies as manifests, with what is to be said in comments; '' when none came of the flows. */
  readonly yaml: string;
  readonly policies: readonly object[];
  /** That was judged again, and what of it the policies deny: nothing, but for what a NetworkPolicy cannot say. */
  readonly proof: {
    readonly flows: number;
    readonly connections: number;
    readonly denied: readonly ConnectionDocument[];
  };
  /** Flows that no rule was made of, by the reason. */
  readonly left: Readonly<Record<string, number>>;
  readonly problems: readonly Problem[];
  readonly isCut: boolean;
}
