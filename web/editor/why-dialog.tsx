/** Why a connection is allowed or denied by the policies that are open over those in force, and the smallest change that would allow it. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { PatchedExplanation } from '../../explain/explanation.ts';
import { Difference } from '../controls/difference.tsx';
import { policyKey } from '../controls/policy-key.ts';
import { visible } from '../controls/visible.ts';
import { agent, AgentError } from '../shell/agent.ts';
import { notify } from '../shell/notices.tsx';
import { endText, queryOf, type Replayed } from './model/replayed.ts';
import { leaving, origin, take } from './store.tsx';

interface Asked {
  readonly connection: Replayed;
  readonly answer: PatchedExplanation | undefined;
  readonly failure: string;
}

const asked = signal<Asked | undefined>(undefined);

export function openWhy(connection: Replayed): void {
  asked.value = { connection, answer: undefined, failure: '' };
  void ask(connection);
}

async function ask(connection: Replayed): Promise<void> {
  let said: Pick<Asked, 'answer' | 'failure'>;
  try {
    const answer = await agent.judge('explain', {
      query: queryOf(connection),
      ...(origin.value.title !== '' && { manifests: leaving(), file: 'editor' }),
    });
    said = { answer, failure: '' };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    said = { answer: undefined, failure: error.message };
  }
  if (asked.value?.connection === connection) asked.value = { connection, ...said };
}

export function WhyDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = asked.value !== undefined;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  if (asked.value === undefined) return null;
  const { connection, answer, failure } = asked.value;
  const { from, to, port, protocol } = connection;
  const close = (): void => void (asked.value = undefined);
  return (
    <dialog ref={dialog} class="form why" aria-labelledby="why-title" onClose={close}>
      <h2 id="why-title">{visible(`${endText(from)} → ${endText(to)} ${port}/${protocol}`)}</h2>
      {failure !== '' && <p role="alert">Not known: {visible(failure)}</p>}
      {failure === '' && answer === undefined && <p>Asking the agent…</p>}
      {answer !== undefined && <Answer answer={answer} close={close} />}
      <div class="actions">
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
    </dialog>
  );
}

function Answer({ answer, close }: { readonly answer: PatchedExplanation; readonly close: () => void }) {
  const { verdict, explanation, remedies, patch } = answer;
  const whose = origin.value.title === '' ? 'what is in force' : 'the policies that are open';
  return (
    <>
      <p>
        By {whose} it is {visible(verdict)}.
      </p>
      <ul>
        {explanation.map(({ direction, subject, decidedBy }) => (
          <li key={direction}>
            {direction} of {visible(subject.name)}:{' '}
            {decidedBy.length === 0 ? 'no policy says anything' : decidedBy.map(originText).join('; ')}
          </li>
        ))}
      </ul>
      {patch.length > 0 ? (
        patch.map(({ name, diff }) => <Difference key={name} name={name} diff={diff} />)
      ) : (
        <ul>
          {remedies.map((text) => (
            <li key={text}>{visible(text.trimEnd())}</li>
          ))}
        </ul>
      )}
      {patch.length > 0 && (
        <button
          type="button"
          class="primary"
          onClick={() => {
            close();
            const refusal = take(patch);
            notify(refusal === '' ? 'The change is in the editor: look at it, and apply it' : refusal, refusal !== '');
          }}
        >
          Put this change into the editor
        </button>
      )}
    </>
  );
}

function originText(rule: PatchedExplanation['explanation'][number]['decidedBy'][number]): string {
  return visible(`${policyKey(rule)}, ${rule.path} (${rule.file}:${rule.line})`);
}
