import { visible } from './visible.ts';

/** A difference as `diff -u` shows it. Signs stand before the lines, so that no colour is needed to read it. */
export function Difference({ name, diff }: { readonly name: string; readonly diff: string }) {
  return (
    <pre class="diff" tabIndex={0} role="region" aria-label={`Change of ${visible(name)}`}>
      {diff
        .trimEnd()
        .split('\n')
        .map((line, index) => (
          <span key={index} class={line.startsWith('+') ? 'come' : line.startsWith('-') ? 'gone' : ''}>
            {`${visible(line)}\n`}
          </span>
        ))}
    </pre>
  );
}
