/** The keys that work now, in a dialog. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Verdict } from '../controls/verdict.tsx';
import { keys } from './keyboard.tsx';

const SHOWN = ['FORWARDED', 'REDIRECTED', 'TRANSLATED', 'DROPPED', 'AUDIT', 'ERROR'] as const;

const isOpen = signal(false);

export function openHelp(): void {
  isOpen.value = true;
}

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen.value) dialog.current?.showModal();
  }, [isOpen.value]);
  if (!isOpen.value) return null;
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (isOpen.value = false)}>
      <h2 id="help-title">Keys</h2>
      <dl>
        {keys.value.map(({ key, does }) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <h2>Verdicts</h2>
      <p class="actions">
        {SHOWN.map((verdict) => (
          <Verdict key={verdict} verdict={verdict} />
        ))}
      </p>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
