/**
 * A table of the history that is in memory: the one being filled, or one that waits to be written. It knows the sequence
 * number in the ring of each row, so that what ring and history both have is told once.
 */
import type { Envelope } from '../../hubble/flow.ts';
import { emitChunk, type Mark, markOf, START } from '../../hubble/store/chunk.ts';
import type { FlowTable } from '../../hubble/store/flow-table.ts';
import { type Appended, TableWriter } from '../../hubble/store/table-writer.ts';
import type { JournalFile } from './segment-files.ts';

/** Rows from `row` on have the sequence numbers from `sequence` on. */
interface Run {
  readonly row: number;
  readonly sequence: number;
}

/** Which rows of this process's life a table has. */
export class Sequences {
  readonly #runs: Run[] = [];

  add(row: number, sequence: number): void {
    const last = this.#runs.at(-1);
    if (last === undefined || sequence - last.sequence !== row - last.row) this.#runs.push({ row, sequence });
  }

  /** How many of the first `rows` rows came before a sequence number. */
  before(sequence: number, rows: number): number {
    for (let index = this.#runs.length - 1; index >= 0; index--) {
      const run = this.#runs[index];
      const end = this.#runs[index + 1]?.row ?? rows;
      if (run.sequence < sequence) return Math.min(end, run.row + sequence - run.sequence);
    }
    // Rows of an earlier life have no run.
    return this.#runs.length === 0 ? rows : 0;
  }
}

/** A place among the files, which a table has once it is known what files there are. */
export interface Place {
  readonly number: number;
  /** Absent for a table that came out of one. */
  readonly journal?: JournalFile;
}

/** What the history holds in memory of one segment to be. */
export interface WaitingTable {
  readonly table: FlowTable;
  readonly sequences: Sequences;
  place: Place | undefined;
}

export class OpenTable implements WaitingTable {
  readonly sequences = new Sequences();
  readonly openedMs: number;
  place: Place | undefined;
  readonly #writer: TableWriter;
  #written: Mark = START;

  /** @param nowMs about when its first flow was */
  constructor(nowMs: number) {
    this.openedMs = nowMs;
    this.#writer = new TableWriter(nowMs);
  }

  get table(): FlowTable {
    return this.#writer.table;
  }

  append(envelope: Envelope, sequence: number): Appended {
    const row = this.table.rows;
    const outcome = this.#writer.append(envelope);
    if (outcome === 'taken') this.sequences.add(row, sequence);
    return outcome;
  }

  /** Puts the rows that are new since the last call into the journal. */
  async keep(): Promise<void> {
    const now = markOf(this.table);
    if (now.rows === this.#written.rows) return;
    await this.place?.journal?.append(await emitChunk(this.table, this.#written, now));
    this.#written = now;
  }
}
