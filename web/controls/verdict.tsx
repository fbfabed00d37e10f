/** A verdict as a word with a shape and a colour, so that none of the three is needed to tell it. */
import type { Verdict as Name } from '../../hubble/flow.ts';
import { markOf } from './verdict-mark.ts';

export function Verdict({ verdict }: { readonly verdict: Name }) {
  const { kind, shape, word } = markOf(verdict);
  return (
    <span class={`verdict ${kind}`}>
      <span aria-hidden="true">{shape}</span>
      {word}
    </span>
  );
}
