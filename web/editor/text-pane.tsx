/** The text with its line numbers and the marks of problems, and the problems one by one. */
import { useRef } from 'preact/hooks';
import type { RefObject } from 'preact';
import type { Problem } from '../../policy/rule/problems.ts';
import { linesThatHide, visible } from '../controls/visible.ts';
import { checked } from './checks.tsx';
import { partOf } from './model/part.ts';
import { text, type } from './store.tsx';

export function TextPane() {
  const area = useRef<HTMLTextAreaElement>(null);
  const { problems, failure, isCurrent } = checked.value;
  const lines = text.value.split('\n').length;
  const { shown } = partOf(problems);
  const hasErrors = problems.some(({ severity }) => severity === 'error');
  return (
    <section class="text" aria-label="YAML">
      <div class="sheet">
        <div class="gutter" aria-hidden="true">
          <pre>{Array.from({ length: lines }, (_, i) => i + 1).join('\n')}</pre>
          {shown.map((problem, i) => (
            <Mark key={i} problem={problem} />
          ))}
        </div>
        <textarea
          ref={area}
          class="mono"
          aria-label="Policy as YAML"
          aria-invalid={hasErrors}
          aria-describedby="editor-problems"
          spellcheck={false}
          autocomplete="off"
          wrap="off"
          rows={lines + 1}
          value={text.value}
          onInput={(event) => type(event.currentTarget.value)}
          onKeyDown={indent}
        />
      </div>
      <div id="editor-problems" class="problems" aria-live="polite" aria-busy={!isCurrent}>
        {failure !== '' && <p class="failure">Not checked: {visible(failure)}</p>}
        {problems.length === 0 && failure === '' && <p class="fine">{isCurrent ? '✓ No problems' : 'Checking…'}</p>}
        <ul>
          <Hidden area={area} />
          {shown.map((problem, i) => (
            <ProblemItem key={i} problem={problem} area={area} />
          ))}
        </ul>
        {problems.length > shown.length && <p>and {problems.length - shown.length} more problems</p>}
      </div>
    </section>
  );
}

/** Beside its line. */
function Mark({ problem: { severity, line } }: { readonly problem: Problem }) {
  if (line < 1) return null;
  return (
    <span class={`mark ${severity}`} style={{ top: `calc(${line - 1} * var(--line-height))` }}>
      {severity === 'error' ? '✕' : '!'}
    </span>
  );
}

interface ItemProps {
  readonly problem: Problem;
  readonly area: RefObject<HTMLTextAreaElement | null>;
}

function ProblemItem({ problem: { severity, line, column, message, hint, path }, area }: ItemProps) {
  return (
    <li class={severity}>
      <button type="button" class="quiet" onClick={() => goTo(area.current, line, column)}>
        {severity} in line {line}
      </button>{' '}
      {visible(message)}
      {path !== '' && <span class="mono path"> {visible(path)}</span>}
      {hint !== undefined && <span class="hint"> {visible(hint)}</span>}
    </li>
  );
}

/** A text that is edited cannot show them as the rest of the page does, so where they are is told. */
function Hidden({ area }: Pick<ItemProps, 'area'>) {
  const [line, ...others] = linesThatHide(text.value);
  if (line === undefined) return null;
  return (
    <li class="warning">
      <button type="button" class="quiet" onClick={() => goTo(area.current, line, 1)}>
        warning in line {line}
      </button>{' '}
      {others.length > 0 && `and ${others.length} more: `}characters that hide, or turn the order of others: the text is
      not what it looks like
    </li>
  );
}

/** Puts the cursor to a place. */
function goTo(area: HTMLTextAreaElement | null, line: number, column: number): void {
  if (area === null) return;
  const before = area.value.split('\n').slice(0, Math.max(0, line - 1));
  const at = before.reduce((sum, one) => sum + one.length + 1, 0) + Math.max(0, column - 1);
  area.focus();
  area.setSelectionRange(at, at);
}

/** Enter begins the next line where this one began. */
function indent(event: KeyboardEvent): void {
  if (event.key !== 'Enter' || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const area = event.currentTarget as HTMLTextAreaElement;
  const before = area.value.slice(0, area.selectionStart);
  const [spaces] = /^ */.exec(before.slice(before.lastIndexOf('\n') + 1)) ?? [''];
  event.preventDefault();
  area.setRangeText(`\n${spaces}`, area.selectionStart, area.selectionEnd, 'end');
  type(area.value);
}
