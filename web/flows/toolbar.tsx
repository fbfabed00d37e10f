/** What can be done with the table: follow and hold, choose columns, copy, export. */
import { useState } from 'preact/hooks';
import { copy } from '../controls/copy.tsx';
import { visible } from '../controls/visible.ts';
import { query } from '../query/following.tsx';
import { observeCommand } from '../query/observe-command.ts';
import { notify } from '../shell/notices.tsx';
import { stream } from '../stream/stream.tsx';
import { ColumnsMenu, shownColumns } from './columns.tsx';
import { csvHead, csvLines, jsonLines } from './export-text.ts';
import { everyFlow, follow, hold, isFollowing, olderState, rowCount, unseen } from './rows.tsx';

const number = new Intl.NumberFormat('en');

export function Toolbar() {
  const { rate, lost } = stream.table.value;
  return (
    <div class="flow-tools" role="toolbar" aria-label="Flows">
      <button type="button" aria-pressed={!isFollowing.value} onClick={() => (isFollowing.value ? hold() : follow())}>
        {isFollowing.value ? 'Pause' : 'Paused'}
      </button>
      {unseen.value > 0 && (
        <button type="button" class="primary" onClick={follow}>
          {number.format(unseen.value)} new: to the newest
        </button>
      )}
      <span class="flow-count">
        {number.format(rowCount.value)} flows
        {rate > 0 && `, ${number.format(rate)}/s`}
        {lost > 0 && <strong> {number.format(lost)} lost</strong>}
      </span>
      <Older />
      <span class="fill" />
      <ColumnsMenu />
      <button type="button" onClick={() => void copy(observeCommand(query.value), 'The observe command')}>
        Copy as observe command
      </button>
      <ExportMenu />
    </div>
  );
}

function Older() {
  const { state, reached, problem } = olderState.value;
  if (problem !== '') return <span class="flow-older failed">Older flows: {visible(problem)}</span>;
  if (state === 'looking') return <span class="flow-older">Looking for older flows…</span>;
  if (state === 'more' || reached === '') return null;
  return <span class="flow-older">The agent has no older ones</span>;
}

type Format = 'jsonl' | 'csv';

function ExportMenu() {
  const [isBusy, setBusy] = useState(false);
  const run = (format: Format) => {
    setBusy(true);
    exported(format)
      .catch((error: unknown) => notify(`Export: ${(error as Error).message}`, true))
      .finally(() => setBusy(false));
  };
  return (
    <details class="menu">
      <summary class="button">{isBusy ? 'Exporting…' : 'Export'}</summary>
      <div>
        <button type="button" disabled={isBusy} onClick={() => run('jsonl')}>
          JSON lines
        </button>
        <button type="button" disabled={isBusy} onClick={() => run('csv')}>
          CSV
        </button>
      </div>
    </details>
  );
}

/** Writes a file of everything in the table. JSON lines are what `sluice observe --input-file` reads. */
async function exported(format: Format): Promise<void> {
  const columns = shownColumns.value;
  const parts: string[] = format === 'csv' ? [csvHead(columns)] : [];
  let count = 0;
  for await (const flows of everyFlow()) {
    parts.push(format === 'csv' ? csvLines(flows, columns) : jsonLines(flows));
    count += flows.length;
  }
  const url = URL.createObjectURL(new Blob(parts, { type: format === 'csv' ? 'text/csv' : 'application/x-ndjson' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `flows.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  notify(`${number.format(count)} flows exported`);
}
