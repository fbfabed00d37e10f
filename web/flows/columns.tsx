/** The columns that are shown, as somebody chose them, and the menu to choose them by. */
import { computed, signal } from '@preact/signals';
import { COLUMNS, type ColumnName } from './cells.ts';

const KEY = 'sluice-flow-columns';
const USUAL = COLUMNS.filter(({ isUsual }) => isUsual).map(({ name }) => name);

/** What is stored may be of another version, or nonsense. */
function stored(): readonly ColumnName[] {
  try {
    const found: unknown = JSON.parse(window.localStorage.getItem(KEY) ?? 'null');
    const names = Array.isArray(found) ? COLUMNS.filter(({ name }) => found.includes(name)) : [];
    return names.length === 0 ? USUAL : names.map(({ name }) => name);
  } catch {
    return USUAL;
  }
}

const chosen = signal(stored());

export const shownColumns = computed(() => COLUMNS.filter(({ name }) => chosen.value.includes(name)));

function choose(names: readonly ColumnName[]): void {
  if (names.length === 0) return; // a table has a column
  chosen.value = names;
  try {
    window.localStorage.setItem(KEY, JSON.stringify(names));
  } catch {
    // A browser may forbid storage; then the choice lasts as long as the page.
  }
}

export function ColumnsMenu() {
  return (
    <details class="menu">
      <summary class="button">Columns</summary>
      <fieldset>
        <legend class="heard">Columns</legend>
        {COLUMNS.map(({ name, title }) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={chosen.value.includes(name)}
              onChange={({ currentTarget }) =>
                choose(currentTarget.checked ? [...chosen.value, name] : chosen.value.filter((one) => one !== name))
              }
            />{' '}
            {title}
          </label>
        ))}
        <button type="button" onClick={() => choose(USUAL)}>
          The usual ones
        </button>
      </fieldset>
    </details>
  );
}
