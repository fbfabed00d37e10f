/** Applying what is open: what the agent would do with it first, then, when a person agrees, that. On trial first, if they want. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Answers } from '../../api/shapes.ts';
import { visible } from '../controls/visible.ts';
import { agent, AgentError } from '../shell/agent.ts';
import { notify } from '../shell/notices.tsx';
import { told } from './checks.tsx';
import { LiveSummary } from './live.tsx';
import { onTrial } from './model/changes.ts';
import { drawn, leaving, open, origin, put, saved } from './store.tsx';

type Applied = Answers['POST /v1/apply']['applied'];

interface Asked {
  /** What would change; undefined while the agent is asked. */
  readonly plan: Applied | undefined;
  readonly refusal: string;
}

const asked = signal<Asked | undefined>(undefined);
const wantsTrial = signal(false);

export function openApply(): void {
  wantsTrial.value = false;
  asked.value = { plan: undefined, refusal: '' };
  void ask();
}

async function ask(): Promise<void> {
  const { applied, refusal } = await sent({ dryRun: 'true' });
  if (asked.value !== undefined) asked.value = { plan: applied, refusal };
}

/** @returns what was applied, or why nothing was */
async function sent(query: Readonly<Record<string, string>>): Promise<{ applied: Applied; refusal: string }> {
  try {
    const { applied, problems } = await agent.apply(leaving(), { query: { file: 'editor', ...query } });
    told(problems);
    return { applied, refusal: '' };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    if (error.problems.length > 0) told(error.problems);
    return { applied: [], refusal: error.message };
  }
}

async function apply(): Promise<void> {
  if (wantsTrial.value) {
    const result = onTrial(
      open.value,
      drawn.value.policies.map(({ index }) => index),
    );
    if ('refused' in result) {
      refuse(result.refused);
      return;
    }
    put(result.text);
  }
  const { applied, refusal } = await sent({});
  if (refusal !== '') {
    refuse(refusal);
    return;
  }
  asked.value = undefined;
  saved();
  const what = applied.map((one) => `${nameOf(one)} ${one.action}`).join(', ');
  notify(`Applied${wantsTrial.value ? ' on trial' : ''}: ${visible(what)}`);
}

function refuse(refusal: string): void {
  if (asked.value !== undefined) asked.value = { ...asked.value, refusal };
}

function nameOf({ kind, namespace = '', name }: Applied[number]): string {
  return `${kind}/${namespace === '' ? '' : `${namespace}/`}${name}`;
}

/** The policy that was opened, when what is applied does not replace it; '' when it does. */
function stays(plan: Applied | undefined): string {
  const { policy } = origin.value;
  return plan === undefined || plan.length === 0 || plan.some((one) => nameOf(one) === policy) ? '' : policy;
}

export function ApplyDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = asked.value !== undefined;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  if (asked.value === undefined) return null;
  const { plan, refusal } = asked.value;
  const close = (): void => void (asked.value = undefined);
  return (
    <dialog ref={dialog} class="form" aria-labelledby="apply-title" onClose={close}>
      <h2 id="apply-title">Apply to the cluster</h2>
      {plan === undefined && <p>Asking the agent…</p>}
      {plan !== undefined && plan.length > 0 && (
        <ul>
          {plan.map((one) => (
            <li key={nameOf(one)}>
              <span class="mono">{visible(nameOf(one))}</span>: {one.action}
            </li>
          ))}
        </ul>
      )}
      {stays(plan) !== '' && (
        <p>
          <span class="mono">{visible(stays(plan))}</span>, which was opened, stays in force beside: another name is
          another policy.
        </p>
      )}
      <LiveSummary />
      <label>
        <input
          type="checkbox"
          checked={wantsTrial.value}
          onInput={(event) => (wantsTrial.value = event.currentTarget.checked)}
        />{' '}
        On trial first: what these policies would drop passes, with the verdict AUDIT
      </label>
      <p role="alert" class="refusal">
        {visible(refusal)}
      </p>
      <div class="actions">
        <button
          type="button"
          class="primary"
          disabled={plan === undefined || plan.length === 0}
          onClick={() => void apply()}
        >
          Apply
        </button>
        <button type="button" onClick={close}>
          Cancel
        </button>
      </div>
    </dialog>
  );
}
