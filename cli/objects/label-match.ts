/** Objects chosen by `-l`. */
import { compileSelector } from '../../hubble/filter/label-selector.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import { EXIT, Failure } from '../terminal/failure.ts';

/**
 * A predicate for a selector such as `app=web,tier!=db`, `app in (a,b)`, `!canary`; '' matches all.
 * @throws Failure (usage) for what is no selector
 */
export function labelMatcher(selector: string | undefined): (object: Manifest) => boolean {
  try {
    const matches = compileSelector((selector ?? '').trim());
    return ({ metadata }) => matches(Object.entries(metadata?.labels ?? {}).map(([key, value]) => `${key}=${value}`));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure(`-l: ${error.message}`, EXIT.USAGE);
    throw error;
  }
}
