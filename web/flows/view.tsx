/** The flows, newest first, with what each was about and who decided. */
import { useEffect } from 'preact/hooks';
import { Empty } from '../controls/empty.tsx';
import { query, queryProblem } from '../query/following.tsx';
import { focusQueryLine } from '../query/line.tsx';
import { connection } from '../shell/connection.tsx';
import { type Key, useKeys } from '../shell/keyboard.tsx';
import { queryText, setParam } from '../shell/location.tsx';
import { announce } from '../shell/notices.tsx';
import { stream } from '../stream/stream.tsx';
import { FlowDetail } from './detail.tsx';
import { close, opened } from './opened.tsx';
import { follow, hold, isFollowing, olderState, rowCount } from './rows.tsx';
import { FlowsTable } from './table.tsx';
import { Toolbar } from './toolbar.tsx';
import './flows.css';

const turn = () => {
  if (isFollowing.value) hold();
  else follow();
  announce(isFollowing.value ? 'Following' : 'Paused');
};

const KEYS: readonly Key[] = [
  { key: 'p', does: 'pause the table, or follow again', run: turn },
  { key: 'g', does: 'go to the newest flow', run: follow },
  { key: 'Escape', does: 'close the details of a flow', run: close },
];

export function FlowsView() {
  useKeys(KEYS);
  useEffect(() => {
    // The view's code may come while somebody types in the query line already: their next letters would be commands.
    if (document.activeElement instanceof HTMLInputElement) return;
    document.querySelector<HTMLElement>('.flow-grid')?.focus({ preventScroll: true });
  }, []);
  const isEmpty = rowCount.value === 0;
  return (
    <div class={opened.value === undefined ? 'flows' : 'flows with-detail'}>
      <Toolbar />
      <div class="flow-body">
        <FlowsTable />
        {isEmpty && <Nothing />}
      </div>
      <FlowDetail />
    </div>
  );
}

function Nothing() {
  const { state, problem } = stream.link.value;
  if (state === 'refused') return <Empty title="The agent refuses this query" text={problem} />;
  if (connection.value.state === 'lost')
    return <Empty title="Not connected" text="Flows appear when the agent answers; it is asked again by itself." />;
  // A stream without flows says nothing, not even that it is there; the question for older ones is answered.
  if (olderState.value.state !== 'whole' && olderState.value.problem === '' && query.value.last === Infinity)
    return <Empty title="Looking for flows…" text="The agent is asked for what it keeps." />;
  const isAll = query.value.terms.length === 0 && query.value.since === '' && query.value.until === '';
  if (isAll && queryProblem.value === undefined)
    return <Empty title="No flows yet" text="Rows appear as soon as a pod sends or receives something." />;
  return (
    <Empty title="No flow matches the query" text={queryText.value}>
      <button type="button" onClick={focusQueryLine}>
        Change the query
      </button>
      <button type="button" onClick={() => setParam('q', '', true)}>
        Show all flows
      </button>
    </Empty>
  );
}
