/** Which flows of the last hour the open policies would treat otherwise than those in force. Asked of the judge after each change. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { visible } from '../controls/visible.ts';
import { agent, AgentError } from '../shell/agent.ts';
import { changedText, endText, type Replayed, type ReplayAnswer, requestOf } from './model/replayed.ts';
import { drawn, leaving, text } from './store.tsx';
import { openWhy } from './why-dialog.tsx';

const PAUSE_MS = 800;
const SINCE = '1h';
/** Rows that are shown. */
const ROWS_MAX = 100;

interface Live {
  readonly answer: ReplayAnswer | undefined;
  readonly failure: string;
  /** Said of the text as it is now. */
  readonly isCurrent: boolean;
}

const live = signal<Live>({ answer: undefined, failure: '', isCurrent: false });

/** Asks while the component is shown. */
function useReplay(): void {
  const now = text.value;
  const isWhole = drawn.value.isCurrent;
  useEffect(() => {
    const abort = new AbortController();
    live.value = { ...live.value, isCurrent: false };
    const timer = setTimeout(() => isWhole && void ask(abort.signal), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [now, isWhole]);
}

async function ask(signal: AbortSignal): Promise<void> {
  if (text.value.trim() === '') return;
  try {
    const answer = await agent.judge('replay', { manifests: leaving(), file: 'editor', since: SINCE }, { signal });
    if (!signal.aborted) live.value = { answer, failure: '', isCurrent: true };
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof AgentError)) throw error;
    live.value = { answer: undefined, failure: error.message, isCurrent: true };
  }
}

/** A sentence, for the dialog that applies. */
export function LiveSummary() {
  const { answer, isCurrent } = live.value;
  if (answer === undefined || !isCurrent) return null;
  return <p class="summary">{changedText(answer)}</p>;
}

export function LivePanel() {
  useReplay();
  const { answer, failure, isCurrent } = live.value;
  return (
    <section class="live" aria-label="What would change">
      <h3>Flows of the last hour that would change</h3>
      <p role="status" class="summary">
        {failure !== ''
          ? `Not known: ${visible(failure)}`
          : answer === undefined
            ? 'Asking the agent…'
            : `${changedText(answer)}${isCurrent ? '' : ' (of an earlier text)'}`}
      </p>
      {answer !== undefined && answer.changed.length > 0 && <Changes changed={answer.changed} />}
    </section>
  );
}

function Changes({ changed }: { readonly changed: readonly Replayed[] }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Change</th>
            <th>Flows</th>
            <th>From</th>
            <th>To</th>
            <th>Port</th>
            <th>Request</th>
            <th>By</th>
            <th>
              <span class="heard">Why</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {changed.slice(0, ROWS_MAX).map((one, i) => (
            <Row key={i} one={one} />
          ))}
        </tbody>
      </table>
      {changed.length > ROWS_MAX && <p>and {changed.length - ROWS_MAX} more</p>}
    </div>
  );
}

function Row({ one }: { readonly one: Replayed }) {
  const isDenied = one.after === 'denied';
  return (
    <tr>
      <td>
        <span class={`verdict ${isDenied ? (one.isAudited ? 'audit' : 'dropped') : 'forwarded'}`}>
          <span aria-hidden="true">{isDenied ? '✕' : '✓'}</span>
          {isDenied ? (one.isAudited ? 'newly denied, on trial' : 'newly denied') : 'newly allowed'}
        </span>
      </td>
      <td class="number">{one.flows}</td>
      <td>{visible(endText(one.from))}</td>
      <td>{visible(endText(one.to))}</td>
      <td class="mono">{visible(`${one.port}/${one.protocol}`)}</td>
      <td class="mono">{visible(requestOf(one))}</td>
      <td>{visible(one.policies.join(', '))}</td>
      <td>
        <button type="button" class="quiet" onClick={() => openWhy(one)}>
          Why
        </button>
      </td>
    </tr>
  );
}
