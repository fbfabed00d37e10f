/**
 * The policy editor: the drawing and the text side by side, each changing the other, and beneath them which of the flows of the last
 * hour would change. `#/editor?policy=Kind/namespace/name` opens a policy that is in force.
 */
import { useEffect } from 'preact/hooks';
import { Empty } from '../controls/empty.tsx';
import { route, setParam } from '../shell/location.tsx';
import { notify } from '../shell/notices.tsx';
import { ApplyDialog } from './apply-dialog.tsx';
import { Board } from './board.tsx';
import { useChecks } from './checks.tsx';
import { FormDialog } from './form-dialog.tsx';
import { GenerateDialog } from './generate-dialog.tsx';
import { LivePanel } from './live.tsx';
import { openByName, Start } from './start.tsx';
import { chosen, drawn, isChanged, origin, redo, text, undo } from './store.tsx';
import { TextPane } from './text-pane.tsx';
import { Toolbar } from './toolbar.tsx';
import { WhyDialog } from './why-dialog.tsx';
import './editor.css';

export function EditorView() {
  useAddress();
  useLeaving();
  useUndoKeys();
  const isOpen = text.value !== '' || origin.value.title !== '';
  return (
    <div class="editor">
      {isOpen ? <Opened /> : <Start />}
      <FormDialog />
      <ApplyDialog />
      <WhyDialog />
      <GenerateDialog />
    </div>
  );
}

function Opened() {
  useChecks();
  const policy = chosen.value;
  return (
    <>
      <Toolbar />
      <div class="panes">
        {policy === undefined ? (
          <Empty
            title="Nothing to draw"
            text="The text has no NetworkPolicy, CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy yet."
          />
        ) : (
          <Board drawing={policy.drawing} isCurrent={drawn.value.isCurrent} />
        )}
        <div class="right">
          <TextPane />
          <LivePanel />
        </div>
      </div>
    </>
  );
}

/** The address names the policy that is open; another one in it is opened. */
function useAddress(): void {
  const wanted = route.value.params.get('policy') ?? '';
  const { policy } = origin.value;
  useEffect(() => {
    if (wanted === '' || wanted === origin.value.policy) return;
    if (isChanged.value && !window.confirm('The policy that is open has changes. Open the other in its place?')) {
      setParam('policy', origin.value.policy);
      return;
    }
    void openByName(wanted).then((failure) => {
      if (failure !== '') notify(failure, true);
    });
  }, [wanted]);
  useEffect(() => {
    if (policy !== (route.value.params.get('policy') ?? '') && origin.value.title !== '') setParam('policy', policy);
  }, [policy]);
}

/** The browser asks before it throws changes away. */
function useLeaving(): void {
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent): void => {
      if (isChanged.value) event.preventDefault();
    };
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, []);
}

/** Undo is the editor's, in the text too: what a click wrote is no typing to the browser. */
function useUndoKeys(): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector('dialog[open]') !== null) return;
      const isField = event.target instanceof HTMLInputElement && event.target.type !== 'checkbox';
      const key = event.key.toLowerCase();
      if (isField || (key !== 'z' && key !== 'y')) return;
      event.preventDefault();
      if (key === 'y' || event.shiftKey) redo();
      else undo();
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, []);
}
