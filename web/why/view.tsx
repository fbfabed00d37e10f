/** Why a flow is let through or not: the policies of both ends, entry by entry, and the smallest change that would allow it. */
import { compactText } from '../../hubble/print/print.ts';
import { Empty } from '../controls/empty.tsx';
import { visible } from '../controls/visible.ts';
import { hrefOf } from '../shell/location.tsx';
import { asked, askAgain, type Explained } from './asked.tsx';
import { Change } from './change.tsx';
import { PairForm } from './pair-form.tsx';
import { Side } from './side.tsx';
import './why.css';

export function WhyView() {
  const { state, problem = '' } = asked.value;
  return (
    <div class="why">
      <h1 class="heard">Why</h1>
      <PairForm />
      {state === 'nothing' && (
        <Empty
          title="Why is it let through, or not?"
          text="Say who wants to reach whom, or open a flow in the table and ask there."
        >
          <a class="button" href={hrefOf('flows')}>
            To the flows
          </a>
        </Empty>
      )}
      {state === 'asking' && <p role="status">Asking the agent…</p>}
      {state === 'failed' && (
        <Empty title="There is no answer" text={problem}>
          <button type="button" onClick={askAgain}>
            Ask again
          </button>
        </Empty>
      )}
      {state === 'answered' && <Answer />}
    </div>
  );
}

function Answer() {
  const { flow, answer } = asked.value;
  if (answer === undefined) return null;
  const { explanation, remedies, patch, since = [] } = answer;
  return (
    <article aria-label="Answer">
      {flow !== undefined && (
        <p class="mono why-flow">
          <bdi>{visible(compactText(flow))}</bdi>
        </p>
      )}
      <Summary answer={answer} />
      {since.length > 0 && (
        <section>
          <h2>Since this flow was seen</h2>
          <ul>
            {since.map((text, index) => (
              <li key={index}>{visible(text)}</li>
            ))}
          </ul>
        </section>
      )}
      {(remedies.length > 0 || patch.length > 0) && <Change remedies={remedies} patches={patch} />}
      {explanation.map((side) => (
        <Side key={side.direction} side={side} verdict={answer[side.direction]?.verdict} />
      ))}
      {explanation.length === 0 && <p>A pod that talks to itself: no policy is asked.</p>}
    </article>
  );
}

function Summary({ answer }: { readonly answer: Explained }) {
  const { verdict, l7 = 'none' } = answer;
  const isAllowed = verdict === 'allowed';
  return (
    <p class="why-verdict">
      <span class={`verdict ${isAllowed ? 'forwarded' : 'dropped'}`}>
        <span aria-hidden="true">{isAllowed ? '✓' : '✕'}</span>
        {verdict}
      </span>{' '}
      by the policies in force
      {l7 === 'none' ? '' : `; the request is ${l7} by the L7 rules`}
      <button type="button" class="quiet" onClick={askAgain}>
        Ask again
      </button>
    </p>
  );
}
