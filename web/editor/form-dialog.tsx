/** The form that is open, in a dialog: fields, what is wrong with them, and the edit that they make. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { announce } from '../shell/notices.tsx';
import { Unsayable } from './model/edits.ts';
import { type Field, type Form, isShown, type Values } from './model/forms.ts';
import { edit } from './store.tsx';

const form = signal<Form | undefined>(undefined);
const values = signal<Values>({});
const refusal = signal('');

export function openForm(fresh: Form): void {
  values.value = Object.fromEntries(fresh.fields.map(({ name, value }) => [name, value]));
  refusal.value = '';
  form.value = fresh;
}

function closeForm(): void {
  form.value = undefined;
}

/** Makes the edit of the form, and closes it when that went well. */
function submit(event: Event): void {
  event.preventDefault();
  if (form.value === undefined) return;
  refusal.value = refused(form.value);
  if (refusal.value !== '') return;
  announce(`${form.value.title}: done`);
  closeForm();
}

function refused({ fields, edit: editOf }: Form): string {
  const shown = fields.filter((field) => isShown(field, values.value));
  try {
    return edit(editOf(Object.fromEntries(shown.map(({ name }) => [name, values.value[name] ?? '']))));
  } catch (error) {
    if (error instanceof Unsayable) return error.message;
    throw error;
  }
}

export function FormDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const { value: shown } = form;
  useEffect(() => {
    if (shown !== undefined) dialog.current?.showModal();
  }, [shown]);
  if (shown === undefined) return null;
  return (
    <dialog ref={dialog} class="form" aria-labelledby="form-title" onClose={closeForm}>
      <form onSubmit={submit}>
        <h2 id="form-title">{shown.title}</h2>
        {shown.fields
          .filter((field) => isShown(field, values.value))
          .map((field) => (
            <FieldRow key={field.name} field={field} />
          ))}
        <p role="alert" class="refusal">
          {refusal.value}
        </p>
        <div class="actions">
          <button type="submit" class="primary">
            Put into the policy
          </button>
          <button type="button" onClick={closeForm}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}

function FieldRow({ field: { name, label, options, hint } }: { readonly field: Field }) {
  const id = `field-${name}`;
  const set = (event: Event): void => {
    values.value = { ...values.value, [name]: (event.currentTarget as HTMLInputElement).value };
  };
  const shared = { id, name, value: values.value[name] ?? '', onInput: set };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {options === undefined ? (
        <input {...shared} autocomplete="off" spellcheck={false} aria-describedby={hint && `${id}-hint`} />
      ) : (
        <select {...shared}>
          {options.map((option) => (
            <option key={option} value={option}>
              {option === '' ? 'either' : option}
            </option>
          ))}
        </select>
      )}
      {hint !== undefined && (
        <small id={`${id}-hint`} class="hint">
          {hint}
        </small>
      )}
    </div>
  );
}
