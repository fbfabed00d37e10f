/** A view without anything to show, or with a failure, says why and what to do. */
import type { ComponentChildren } from 'preact';
import { visible } from './visible.ts';

interface Props {
  readonly title: string;
  readonly text: string;
  /** Buttons or links that help. */
  readonly children?: ComponentChildren;
}

export function Empty({ title, text, children }: Props) {
  return (
    <section class="empty">
      <h2>{title}</h2>
      <p>{visible(text)}</p>
      {children !== undefined && <div class="actions">{children}</div>}
    </section>
  );
}
