/** Keys that work in every view. A view's own keys go through `useKeys` too, so that the help lists them. */
import { type ReadonlySignal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

export interface Key {
  /** As KeyboardEvent.key has it. */
  readonly key: string;
  /** What it does, for the help: "go to the map". */
  readonly does: string;
  readonly run: () => void;
}

const bound = signal<readonly Key[]>([]);

/** The keys that do something now. */
export const keys: ReadonlySignal<readonly Key[]> = bound;

/** Binds keys while the component is shown. `own` must be the same object in each rendering. */
export function useKeys(own: readonly Key[]): void {
  useEffect(() => {
    bound.value = [...bound.value, ...own];
    return () => {
      bound.value = bound.value.filter((key) => !own.includes(key));
    };
  }, [own]);
}

/** Where letters are text and not commands. */
const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select, dialog *'));

window.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || isTyping(event.target)) return;
  // What was bound last wins: a view over the shell.
  const found = bound.value.findLast(({ key }) => key === event.key);
  if (found === undefined) return;
  event.preventDefault();
  found.run();
});
