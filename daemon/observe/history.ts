/**
 * Flows kept on disk. A sink of the observatory: it puts each flow into a table in memory at once, and files are written
 * behind that, so that nobody waits for a disk.
 *
 *     take --> open table --(every second)--> journal
 *                 | full, or an hour old
 *                 v
 *              waiting tables --(one by one)--> segment, and the journal is removed
 *
 * After kill -9 the journal is read up to the last whole chunk; what came in the last second is gone. A disk that is full or
 * slow is waited for with MAX_WAITING tables in memory; what comes then is not kept, counted, and told as lost where it is
 * missing. Segments that are older than the limit, and the oldest when all are larger than the limit, are removed.
 *
 * Nothing is written twice under one name, and a segment is never changed: a query reads files while others are written.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lostEnvelope } from '../../hubble/decode/decode.ts';
import type { Envelope } from '../../hubble/flow.ts';
import type { FlowSink } from '../../hubble/sink.ts';
import { deflate, emitChunk, markOf, START } from '../../hubble/store/chunk.ts';
import { readJournal } from '../../hubble/store/journal.ts';
import { ask, type Part, type Question } from '../../hubble/store/query.ts';
import { OpenTable, type Place, Sequences, type WaitingTable } from './open-table.ts';
import { Replays } from './replays.ts';
import { JournalFile, SegmentFiles } from './segment-files.ts';

const STEP_MS = 1000;
const MAX_OPEN_MS = 3_600_000;
const MAX_WAITING = 2;
const IN_MEMORY = 'memory';
const NO_JOURNAL = { table: undefined, torn: 0 };

export interface HistoryOptions {
  readonly directory: string;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly nodeName: string;
  /** Sequence number in the ring that the next envelope will get; the ring takes a batch before the history does. */
  readonly seen: () => number;
  /** How many flows the event rings may give a second time after a restart. */
  readonly replayed: number;
  readonly log: (level: 'info' | 'warn' | 'error', text: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly nowMs?: () => number;
}

/** A segment on disk. */
interface StoredSegment {
  readonly number: number;
  readonly bytes: number;
  readonly rows: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly sequences: Sequences;
  /** Why it cannot be read; '' when it can. */
  fault: string;
}

export interface HistoryStatus {
  /** On disk, journal and all. */
  readonly bytes: number;
  readonly flows: number;
  readonly segments: number;
  /** Milliseconds since the epoch; undefined when there is none. */
  readonly oldestMs?: number;
  /** Flows that were not kept, since the start of the thread. */
  readonly lost: number;
  /** What is wrong now, one sentence each. */
  readonly problems: readonly string[];
}

export class History implements FlowSink {
  readonly #options: HistoryOptions;
  readonly #files: SegmentFiles;
  readonly #nowMs: () => number;
  #segments: StoredSegment[] = [];
  readonly #waiting: WaitingTable[] = [];
  #open: OpenTable | undefined;
  #nextNumber = 1;
  #lost = 0;
  /** Lost since the last time that this was told. */
  #untold = 0;
  #problem = '';
  #isReady = false;
  readonly #replays = new Replays();
  #step: Promise<void> = Promise.resolve();
  #isStepping = false;
  readonly #timer: NodeJS.Timeout;
  /** It is known what an earlier life has kept, or that it cannot be read. */
  readonly ready: Promise<void>;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#files = new SegmentFiles(options.directory);
    this.#nowMs = options.nowMs ?? Date.now;
    this.#timer = setInterval(() => void this.write(), STEP_MS);
    this.ready = this.write();
  }

  get status(): HistoryStatus {
    const rows = [...this.#segments, ...this.#memory().map(({ table }) => table)].filter((one) => one.rows > 0);
    const faults = this.#segments.filter(({ fault }) => fault !== '');
    return {
      bytes: this.#bytes + (this.#open?.place?.journal?.bytes ?? 0),
      flows: rows.reduce((sum, one) => sum + one.rows, 0),
      segments: this.#segments.length,
      ...(rows.length > 0 && { oldestMs: Math.min(...rows.map(({ minMs }) => minMs)) }),
      lost: this.#lost,
      problems: [
        ...(this.#problem === '' ? [] : [this.#problem]),
        ...faults.map(
          ({ number, fault }) => `the history's ${this.#files.path(number, 'flows')} is left out: ${fault}`,
        ),
      ],
    };
  }

  take(envelopes: readonly Envelope[]): void {
    let sequence = this.#options.seen() - envelopes.length;
    for (const envelope of envelopes) {
      if (!this.#replays.take(envelope)) this.#add(envelope, sequence);
      sequence++;
    }
  }

  /**
   * Answers out of memory and disk, oldest first.
   * @param before only what came before that sequence number of the ring
   */
  async *ask(before: number, question: Omit<Question, 'pause' | 'onUnreadable'>): AsyncGenerator<readonly Envelope[]> {
    await this.ready;
    yield* ask(this.#parts(before), {
      ...question,
      pause: () => nextTurn(undefined),
      onUnreadable: (part, error) => this.#refuse(part, error),
    });
  }

  /** Whether an envelope tells a flow again that the history has from an earlier life. */
  isReplay(envelope: Envelope): boolean {
    return this.#replays.has(envelope);
  }

  /** Writes what there is to write. Called every second. */
  write(): Promise<void> {
    if (!this.#isStepping) {
      this.#isStepping = true;
      this.#step = this.#writeAll().finally(() => (this.#isStepping = false));
    }
    return this.#step;
  }

  /** Writes out everything. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#step;
    this.#roll();
    await this.write();
    for (const { place } of this.#waiting) await place?.journal?.close();
  }

  get #bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #memory(): readonly WaitingTable[] {
    return this.#open === undefined ? this.#waiting : [...this.#waiting, this.#open];
  }

  #add(envelope: Envelope, sequence: number): void {
    if (this.#untold > 0 && this.#hasRoom()) {
      const lost = lostEnvelope('OBSERVER_EVENTS_QUEUE', this.#untold, this.#options.nodeName, this.#nowMs());
      this.#untold = 0;
      this.#append(lost, sequence - 1);
    }
    this.#append(envelope, sequence);
  }

  /** Whether the table that is open, or a new one, can take more. */
  #hasRoom(): boolean {
    return this.#waiting.length < MAX_WAITING;
  }

  #append(envelope: Envelope, sequence: number): void {
    this.#open ??= this.#newTable();
    let outcome = this.#open.append(envelope, sequence);
    if (outcome === 'full' && this.#hasRoom()) {
      this.#roll();
      this.#open = this.#newTable(Date.parse(envelope.time ?? ''));
      outcome = this.#open.append(envelope, sequence);
    }
    if (outcome !== 'taken') this.#lose();
  }

  #lose(): void {
    this.#lost++;
    this.#untold++;
  }

  #newTable(firstMs = Number.NaN): OpenTable {
    return new OpenTable(Number.isNaN(firstMs) ? this.#nowMs() : firstMs);
  }

  /** The open table waits to be written. */
  #roll(): void {
    if (this.#open === undefined || this.#open.table.rows === 0) return;
    this.#waiting.push(this.#open);
    this.#open = undefined;
    void this.write();
  }

  async #writeAll(): Promise<void> {
    try {
      if (!this.#isReady) await this.#recover();
      if (this.#open !== undefined && this.#nowMs() - this.#open.openedMs > MAX_OPEN_MS) this.#roll();
      while (this.#waiting.length > 0) await this.#seal(this.#waiting[0]);
      if (this.#open !== undefined) this.#placeOf(this.#open);
      await this.#open?.keep();
      await this.#expire();
      if (this.#problem !== '') this.#options.log('info', 'flows are kept on disk again');
      this.#problem = '';
    } catch (error) {
      const problem = `write the history in ${this.#files.directory}: ${messageOf(error)}: flows wait in memory`;
      if (problem !== this.#problem) this.#options.log('error', problem);
      this.#problem = problem;
    }
  }

  async #seal(waiting: WaitingTable): Promise<void> {
    const { table, sequences } = waiting;
    const { number, journal } = this.#placeOf(waiting);
    const parts = await emitChunk(table, START, markOf(table), deflate);
    const bytes = await this.#files.write(number, parts);
    await journal?.close();
    const { rows, minMs, maxMs } = table;
    this.#segments.push({ number, bytes, rows, minMs, maxMs, sequences, fault: '' });
    this.#waiting.shift();
  }

  #placeOf(table: WaitingTable): Place {
    if (table.place === undefined) {
      const number = this.#nextNumber++;
      table.place = { number, journal: new JournalFile(this.#files.path(number, 'journal')) };
    }
    return table.place;
  }

  /** Takes in what an earlier life has left. */
  async #recover(): Promise<void> {
    const { segments, journals } = await this.#files.find();
    const found: StoredSegment[] = [];
    for (const number of segments) found.push(await this.#stored(number));
    this.#segments = [...found, ...this.#segments];
    const recovered: WaitingTable[] = [];
    for (const number of journals) {
      const table = await this.#recoverJournal(number, segments.includes(number));
      if (table !== undefined) recovered.push(table);
    }
    this.#waiting.unshift(...recovered);
    this.#nextNumber = 1 + Math.max(0, segments.at(-1) ?? 0, journals.at(-1) ?? 0);
    await this.#learnReplays([...this.#storedParts(0), ...recovered.map((one) => memoryPart(one, 0))]);
    this.#isReady = true;
  }

  /** Of the newest flows that an earlier life has kept, as many as can come again. */
  async #learnReplays(parts: readonly Part[]): Promise<void> {
    for (const part of [...parts].reverse()) {
      const left = this.#options.replayed - this.#replays.size;
      if (left <= 0) return;
      try {
        await part.use((rows) => this.#replays.learn(rows, left));
      } catch (error) {
        this.#refuse(part, error as Error);
      }
    }
  }

  /** @returns undefined when there is nothing in it that is not in a segment */
  async #recoverJournal(number: number, isDone: boolean): Promise<WaitingTable | undefined> {
    const { table, torn } = isDone ? NO_JOURNAL : readJournal(await this.#files.journal(number));
    const name = this.#files.path(number, 'journal');
    if (torn > 0) this.#options.log('warn', 'the end of a journal of flows was torn and is cut off', { name, torn });
    if (table !== undefined) return { table, sequences: new Sequences(), place: { number } };
    await this.#files.remove(number, 'journal');
    return undefined;
  }

  async #stored(number: number): Promise<StoredSegment> {
    const bytes = await this.#files.bytesOf(number);
    const sequences = new Sequences();
    try {
      return await this.#files.use(number, ({ rows, minMs, maxMs }) =>
        Promise.resolve({ number, bytes, rows, minMs, maxMs, sequences, fault: '' }),
      );
    } catch (error) {
      const fault = messageOf(error);
      this.#options.log('error', 'a file of the history is left out', {
        name: this.#files.path(number, 'flows'),
        fault,
      });
      return { number, bytes, rows: 0, minMs: 0, maxMs: 0, sequences, fault };
    }
  }

  /** Removes what is too old, and the oldest of what is too much. */
  async #expire(): Promise<void> {
    const { maxAgeMs, maxBytes } = this.#options;
    const oldestMs = this.#nowMs() - maxAgeMs;
    let bytes = this.#bytes;
    while (this.#segments.length > 0) {
      const [oldest] = this.#segments;
      if (bytes <= maxBytes && (oldest.maxMs >= oldestMs || oldest.fault !== '')) return;
      this.#segments.shift();
      bytes -= oldest.bytes;
      await this.#files.remove(oldest.number, 'flows');
    }
  }

  #parts(before: number): Part[] {
    return [...this.#storedParts(before), ...this.#memory().map((one) => memoryPart(one, before))];
  }

  #storedParts(before: number): Part[] {
    const readable = this.#segments.filter(({ fault }) => fault === '');
    return readable.map(({ number, minMs, maxMs, rows, sequences }) => {
      const limit = sequences.before(before, rows);
      return { name: String(number), minMs, maxMs, limit, use: (read) => this.#files.use(number, read) };
    });
  }

  #refuse({ name }: Part, error: Error): void {
    if (name === IN_MEMORY) throw error;
    const segment = this.#segments.find(({ number }) => number === Number(name));
    // One that was removed for its age while it was asked.
    if (segment === undefined) return;
    segment.fault = error.message;
    const path = this.#files.path(segment.number, 'flows');
    this.#options.log('error', 'a file of the history is left out', { name: path, fault: error.message });
  }
}

function memoryPart({ table, sequences }: WaitingTable, before: number): Part {
  const limit = sequences.before(before, table.rows);
  return { name: IN_MEMORY, minMs: table.minMs, maxMs: table.maxMs, limit, use: (read) => read(table) };
}

function messageOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
