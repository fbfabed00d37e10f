/**
 * Connections of the last hour that the policies in force deny. The judge is asked what would change if there were none of these
 * policies: what would be allowed then is what they deny now.
 */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { visible } from '../controls/visible.ts';
import { agent, AgentError } from '../shell/agent.ts';
import { endText, type Replayed, requestOf } from './model/replayed.ts';
import { openWhy } from './why-dialog.tsx';

const ROWS_MAX = 50;

const denied = signal<{ readonly list: readonly Replayed[]; readonly failure: string } | undefined>(undefined);

async function ask(): Promise<void> {
  try {
    const policies = await agent.get('/v1/policies');
    const remove = policies.map(({ kind, namespace, name }) => ({ kind, namespace, name }));
    const { changed } = await agent.judge('replay', { manifests: '', remove, since: '1h' });
    denied.value = { list: changed.filter(({ after }) => after === 'allowed'), failure: '' };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    denied.value = { list: [], failure: error.message };
  }
}

export function DeniedFlows() {
  useEffect(() => void ask(), []);
  const { value } = denied;
  return (
    <section class="denied">
      <h3>Denied in the last hour</h3>
      {value === undefined && <p>Asking the agent…</p>}
      {value !== undefined && value.failure !== '' && <p role="alert">Not known: {visible(value.failure)}</p>}
      {value !== undefined && value.failure === '' && value.list.length === 0 && (
        <p>Nothing that was seen is denied.</p>
      )}
      <ul>
        {value?.list.slice(0, ROWS_MAX).map((one, i) => (
          <li key={i}>
            <button type="button" class="quiet" onClick={() => openWhy(one)}>
              {visible(
                `${endText(one.from)} → ${endText(one.to)} ${one.port}/${one.protocol} ${requestOf(one)}`.trimEnd(),
              )}
            </button>{' '}
            <small>{one.flows === 1 ? '1 flow' : `${one.flows} flows`}</small>
          </li>
        ))}
      </ul>
    </section>
  );
}
