/** The text of a policy with line numbers that are links, and marks where flows hit a rule. */
import { useEffect, useRef } from 'preact/hooks';
import { visible } from '../controls/visible.ts';
import type { Hit } from './explained.tsx';
import type { PolicyText } from './policy-text.ts';

interface Props {
  readonly policy: string;
  readonly text: PolicyText;
  /** The line that a link wants; 0 for none. */
  readonly wanted: number;
  readonly hits: ReadonlyMap<number, Hit>;
}

export function TextLines({ policy, text, wanted, hits }: Props) {
  const target = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (wanted === 0) return;
    target.current?.scrollIntoView({ block: 'center' });
    target.current?.focus({ preventScroll: true });
  }, [policy, wanted]);
  return (
    <section>
      <h3>Text</h3>
      <div class="scroll" tabIndex={0} role="region" aria-label="Text of the policy">
        <ol class="lines mono">
          {text.lines.map((line, index) => (
            <Line
              key={index}
              number={index + 1}
              line={line}
              hit={hits.get(index + 1)}
              isWanted={index + 1 === wanted}
              mark={target}
            />
          ))}
        </ol>
      </div>
      {text.isCut && <p class="note">The text goes on; the editor has all of it.</p>}
    </section>
  );
}

interface LineProps {
  readonly number: number;
  readonly line: string;
  readonly hit: Hit | undefined;
  readonly isWanted: boolean;
  readonly mark: { current: HTMLLIElement | null };
}

function Line({ number, line, hit, isWanted, mark }: LineProps) {
  const kind = [isWanted ? 'wanted' : '', hit === undefined ? '' : 'hit'].join(' ').trim();
  return (
    <li
      value={number}
      class={kind}
      tabIndex={isWanted ? -1 : undefined}
      aria-current={isWanted ? 'location' : undefined}
      ref={isWanted ? mark : null}
    >
      <code>{visible(line)}</code>
      {hit !== undefined && hit.allowed > 0 && (
        <span class="verdict forwarded">
          <span aria-hidden="true">✓</span>
          {hit.allowed} allowed
        </span>
      )}
      {hit !== undefined && hit.denied > 0 && (
        <span class="verdict dropped">
          <span aria-hidden="true">✕</span>
          {hit.denied} denied
        </span>
      )}
    </li>
  );
}
