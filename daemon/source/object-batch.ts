/**
 * One file of applied objects: what one request brought, or what is left of it. A text stands in it once, however many objects
 * it holds; an object that is gone is marked where it stands, with one byte. So a request costs what it says, whatever else there
 * is, and a kill -9 at any moment leaves all objects of a request or none.
 *
 * A file is lines of JSON behind a letter:
 *
 *     # {"layout":2,"reader":"4f...","file":"site.yaml","namespace":"shop"}    who kept the objects, what the text was called
 *     = {"line":12,"column":1,"text":"apiVersion: v1\n..."}                    a piece of the text; they are counted from 0
 *     + {"kind":"Pod","namespace":"shop","name":"web","atMs":1,"text":0,"kept":{...}}     an object in force
 *     - {...}                                                                  one that was
 *
 * It is written beside its place, then renamed. `kept` is the object as it was understood, for the program and configuration
 * that `reader` stands for; any other reads the text.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { KeptDocument } from '../../policy/document/kept-document.ts';
import type { Slice } from '../../policy/document/slice.ts';
import { nameOf, type Reference, referenceOf } from './text.ts';
import type { Document } from '../../policy/document/document.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { writeProblem } from '../../linux/state-file.ts';

const LAYOUT = 2;
const CHUNK = 1 << 20; // bytes written at once

const HEAD = '#';
const TEXT = '=';
const OBJECT = '+';
const GONE = '-';
const LINE_END = 10;

/** An object as it was applied. */
export interface LoggedObject {
  readonly document: Document;
  readonly atMs: number;
  readonly createdMs: number;
}

/** What a request brought. */
export interface LoggedRequest {
  /** What its text was called. */
  readonly file: string;
  /** Of documents that name none. */
  readonly namespace?: string | undefined;
  readonly slices: ReadonlyMap<Document, Slice>;
  readonly objects: readonly LoggedObject[];
}

/** What all objects of a batch have in common. */
export interface BatchHead {
  /** Stands for the program and configuration that `kept` counts for. */
  readonly reader: string;
  /** What the text was called. */
  readonly file: string;
  /** Of documents that name none. */
  readonly namespace?: string | undefined;
}

/** A line about an object. */
export interface ObjectLine extends Reference {
  readonly atMs: number;
  readonly createdMs?: number | undefined;
  /** Number of its text in the batch. */
  readonly text: number;
  readonly kept?: KeptDocument | undefined;
}

/** Where an object in force stands, and what it costs with its share of the text. */
export interface PlacedLine {
  readonly reference: string;
  readonly offset: number;
  readonly bytes: number;
}

/** What a file holds. */
export interface BatchContents {
  readonly head: BatchHead;
  readonly objects: readonly (PlacedLine & { readonly line: ObjectLine })[];
  /** Lines that are none of ours, from 1. */
  readonly damaged: readonly number[];
  /** The text of an object, the same one for the same number; undefined when it is damaged. */
  readonly text: (number: number) => Slice | undefined;
  /** Bytes in all. */
  readonly size: number;
}

/** An object to be written, and the text that it is read from: one text is written once. */
export interface Entry {
  readonly line: Omit<ObjectLine, 'text'>;
  readonly slice: Slice;
}

/**
 * Writes a batch, and puts it in place.
 * @param isSynced it is on disk then, whatever becomes of the machine
 * @returns where the objects stand
 * @throws Error naming the file, of which nothing is left then
 */
export function writeBatch(
  path: string,
  head: BatchHead,
  entries: readonly Entry[],
  isSynced: boolean,
): { objects: readonly PlacedLine[]; size: number } {
  const writer = new LineWriter(path);
  try {
    writer.write(HEAD, { layout: LAYOUT, ...head });
    const numbers = new Map<Slice, number>();
    const texts: Span[] = [];
    const found = entries.map(({ line: given, slice }) => {
      const text = numbers.get(slice) ?? texts.push(writer.write(TEXT, slice)) - 1;
      numbers.set(slice, text);
      const line = { ...given, text };
      return { line: { ...nameOf(line), text }, span: writer.write(OBJECT, line) };
    });
    const size = writer.commit(isSynced);
    return { objects: weighed(found, texts), size };
  } catch (error) {
    writer.abandon();
    throw writeProblem(path, error);
  }
}

/** Writes beside a file, and renames. */
class LineWriter {
  readonly #path: string;
  #fd: number | undefined;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  write(letter: string, value: object): Span {
    const line = Buffer.from(`${letter} ${JSON.stringify(value)}\n`);
    const from = this.#offset;
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    this.#offset += line.length;
    if (this.#pendingBytes >= CHUNK) this.#flush();
    return { from, to: this.#offset };
  }

  /** @returns bytes in all */
  commit(isSynced: boolean): number {
    const fd = this.#flush();
    if (isSynced) fsyncSync(fd);
    this.#close();
    renameSync(stagedPath(this.#path), this.#path);
    return this.#offset;
  }

  abandon(): void {
    this.#close();
    rmSync(stagedPath(this.#path), { force: true });
  }

  #flush(): number {
    if (this.#fd === undefined) mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    this.#fd ??= openSync(stagedPath(this.#path), 'w', 0o600);
    const chunk = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    for (let done = 0; done < chunk.length; ) done += writeSync(this.#fd, chunk, done);
    return this.#fd;
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function stagedPath(path: string): string {
  return `${path}.new`;
}

/** Whether a file is what a killed writer leaves. */
export function isStaged(path: string): boolean {
  return path.endsWith('.new');
}

/** Marks objects as gone where they stand. @throws Error naming the file */
export function markGone(path: string, offsets: readonly number[]): void {
  try {
    const fd = openSync(path, 'r+');
    try {
      for (const offset of offsets) writeSync(fd, GONE, offset);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw writeProblem(path, error);
  }
}

/** @throws Error when the file cannot be read, or is no batch of this layout */
export function readBatch(path: string): BatchContents {
  const bytes = readFileSync(path);
  const head = headOf(path, bytes);
  const texts: Span[] = [];
  const damaged: number[] = [];
  const found: { line: ObjectLine; span: Span }[] = [];
  let number = 0;
  for (const span of linesOf(bytes)) {
    number++;
    const letter = String.fromCharCode(bytes[span.from] ?? 0);
    if (letter === TEXT) texts.push(span);
    else if (letter === OBJECT) {
      const line = parsed(bytes, span);
      if (isObjectLine(line, texts.length)) found.push({ line, span });
      else damaged.push(number);
    } else if (letter !== GONE && number > 1) damaged.push(number);
  }
  const read = new Map<number, Slice>();
  const text = (wanted: number): Slice | undefined => {
    const slice = read.get(wanted) ?? textOf(bytes, texts[wanted]);
    if (slice !== undefined) read.set(wanted, slice);
    return slice;
  };
  return { head, damaged, objects: weighed(found, texts), text, size: bytes.length };
}

interface Span {
  readonly from: number;
  /** Behind the end of the line. */
  readonly to: number;
}

function* linesOf(bytes: Buffer): Generator<Span> {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(LINE_END, from);
    const to = end < 0 ? bytes.length : end + 1;
    yield { from, to };
    from = to;
  }
}

/** A text that several objects share is a part of the weight of each. */
function weighed<Line extends Reference & { readonly text: number }>(
  found: readonly { line: Line; span: Span }[],
  texts: readonly Span[],
): (PlacedLine & { readonly line: Line })[] {
  const users = new Uint32Array(texts.length);
  for (const { line } of found) users[line.text] = (users[line.text] ?? 0) + 1;
  return found.map(({ line, span }) => {
    const share = lengthOf(texts[line.text]) / Math.max(1, users[line.text] ?? 0);
    return { line, reference: referenceOf(line), offset: span.from, bytes: lengthOf(span) + share };
  });
}

function lengthOf(span: Span | undefined): number {
  return span === undefined ? 0 : span.to - span.from;
}

function headOf(path: string, bytes: Buffer): BatchHead {
  const end = bytes.indexOf(LINE_END);
  const head = parsed(bytes, { from: 0, to: end < 0 ? bytes.length : end }) as Partial<BatchHead & { layout: number }>;
  if (bytes[0] !== HEAD.charCodeAt(0) || typeof head.file !== 'string' || typeof head.reader !== 'string')
    throw new Error(`read ${path}: found a damaged file, wanted applied objects`);
  if (head.layout === LAYOUT) return head as BatchHead;
  throw new Error(`read ${path}: found layout ${head.layout}, wanted ${LAYOUT}: is it of another version of Sluice?`);
}

function textOf(bytes: Buffer, span: Span | undefined): Slice | undefined {
  const { text, line, column } = (span === undefined ? {} : parsed(bytes, span)) as Partial<Slice>;
  return typeof text === 'string' && isPlace(line) && isPlace(column) ? { text, line, column } : undefined;
}

/** {} of what is no JSON. */
function parsed(bytes: Buffer, { from, to }: Span): object {
  try {
    return (JSON.parse(bytes.toString('utf8', from + 1, to)) ?? {}) as object;
  } catch {
    return {};
  }
}

function isObjectLine(value: object, texts: number): value is ObjectLine {
  const { kind, namespace, name, atMs, text } = value as Partial<ObjectLine>;
  const isNamed = [kind, namespace, name].every((part) => typeof part === 'string');
  return isNamed && typeof atMs === 'number' && Number.isInteger(text) && (text ?? -1) >= 0 && (text ?? 0) < texts;
}

function isPlace(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1;
}

/** What is wrong with a file of ours. */
export function stateProblem(file: string, message: string): Problem {
  const what = { file, line: 1, column: 1, path: '', severity: 'error' } as const;
  return { ...what, message: `restore object: ${message}`, code: 'state' };
}
