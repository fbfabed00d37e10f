/** Policies made of the traffic that was seen: what `sluice policy generate` makes, put into the editor. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { visible } from '../controls/visible.ts';
import { agent, AgentError } from '../shell/agent.ts';
import { openInEditor } from './store.tsx';

interface Choice {
  readonly name: 'since' | 'kind' | 'ports' | 'l7';
  readonly label: string;
  readonly options: Readonly<Record<string, string>>;
}

const CHOICES: readonly Choice[] = [
  {
    name: 'since',
    label: 'Traffic of',
    options: { '1h': 'the last hour', '24h': 'the last day', '168h': 'the last week' },
  },
  {
    name: 'kind',
    label: 'Kind',
    options: { CiliumNetworkPolicy: 'CiliumNetworkPolicy', NetworkPolicy: 'NetworkPolicy' },
  },
  { name: 'ports', label: 'Ports', options: { exact: 'those that were used', any: 'every port' } },
  { name: 'l7', label: 'Requests', options: { exact: 'those that were made', off: 'every request' } },
];

const isShown = signal(false);
const values = signal<Readonly<Record<string, string>>>({});
const namespace = signal('');
const byWorkload = signal(true);
const state = signal<{ readonly isAsking: boolean; readonly failure: string }>({ isAsking: false, failure: '' });

export function openGenerate(): void {
  values.value = Object.fromEntries(CHOICES.map(({ name, options }) => [name, Object.keys(options)[0]]));
  state.value = { isAsking: false, failure: '' };
  isShown.value = true;
}

async function generate(event: Event): Promise<void> {
  event.preventDefault();
  state.value = { isAsking: true, failure: '' };
  try {
    const { yaml, left } = await agent.judge('generate', {
      ...values.value,
      byWorkload: byWorkload.value,
      ...(namespace.value.trim() !== '' && { namespaces: [namespace.value.trim()] }),
    });
    if (!isShown.value) return;
    if (yaml === '') {
      const why = Object.entries(left).map(([reason, flows]) => `${flows} ${reason}`);
      state.value = { isAsking: false, failure: `No policy came of the flows: ${why.join(', ') || 'none was seen'}` };
      return;
    }
    isShown.value = false;
    openInEditor(yaml, { policy: '', title: 'what was generated' });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    state.value = { isAsking: false, failure: error.message };
  }
}

export function GenerateDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const { value: open } = isShown;
  useEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  if (!open) return null;
  const close = (): void => void (isShown.value = false);
  return (
    <dialog ref={dialog} class="form" aria-labelledby="generate-title" onClose={close}>
      <form onSubmit={(event) => void generate(event)}>
        <h2 id="generate-title">Generate from traffic</h2>
        <div class="field">
          <label for="generate-namespace">Namespace</label>
          <input
            id="generate-namespace"
            value={namespace.value}
            placeholder="every one"
            onInput={(event) => (namespace.value = event.currentTarget.value)}
          />
        </div>
        {CHOICES.map(({ name, label, options }) => (
          <div key={name} class="field">
            <label for={`generate-${name}`}>{label}</label>
            <select
              id={`generate-${name}`}
              value={values.value[name]}
              onInput={(event) => (values.value = { ...values.value, [name]: event.currentTarget.value })}
            >
              {Object.entries(options).map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </div>
        ))}
        <label>
          <input
            type="checkbox"
            checked={byWorkload.value}
            onInput={(event) => (byWorkload.value = event.currentTarget.checked)}
          />{' '}
          One policy for the pods of a workload
        </label>
        <p role="alert" class="refusal">
          {visible(state.value.failure)}
        </p>
        <div class="actions">
          <button type="submit" class="primary" disabled={state.value.isAsking}>
            {state.value.isAsking ? 'Asking the agent…' : 'Generate'}
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}
