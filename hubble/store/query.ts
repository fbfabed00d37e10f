/** Answers a request out of tables: in memory and on disk, oldest first, a batch at a time. */
import type { FlowFilter } from '../filter/flow-filter.ts';
import type { Envelope } from '../flow.ts';
import type { FlowsRequest } from '../ring.ts';
import type { FlowRows } from './columns.ts';
import { RowFilter } from './row-filter.ts';
import { RowReader } from './row-reader.ts';

/** Some rows of the history: a table in memory, or a file. */
export interface Part {
  /** For people, when it cannot be read. */
  readonly name: string;
  readonly minMs: number;
  readonly maxMs: number;
  /** How many of its rows count. */
  readonly limit: number;
  /** Lets `read` have the rows, for as long as it runs. */
  use<T>(read: (rows: FlowRows) => Promise<T>): Promise<T>;
}

export interface Question {
  readonly request: FlowsRequest;
  readonly allow: readonly FlowFilter[];
  /** All of the filters, compiled: allow and deny. */
  readonly matches: (envelope: Envelope) => boolean;
  readonly signal: AbortSignal;
  /** Lets others have the thread; called at least once for every PAUSE_ROWS rows that become flows. */
  readonly pause: () => Promise<void>;
  /** A part is refused; the others go on. */
  readonly onUnreadable: (part: Part, error: Error) => void;
}

const PAUSE_ROWS = 512;

/**
 * @param parts in the order in which they were written
 * @returns batches of what matches, oldest first; at most `request.number` flows in all, lost events uncounted
 */
export async function* ask(parts: readonly Part[], question: Question): AsyncGenerator<readonly Envelope[]> {
  const { request, allow } = question;
  const { number = Number.POSITIVE_INFINITY, sinceMs = -Infinity, untilMs = Infinity } = request;
  const filter = new RowFilter(allow);
  const live = parts.filter((part) => part.limit > 0 && part.maxMs + 1 >= sinceMs && part.minMs <= untilMs);
  if (number === 0) return;
  const isLast = request.first !== true && number !== Number.POSITIVE_INFINITY;
  const start = isLast ? await startOfLast(live, filter, number, question) : { part: 0, row: 0 };
  let left = number;
  for (const [index, part] of live.entries()) {
    if (index < start.part) continue;
    const fromRow = index === start.part ? start.row : 0;
    for await (const batch of matching(part, filter, question, { fromRow, isBackward: false })) {
      const taken: Envelope[] = [];
      for (const { envelope } of batch) {
        if (left <= 0) break;
        taken.push(envelope);
        if (envelope.flow !== undefined) left--;
      }
      yield taken;
      if (left <= 0 || question.signal.aborted) return;
    }
  }
}

interface Place {
  readonly part: number;
  readonly row: number;
}

/** Where the last `number` flows that match begin. */
async function startOfLast(
  parts: readonly Part[],
  filter: RowFilter,
  number: number,
  question: Question,
): Promise<Place> {
  let left = number;
  for (let index = parts.length - 1; index >= 0; index--) {
    for await (const batch of matching(parts[index], filter, question, { fromRow: 0, isBackward: true })) {
      for (const { row, envelope } of batch) {
        if (envelope.flow !== undefined && --left === 0) return { part: index, row };
      }
      if (question.signal.aborted) return { part: parts.length, row: 0 };
    }
  }
  return { part: 0, row: 0 };
}

interface Match {
  readonly row: number;
  readonly envelope: Envelope;
}

interface Walk {
  readonly fromRow: number;
  readonly isBackward: boolean;
}

/** What matches in a part. One that cannot be read is told, and ends there. */
async function* matching(
  part: Part,
  filter: RowFilter,
  question: Question,
  walk: Walk,
): AsyncGenerator<readonly Match[]> {
  const { sinceMs = -Infinity, untilMs = Infinity } = question.request;
  try {
    const found = await part.use(async (rows) => {
      const all = await filter.rowsOf(rows, part.limit, sinceMs, untilMs);
      const candidates = all.filter((row) => row >= walk.fromRow);
      if (candidates.length === 0) return undefined;
      const reader = await RowReader.open(rows, candidates);
      return { candidates: walk.isBackward ? candidates.reverse() : candidates, reader };
    });
    if (found === undefined) return;
    const { candidates, reader } = found;
    for (let at = 0; at < candidates.length; at += PAUSE_ROWS) {
      await question.pause();
      if (question.signal.aborted) return;
      yield readRows(reader, candidates.subarray(at, at + PAUSE_ROWS), question);
    }
  } catch (error) {
    question.onUnreadable(part, error as Error);
  }
}

function readRows(reader: RowReader, rows: Uint32Array, { request, matches }: Question): Match[] {
  const { sinceMs = -Infinity, untilMs = Infinity } = request;
  const found: Match[] = [];
  for (const row of rows) {
    const envelope = reader.read(row);
    const ms = Date.parse(envelope.time ?? '');
    if (!(ms < sinceMs || ms > untilMs) && matches(envelope)) found.push({ row, envelope });
  }
  return found;
}
