/**
 * The policies in force: what each selects, decided and warns of, its text with the lines that flows hit, and the matrix of who may reach whom.
 * `#/policies?policy=Kind/namespace/name&line=N` shows line N of the policy's file, `&path=spec.ingress[0]` that rule.
 */
import { useEffect } from 'preact/hooks';
import { Empty } from '../controls/empty.tsx';
import { visible } from '../controls/visible.ts';
import { type Key, useKeys } from '../shell/keyboard.tsx';
import { hrefOf, queryText, route, setParam } from '../shell/location.tsx';
import { Matrix } from './matrix.tsx';
import { PolicyDetail } from './policy-detail.tsx';
import { plainKey, policyKey } from '../controls/policy-key.ts';
import { PolicyList } from './policy-list.tsx';
import { filtered, type PolicyRow, rowsOf, sorted } from './policy-rows.ts';
import { askAgent, decisions, judged, known, RECENT_MINUTES, useFresh } from './store.tsx';
import './policies.css';

const param = (name: string) => route.value.params.get(name) ?? '';
const chosenKey = () => plainKey(param('policy'));

/** The rows as they are shown. */
function shownRows(): readonly PolicyRow[] {
  const { policies = [] } = known.value;
  const { recent = new Map(), ever = new Map() } = decisions.value ?? {};
  const { selected, problems } = judged.value;
  return sorted(filtered(rowsOf({ policies, selected, problems, recent, ever }), param('find')), param('sort'));
}

function step(by: number): void {
  const rows = shownRows();
  if (rows.length === 0) return;
  const at = rows.findIndex(({ key }) => key === chosenKey());
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
  choosePolicy(rows[next].key);
}

function choosePolicy(key: string): void {
  setParam('line', '');
  setParam('path', '');
  setParam('policy', key, true);
}

const KEYS: readonly Key[] = [
  { key: 'j', does: 'show the next policy', run: () => step(1) },
  { key: 'k', does: 'show the policy before', run: () => step(-1) },
  {
    key: 'm',
    does: 'show the matrix, or the list',
    run: () => setParam('show', param('show') === '' ? 'matrix' : '', true),
  },
];

export function PoliciesView() {
  useKeys(KEYS);
  const key = chosenKey();
  useFresh(key);
  const isMatrix = param('show') === 'matrix';
  useEffect(() => {
    if (key !== '' && isMatrix) setParam('show', '');
  }, [key]);
  return (
    <div class="policies">
      <nav class="tabs" aria-label="Policies">
        <a href={hrefOf('policies')} aria-current={isMatrix ? undefined : 'page'}>
          Policies
        </a>
        <a href={hrefOf('policies', { show: 'matrix' })} aria-current={isMatrix ? 'page' : undefined}>
          Who may reach whom
        </a>
      </nav>
      {isMatrix ? <Matrix /> : <ListAndDetail chosen={key} />}
    </div>
  );
}

function ListAndDetail({ chosen }: { readonly chosen: string }) {
  const { policies, failure } = known.value;
  if (policies === undefined && failure === '') return <p class="loading">Asking the agent…</p>;
  if (policies === undefined)
    return (
      <Empty title="Policies are not known" text={failure}>
        <button type="button" onClick={() => void askAgent()}>
          Ask again
        </button>
      </Empty>
    );
  if (policies.length === 0)
    return (
      <Empty title="No policies" text="Every pod may talk to everybody. Policies appear here when they are applied.">
        <a class="button" href={hrefOf('editor')}>
          Write one
        </a>
      </Empty>
    );
  const policy = policies.find((one) => policyKey(one) === chosen);
  return (
    <div class={chosen === '' ? 'split' : 'split chosen'}>
      <section class="all" aria-label="Policies in force">
        <Notes />
        <PolicyList
          rows={shownRows()}
          count={policies.length}
          chosen={chosen}
          order={param('sort')}
          find={param('find')}
        />
      </section>
      {chosen !== '' && policy === undefined && (
        <Empty title="Not in force" text={`${chosen} is not among the policies in force.`}>
          <button type="button" onClick={() => choosePolicy('')}>
            Show all
          </button>
        </Empty>
      )}
      {policy !== undefined && <PolicyDetail key={chosen} policy={policy} line={param('line')} path={param('path')} />}
    </div>
  );
}

/** What limits the figures, and what could not be asked. */
function Notes() {
  const { since = '' } = decisions.value ?? {};
  const failures = [known.value.failure, judged.value.failure].filter((text) => text !== '');
  return (
    <>
      {failures.map((text) => (
        <p key={text} role="alert" class="failure">
          Not all is fresh: {visible(text)}
        </p>
      ))}
      <p class="note">
        Flows allowed and denied in the last {RECENT_MINUTES} minutes
        {queryText.value === '' ? '' : ', of those that the query wants'}
        {since === '' ? '; none is kept yet.' : `; flows are kept since ${since.slice(11, 19)} UTC.`}
      </p>
    </>
  );
}
