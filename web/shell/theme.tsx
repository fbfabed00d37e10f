/** Light, dark, or as the system says. The style sheet does the rest: `light-dark()` in styles/tokens.css. */
import { type ReadonlySignal, signal } from '@preact/signals';

const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'sluice-theme';

/** A browser may forbid storage altogether; then the choice lasts as long as the page. */
function stored(): Theme {
  try {
    const found = window.localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === found) ?? 'auto';
  } catch {
    return 'auto';
  }
}

const chosen = signal(stored());
export const theme: ReadonlySignal<Theme> = chosen;

const show = () => (document.documentElement.dataset['theme'] = chosen.value);
show();

/** The next of auto, light and dark. */
export function turnTheme(): void {
  chosen.value = THEMES[(THEMES.indexOf(chosen.value) + 1) % THEMES.length];
  show();
  try {
    window.localStorage.setItem(KEY, chosen.value);
  } catch {
    // See above.
  }
}
