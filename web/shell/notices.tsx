/** What happened, for eyes and for screen readers: `announce` is only heard, `notify` is shown as well until it is read or old. */
import { type ReadonlySignal, signal } from '@preact/signals';

export interface Notice {
  readonly id: number;
  readonly text: string;
  /** A failure stays until it is closed. */
  readonly isFailure: boolean;
}

const SHOWN_MS = 6000;
const MAX_NOTICES = 5;

const shown = signal<readonly Notice[]>([]);
const heard = signal('');
let lastId = 0;

export const notices: ReadonlySignal<readonly Notice[]> = shown;
export const announcement: ReadonlySignal<string> = heard;

/** Says `text` to a screen reader, politely. */
export function announce(text: string): void {
  heard.value = text;
}

/** Shows `text` in the corner. */
export function notify(text: string, isFailure = false): void {
  const notice = { id: ++lastId, text, isFailure };
  shown.value = [...shown.value, notice].slice(-MAX_NOTICES);
  if (!isFailure) setTimeout(() => dismiss(notice.id), SHOWN_MS);
}

export function dismiss(id: number): void {
  shown.value = shown.value.filter((notice) => notice.id !== id);
}
