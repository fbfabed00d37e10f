/** Why a cell of the matrix is as it is: the judge's answer for a packet from one end to the other, and ways on from there. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { PatchedExplanation } from '../../explain/explanation.ts';
import { Difference } from '../controls/difference.tsx';
import { visible, visibleLines } from '../controls/visible.ts';
import { agent } from '../shell/agent.ts';
import { queryTextOf } from '../query/query.ts';
import { hrefOf } from '../shell/location.tsx';
import { askedEnd, type Column, pairFlags } from './matrix-grid.ts';
import { policyKey } from '../controls/policy-key.ts';
import { messageOf } from './store.tsx';

interface Props {
  readonly from: string;
  readonly column: Column;
  readonly pods: readonly string[];
  readonly onClose: () => void;
}

const answer = signal<{ readonly explained?: PatchedExplanation; readonly failure: string } | undefined>(undefined);

/** Of a column of all other ports one stands for them. */
const SOME_PORT = 54_321;

async function ask({ from, column, pods }: Omit<Props, 'onClose'>, gone: AbortSignal): Promise<void> {
  answer.value = undefined;
  const port = typeof column.port === 'number' ? column.port : Number(/^\d+/.exec(column.port)?.[0] ?? SOME_PORT);
  const query = { id: 1, from: askedEnd(from, pods), to: askedEnd(column.to, pods), port, protocol: column.protocol };
  try {
    answer.value = {
      explained: await agent.judge('explain', { query }, { signal: gone }),
      failure: '',
    };
  } catch (error) {
    if (!gone.aborted) answer.value = { failure: messageOf(error) };
  }
}

export function CellDetail({ from, column, pods, onClose }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const gone = new AbortController();
    void ask({ from, column, pods }, gone.signal);
    heading.current?.scrollIntoView({ block: 'nearest' });
    return () => gone.abort();
  }, [from, column]);
  const { to, port, protocol } = column;
  return (
    <aside class="cell-detail" aria-label="Why" aria-live="polite">
      <h3 ref={heading}>
        {visible(from)} → {visible(to)} {visible(`${port}/${protocol}`)}
      </h3>
      <div class="actions">
        <a class="button" href={hrefOf('flows', { q: queryTextOf(pairFlags(from, column)) })}>
          Flows of this pair
        </a>
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
      <Explained />
    </aside>
  );
}

function Explained() {
  const { value } = answer;
  if (value === undefined) return <p>The judge is asked…</p>;
  const { explained, failure } = value;
  if (explained === undefined) return <p role="alert">{visible(failure)}</p>;
  const { verdict, explanation, remedies, patch } = explained;
  return (
    <>
      <p>
        <span class={`verdict ${verdict === 'allowed' ? 'forwarded' : 'dropped'}`}>
          <span aria-hidden="true">{verdict === 'allowed' ? '✓' : '✕'}</span>
          {verdict}
        </span>
      </p>
      <ul>
        {explanation.map(({ direction, subject, decidedBy }) => (
          <li key={direction}>
            {direction} of <span class="mono">{visible(subject.name)}</span>:{' '}
            {decidedBy.length === 0 && 'no policy decides it'}
            {decidedBy.map((origin) => (
              <a
                key={`${policyKey(origin)} ${origin.path}`}
                href={hrefOf('policies', {
                  policy: policyKey(origin),
                  path: origin.path === '' ? 'spec' : origin.path,
                })}
              >
                {visible(`${policyKey(origin)} ${origin.path}`)}{' '}
              </a>
            ))}
          </li>
        ))}
      </ul>
      {verdict !== 'allowed' && remedies.length > 0 && (
        <ul class="remedies">
          {remedies.map((remedy) => (
            <li key={remedy}>{visibleLines(remedy.trimEnd())}</li>
          ))}
        </ul>
      )}
      {patch.map(({ name, diff }) => (
        <Difference key={name} name={name} diff={diff} />
      ))}
    </>
  );
}
