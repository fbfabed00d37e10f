/**
 * `sluice drops`: what is dropped now, as top shows programs, on a terminal; else and with --once what the agent holds.
 *
 * On a terminal the screen is the alternate one, drawn anew every two seconds and given back at the end, whatever ends it; the last table
 * stays on the screen that was there before. Cells are foreign text, and go through the table's `printable`.
 */
import { DaemonApi } from '../../api/daemon-api.ts';
import { remediesFor, changeText } from '../../explain/remedy.ts';
import { FlowJudge } from '../../explain/verdict.ts';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import { queryOfFlow } from '../policy/flow-query.ts';
import { liveWorld } from '../policy/live-world.ts';
import { Failure } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Column, renderTable } from '../terminal/table.ts';
import { type DropRow, DropTable } from './drop-table.ts';

export interface DropsFlags {
  readonly once?: boolean;
  /** Of --once: say of each row what would let it pass. */
  readonly allow?: boolean;
}

const REDRAW_MS = 2000;
/** Lines of the screen that are no rows, and how many there are when the terminal does not say. */
const HEAD_LINES = 3;
const USUAL_LINES = 24;
/** Rows of --once, and those of which it is said what would let them pass: that takes a world for each change that is tried. */
const SHOWN_ROWS = 50;
const MOST_REMEDIES = 20;
const ANSWER_MS = 60_000;

const ENTER_SCREEN = '\x1b[?1049h\x1b[?25l';
const LEAVE_SCREEN = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

const DROPPED = { filter: JSON.stringify([{ verdict: ['DROPPED'] }]) };

/** @param signal ends the live view */
export async function showDrops(settings: Settings, flags: DropsFlags, signal: AbortSignal): Promise<void> {
  const isLive = flags.once !== true && settings.output === 'table' && settings.host.stdout.isTTY === true;
  const table = new DropTable();
  if (isLive) await live(settings, table, signal);
  else {
    await follow(settings, table, {}, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
    if (flags.allow === true) return printRemedies(settings, table);
  }
  return print(settings, table);
}

async function follow(settings: Settings, table: DropTable, query: object, signal: AbortSignal): Promise<void> {
  await new DaemonApi(settings).flows({ ...DROPPED, ...query }, signal, (line) => {
    const flow = readEnvelope(line)?.flow;
    if (flow !== undefined) table.take(flow);
  });
}

async function live(settings: Settings, table: DropTable, signal: AbortSignal): Promise<void> {
  const { stdout } = settings.host;
  const draw = (): void => {
    table.tick(REDRAW_MS / 1000);
    stdout.write(screen(settings, table));
  };
  stdout.write(ENTER_SCREEN);
  const timer = setInterval(draw, REDRAW_MS);
  try {
    stdout.write(screen(settings, table));
    await follow(settings, table, { follow: 1, last: 0 }, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(timer);
    stdout.write(LEAVE_SCREEN);
  }
}

const COLUMNS: readonly Column<DropRow>[] = [
  { header: 'DROPS', cell: ({ count }) => count },
  { header: 'PER SECOND', cell: ({ rate }) => rate.toFixed(1) },
  { header: 'REASON', cell: ({ reason }) => reason },
  { header: 'FROM', cell: ({ from }) => from },
  { header: 'TO', cell: ({ to }) => to },
  { header: 'PORT', cell: ({ port }) => port },
  { header: 'BY', cell: ({ policies }) => policies.join(', ') },
];
const STILL = COLUMNS.filter(({ header }) => header !== 'PER SECOND');

/** The whole screen, no line longer than it is wide: a line that wraps would push the others out. */
function screen({ host }: Settings, table: DropTable): string {
  const { columns = 80, rows = USUAL_LINES } = host.stdout;
  const shown = table.rows().slice(0, Math.max(1, rows - HEAD_LINES - 1));
  const head = `${table.total} drops, ${table.rate.toFixed(1)} a second; Ctrl-C ends`;
  const lines = [head, '', ...renderTable(COLUMNS, shown).trimEnd().split('\n')];
  return `${HOME}${lines.map((line) => `${line.slice(0, columns)}${CLEAR_LINE}`).join('\n')}${CLEAR_BELOW}`;
}

async function print(settings: Settings, table: DropTable): Promise<void> {
  const rows = table.rows();
  if (settings.output !== 'table') {
    const told = rows.map((row) => documentOf(row));
    await printDocument(settings, { drops: table.total, others: table.others, rows: told });
    return;
  }
  const { stdout } = settings.host;
  if (rows.length > 0) stdout.write(renderTable(STILL, rows.slice(0, SHOWN_ROWS), { headers: settings.headers }));
  const hidden = rows.slice(SHOWN_ROWS).reduce((sum, { count }) => sum + count, table.others);
  stdout.write(
    hidden === 0 ? `${table.total} drops\n` : `${table.total} drops, ${hidden} of them of other kinds: see -o json\n`,
  );
}

/** With the last flow by its UUID, for `sluice flows explain`. */
function documentOf({ reason, from, to, port, policies, count, flow }: DropRow): object {
  return { reason, from, to, port, policies, count, uuid: flow.uuid, time: flow.time };
}

/** Each row with what would let its last flow pass, tried in the agent's world. */
async function printRemedies(settings: Settings, table: DropTable): Promise<void> {
  const world = await liveWorld(settings, 'drops');
  const judge = new FlowJudge(world);
  const rows = table.rows().slice(0, MOST_REMEDIES);
  const told = rows.map((row) => ({ row, remedies: remediesOf(judge, row) }));
  if (settings.output !== 'table') {
    const items = told.map(({ row, remedies }) => ({ ...documentOf(row), remedies }));
    await printDocument(settings, { drops: table.total, others: table.others, rows: items });
    return;
  }
  for (const { row, remedies } of told) {
    settings.host.stdout.write(renderTable(STILL, [row], { headers: false }));
    settings.host.stdout.write(remedies.map((text) => `  to allow it, ${text}`).join(''));
  }
}

function remediesOf(judge: FlowJudge, { flow }: DropRow): string[] {
  try {
    const query = queryOfFlow(flow, judge.world);
    const { verdict, error } = judge.answer(query);
    if (verdict === 'error') return [`${error ?? 'nothing is known of it'}\n`];
    if (verdict === 'allowed') return ['nothing is to be changed: policies of now let it pass\n'];
    const { changes, reason } = remediesFor(judge, query);
    return reason === undefined ? changes.map(changeText) : [`${reason}\n`];
  } catch (error) {
    if (error instanceof Failure) return [`${error.message}\n`];
    throw error;
  }
}
