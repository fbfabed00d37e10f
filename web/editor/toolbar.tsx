/** What can be done with the whole policy: its kind and name, undo, copy, download, apply, close. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { visible } from '../controls/visible.ts';
import { agent } from '../shell/agent.ts';
import { connection } from '../shell/connection.tsx';
import { setParam } from '../shell/location.tsx';
import { announce, notify } from '../shell/notices.tsx';
import { openApply } from './apply-dialog.tsx';
import { withDocument } from './model/changes.ts';
import { KINDS, type Drawing, type Kind } from './model/drawing.ts';
import { TEMPLATES } from './model/templates.ts';
import {
  become,
  choose,
  chosen,
  click,
  close,
  drawn,
  isChanged,
  leaving,
  origin,
  put,
  redo,
  text,
  undo,
  undoable,
} from './store.tsx';

/** What is put beneath the policies that are open. */
const [, FRESH] = TEMPLATES;

export function Toolbar() {
  const { canUndo, canRedo } = undoable.value;
  const policy = chosen.value;
  const { policies, isCurrent } = drawn.value;
  return (
    <header class="toolbar">
      <h2 class="heard">Policy editor</h2>
      {policies.length > 1 && (
        <label>
          Policy{' '}
          <select value={policy?.index} onInput={(event) => choose(Number(event.currentTarget.value))}>
            {policies.map(({ index, drawing: { kind, name } }) => (
              <option key={index} value={index}>
                {visible(`${kind} ${name}`)}
              </option>
            ))}
          </select>
        </label>
      )}
      {policy !== undefined && isCurrent && <Head drawing={policy.drawing} />}
      <div class="actions">
        <button type="button" disabled={!canUndo} onClick={undo} title="Ctrl+Z">
          Undo
        </button>
        <button type="button" disabled={!canRedo} onClick={redo} title="Ctrl+Shift+Z">
          Redo
        </button>
        <button type="button" onClick={() => put(withDocument(text.value, FRESH.text))}>
          Add a policy
        </button>
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
        <button type="button" onClick={download}>
          Download
        </button>
        <ApplyButton />
        <button type="button" onClick={closeAfterAsking}>
          Close
        </button>
      </div>
    </header>
  );
}

function Head({ drawing: { kind, name, namespace, isAudited } }: { readonly drawing: Drawing }) {
  return (
    <>
      <label>
        Kind{' '}
        <select
          value={kind}
          onInput={(event) => {
            const refusal = become(event.currentTarget.value as Kind);
            if (refusal === '') return;
            event.currentTarget.value = kind;
            notify(refusal, true);
          }}
        >
          {KINDS.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <label>
        Name <input value={name} onChange={(event) => click({ do: 'name', text: event.currentTarget.value.trim() })} />
      </label>
      {kind !== 'CiliumClusterwideNetworkPolicy' && (
        <label>
          Namespace{' '}
          <input
            value={namespace}
            onChange={(event) => click({ do: 'namespace', text: event.currentTarget.value.trim() })}
          />
        </label>
      )}
      <button
        type="button"
        aria-pressed={isAudited}
        title="On trial: what the policy would drop passes, with the verdict AUDIT"
        onClick={() => click({ do: 'audit', isOn: !isAudited })}
      >
        On trial
      </button>
    </>
  );
}

/** undefined: not known yet. */
const mayWrite = signal<boolean | undefined>(undefined);

/** Asks again when the agent is back: it may have been started with another configuration. */
function ApplyButton() {
  const isLive = connection.value.state === 'live';
  useEffect(
    () =>
      void agent.session().then(
        ({ write = false }) => (mayWrite.value = write),
        () => (mayWrite.value = undefined),
      ),
    [isLive],
  );
  if (mayWrite.value === false) return <span class="readonly">This page only reads (ui-write is off)</span>;
  return (
    <button type="button" class="primary" disabled={mayWrite.value === undefined} onClick={openApply}>
      Apply…
    </button>
  );
}

async function copy(): Promise<void> {
  try {
    await navigator.clipboard.writeText(leaving());
    announce('Copied');
    notify('The policy is in the clipboard');
  } catch {
    notify('The browser does not let the page write to the clipboard: select the text and copy it', true);
  }
}

function download(): void {
  const url = URL.createObjectURL(new Blob([leaving()], { type: 'application/yaml' }));
  const name = (chosen.value?.drawing.name ?? '').replace(/[^a-z0-9.-]/gi, '-').slice(0, 100) || 'policy';
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name}.yaml`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function closeAfterAsking(): void {
  const what = origin.value.title === '' ? 'this policy' : origin.value.title;
  if (!isChanged.value || window.confirm(`Close ${visible(what)}? Its changes are not kept.`)) {
    close();
    setParam('policy', '');
  }
}
