/** What to begin with: a policy in force, a template, what traffic was seen, or what was denied. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Answers } from '../../api/shapes.ts';
import { policyKey } from '../controls/policy-key.ts';
import { visible } from '../controls/visible.ts';
import { agent, AgentError } from '../shell/agent.ts';
import { DeniedFlows } from './denied-flows.tsx';
import { openGenerate } from './generate-dialog.tsx';
import { asWritten, documentsText } from './model/changes.ts';
import { TEMPLATES } from './model/templates.ts';
import { openInEditor } from './store.tsx';

type Policy = Answers['GET /v1/policies'][number];

const policies = signal<{ readonly list: readonly Policy[]; readonly failure: string } | undefined>(undefined);

async function ask(): Promise<void> {
  try {
    policies.value = { list: await agent.get('/v1/policies'), failure: '' };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    policies.value = { list: [], failure: error.message };
  }
}

/** Opens a policy in force. @returns why not */
export async function openByName(name: string): Promise<string> {
  await ask();
  const found = policies.value?.list.find((one) => policyKey(one) === name);
  if (found !== undefined) openPolicy(found);
  return found === undefined ? policies.value?.failure || `${name} is not in force` : '';
}

function openPolicy(policy: Policy): void {
  openInEditor(documentsText([asWritten(policy.object)]), { policy: policyKey(policy), title: policyKey(policy) });
}

export function Start() {
  useEffect(() => void ask(), []);
  return (
    <section class="start" aria-label="Open a policy">
      <h2>Policy editor</h2>
      <div class="columns">
        <section>
          <h3>New from a template</h3>
          <ul>
            {TEMPLATES.map(({ name, text }) => (
              <li key={name}>
                <button type="button" class="quiet" onClick={() => openInEditor(text, { policy: '', title: name })}>
                  {name}
                </button>
              </li>
            ))}
          </ul>
          <button type="button" onClick={openGenerate}>
            Generate from traffic…
          </button>
        </section>
        <section>
          <h3>In force</h3>
          <InForce />
        </section>
        <DeniedFlows />
      </div>
    </section>
  );
}

function InForce() {
  const { value } = policies;
  if (value === undefined) return <p>Asking the agent…</p>;
  if (value.failure !== '') return <p role="alert">Not known: {visible(value.failure)}</p>;
  if (value.list.length === 0) return <p>No policy is in force: everything passes.</p>;
  return (
    <ul>
      {value.list.map((policy) => (
        <li key={policyKey(policy)}>
          <button type="button" class="quiet mono" onClick={() => openPolicy(policy)}>
            {visible(policyKey(policy))}
          </button>
        </li>
      ))}
    </ul>
  );
}
