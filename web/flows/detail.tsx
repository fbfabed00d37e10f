/** All that is known of one flow, beside the table. */
import { useEffect, useRef } from 'preact/hooks';
import type { Flow, PolicyRef } from '../../hubble/flow.ts';
import { compactText } from '../../hubble/print/print.ts';
import { copy } from '../controls/copy.tsx';
import { Verdict } from '../controls/verdict.tsx';
import { visible, visibleLines } from '../controls/visible.ts';
import { flagsLike } from '../query/observe-command.ts';
import { queryTextOf } from '../query/query.ts';
import { hrefOf, queryText, setParam } from '../shell/location.tsx';
import { policyKey } from '../controls/policy-key.ts';
import { policiesOf, policyText } from './cells.ts';
import { type Field, fieldGroups } from './fields.ts';
import { close, opened } from './opened.tsx';

export function FlowDetail() {
  const heading = useRef<HTMLHeadingElement>(null);
  const uuid = opened.value?.uuid;
  useEffect(() => {
    if (uuid !== undefined) heading.current?.focus();
  }, [uuid]);
  if (opened.value === undefined) return null;
  const { flow, problem } = opened.value;
  return (
    <aside
      class="flow-detail"
      aria-label="Details of the flow"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        shut();
      }}
    >
      <header>
        <h2 ref={heading} tabIndex={-1}>
          Flow
        </h2>
        {flow !== undefined && <Verdict verdict={flow.verdict} />}
        <span class="fill" />
        <button type="button" class="quiet" aria-label="Close the details" onClick={shut}>
          ✕
        </button>
      </header>
      {flow === undefined ? (
        <p>{problem === '' ? 'Looking for this flow…' : visible(problem)}</p>
      ) : (
        <Known flow={flow} />
      )}
    </aside>
  );
}

/** The table has the focus again, where it was. */
function shut(): void {
  close();
  document.querySelector<HTMLElement>('.flow-grid')?.focus();
}

function Known({ flow }: { readonly flow: Flow }) {
  const like = queryTextOf(flagsLike(flow));
  return (
    <>
      <p class="mono flow-line">
        <bdi>{visible(compactText(flow, { policyNames: true }))}</bdi>
      </p>
      <div class="actions">
        <a class="button primary" href={hrefOf('why', { flow: flow.uuid ?? '' })}>
          Why?
        </a>
        <a class="button" href={hrefOf('flows', { q: like })}>
          Flows like this
        </a>
        <a class="button" href={hrefOf('map', { q: like })}>
          On the map
        </a>
        <button type="button" onClick={() => void copy(`sluice observe -f ${like}`, 'The observe command')}>
          Copy as observe command
        </button>
      </div>
      <Policies policies={policiesOf(flow)} />
      {fieldGroups(flow).map(({ title, fields }) => (
        <section key={title}>
          <h3>{title}</h3>
          <dl>
            {fields.map((field, index) => (
              <FieldLine key={index} field={field} />
            ))}
          </dl>
        </section>
      ))}
      <details>
        <summary>As JSON</summary>
        <button type="button" onClick={() => void copy(JSON.stringify(flow), 'The flow')}>
          Copy
        </button>
        <pre tabIndex={0}>{visibleLines(JSON.stringify(flow, null, 2))}</pre>
      </details>
    </>
  );
}

function Policies({ policies }: { readonly policies: readonly PolicyRef[] }) {
  if (policies.length === 0) return null;
  return (
    <p class="flow-policies">
      {policies.map((policy, index) => (
        <a key={index} href={hrefOf('policies', { policy: policyKey(policy) })}>
          {visible(policyText(policy))}
        </a>
      ))}
    </p>
  );
}

function FieldLine({ field: { name, value, filter } }: { readonly field: Field }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <bdi>{visible(value)}</bdi>
        {filter !== undefined && (
          <span class="flow-filters">
            <button
              type="button"
              class="quiet"
              aria-label={`Only ${name} ${visible(value)}`}
              onClick={() => narrow(filter, false)}
            >
              +
            </button>
            <button
              type="button"
              class="quiet"
              aria-label={`Not ${name} ${visible(value)}`}
              onClick={() => narrow(filter, true)}
            >
              −
            </button>
          </span>
        )}
      </dd>
    </div>
  );
}

/** Adds a filter to the query. */
function narrow(filter: readonly [string, string], isNot: boolean): void {
  setParam('q', `${queryText.value} ${isNot ? '--not ' : ''}${queryTextOf([filter])}`.trim(), true);
}
