/**
 * The applied objects on disk: batches, each what one request brought, in the order of their numbers.
 *
 * Of two batches that hold an object the later one counts. A batch is put in place whole, and only then are the objects that it
 * replaces marked as gone in older ones; an agent that was killed between the two finds the object twice, and marks it then. A
 * batch with nothing left in it is removed, and one that is mostly dead is written again with what lives, so that the disk holds
 * at most twice the living. Work and disk are linear in what was applied.
 *
 * Files of the layout before, one for each object with the whole text that it was in, are read once and become batches.
 */
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Document } from '../../policy/document/document.ts';
import { keep, type Reviver } from '../../policy/document/kept-document.ts';
import type { Keeping } from './keeping.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import {
  type BatchContents,
  type Entry,
  isStaged,
  type LoggedObject,
  type LoggedRequest,
  markGone,
  type ObjectLine,
  type PlacedLine,
  readBatch,
  stateProblem,
  writeBatch,
} from './object-batch.ts';
import { oldObjects } from './old-objects.ts';
import type { ReadManifests } from './reader.ts';
import { nameOf, referenceOf } from './text.ts';
import { TextReading } from './text-reading.ts';

const TOLERATED = 1 << 16; // dead bytes for which a batch is not written again

interface Batch {
  readonly path: string;
  /** Where each object that is in force stands. */
  readonly live: Map<string, PlacedLine>;
  size: number;
  liveBytes: number;
}

export interface LogOptions {
  /** By what a restart understands objects without reading their text; it reads all texts without. */
  readonly keeping?: Keeping;
  /** The directory is there after a boot too: what was answered must be on disk, which takes some milliseconds. */
  readonly outlivesBoot?: boolean;
}

/** One directory of batches. */
export class ObjectLog {
  readonly #directory: string;
  readonly #read: ReadManifests;
  readonly #keeping: Keeping | undefined;
  readonly #isSynced: boolean;
  readonly #batchOf = new Map<string, Batch>();
  #next = 1;

  constructor(directory: string, read: ReadManifests, { keeping, outlivesBoot = false }: LogOptions) {
    this.#directory = directory;
    this.#read = read;
    this.#keeping = keeping;
    this.#isSynced = outlivesBoot;
  }

  /** What is there. Objects that cannot be read are left out; they stay on disk, for a program that can. */
  load(): { objects: LoggedObject[]; problems: Problem[] } {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const names = readdirSync(this.#directory).sort();
    // Staged by an agent that was killed before it could put them in place.
    for (const name of names.filter(isStaged)) rmSync(join(this.#directory, name));
    const objects = new Map<string, LoggedObject>();
    const problems: Problem[] = [];
    for (const name of names.filter((one) => BATCH_NAME.test(one))) problems.push(...this.#loadBatch(name, objects));
    problems.push(
      ...this.#loadOld(
        names.filter((name) => name.endsWith('.json')),
        objects,
      ),
    );
    return { objects: [...objects.values()], problems };
  }

  /** Keeps the objects of a request, all or none. @throws Error naming the file that cannot be written */
  put({ file, namespace, slices, objects }: LoggedRequest): void {
    const last = new Map(objects.map((object) => [referenceOf(object.document), object]));
    if (last.size === 0) return;
    const entries = [...last.values()].map(({ document, atMs, createdMs }) => {
      const slice = slices.get(document) ?? { text: '', line: 1, column: 1 };
      return { line: { ...nameOf(document), atMs, createdMs, kept: this.#kept(document) }, slice };
    });
    const path = this.#path(this.#next++);
    const placed = writeBatch(path, { reader: this.#stamp, file, namespace }, entries, this.#isSynced);
    this.remove([...last.keys()]);
    this.#adopt({ path, ...placed });
  }

  /** Forgets objects; those that are not there do not matter. @throws Error naming the file that cannot be written */
  remove(references: readonly string[]): void {
    const byBatch = new Map<Batch, string[]>();
    for (const reference of references) {
      const batch = this.#batchOf.get(reference);
      if (batch === undefined) continue;
      const doomed = byBatch.get(batch);
      if (doomed === undefined) byBatch.set(batch, [reference]);
      else doomed.push(reference);
    }
    for (const [batch, doomed] of byBatch) this.#removeFrom(batch, doomed);
  }

  get #stamp(): string {
    return this.#keeping?.stamp ?? '';
  }

  #kept(document: Document | undefined): ObjectLine['kept'] {
    return this.#keeping === undefined || document === undefined ? undefined : keep(document);
  }

  #path(number: number): string {
    return join(this.#directory, `${String(number).padStart(12, '0')}.batch`);
  }

  #loadBatch(name: string, objects: Map<string, LoggedObject>): Problem[] {
    this.#next = Math.max(this.#next, Number.parseInt(name, 10) + 1);
    const path = join(this.#directory, name);
    let contents: BatchContents;
    try {
      contents = readBatch(path);
    } catch (error) {
      renameSync(path, `${path}.bad`);
      return [stateProblem(path, `${(error as Error).message}; put aside as .bad`)];
    }
    const { documents, problems } = this.#documentsOf(contents);
    this.remove(contents.objects.map(({ line }) => referenceOf(line))); // an older batch may have them still
    const batch = this.#adopt({ path, ...contents });
    for (const { line } of contents.objects) {
      const reference = referenceOf(line);
      const document = documents.get(reference);
      const { atMs, createdMs = atMs } = line;
      if (document === undefined) objects.delete(reference);
      else objects.set(reference, { document, atMs, createdMs });
    }
    const damaged = contents.damaged.map((line) => ({ ...stateProblem(path, 'found a damaged line'), line }));
    if (damaged.length > 0) copyFileSync(path, `${path}.bad`);
    if (damaged.length > 0 || contents.head.reader !== this.#stamp) this.#rewrite(batch, documents);
    return [...problems, ...damaged];
  }

  #documentsOf({ head: { file, namespace, reader }, objects, text }: BatchContents): {
    documents: Map<string, Document>;
    problems: readonly Problem[];
  } {
    const reviver = reader === this.#stamp ? this.#keeping?.reviver : undefined;
    const reading = new TextReading(this.#read, file, namespace);
    const documents = new Map<string, Document>();
    for (const { line } of objects) {
      const reference = referenceOf(line);
      const slice = text(line.text);
      const document = revived(line, file, reviver) ?? (slice && reading.document(reference, slice));
      if (document !== undefined) documents.set(reference, document);
    }
    return { documents, problems: reading.problems };
  }

  #loadOld(names: readonly string[], objects: Map<string, LoggedObject>): readonly Problem[] {
    if (names.length === 0) return [];
    const old = oldObjects(this.#directory, names, this.#read, (reference) => this.#batchOf.has(reference));
    for (const request of old.requests) {
      this.put(request);
      for (const object of request.objects) objects.set(referenceOf(object.document), object);
    }
    for (const path of old.paths) rmSync(path, { force: true });
    return old.problems;
  }

  #adopt({ path, objects, size }: { path: string; objects: readonly PlacedLine[]; size: number }): Batch {
    const live = new Map(objects.map(({ reference, offset, bytes }) => [reference, { reference, offset, bytes }]));
    const batch = { path, live, size, liveBytes: sumOf(objects) };
    for (const reference of live.keys()) this.#batchOf.set(reference, batch);
    return batch;
  }

  #removeFrom(batch: Batch, references: readonly string[]): void {
    const gone = references.flatMap((reference) => batch.live.get(reference) ?? []);
    if (gone.length === batch.live.size) rmSync(batch.path, { force: true });
    else
      markGone(
        batch.path,
        gone.map(({ offset }) => offset),
      );
    for (const { reference } of gone) {
      batch.live.delete(reference);
      this.#batchOf.delete(reference);
    }
    batch.liveBytes -= sumOf(gone);
    const dead = batch.size - batch.liveBytes;
    if (batch.live.size > 0 && dead > Math.max(TOLERATED, batch.liveBytes)) this.#rewrite(batch);
  }

  /** Writes what lives again; when that cannot be done the batch stays as it is, which is as good. */
  #rewrite(batch: Batch, documents?: ReadonlyMap<string, Document>): void {
    try {
      const { head, objects, text } = readBatch(batch.path);
      const entries: Entry[] = objects.map(({ line }) => {
        const kept = documents === undefined ? line.kept : this.#kept(documents.get(referenceOf(line)));
        const slice = text(line.text);
        if (slice === undefined) throw new Error('found a damaged text');
        return { line: { ...line, kept }, slice };
      });
      const reader = documents === undefined ? head.reader : this.#stamp;
      const { objects: placed, size } = writeBatch(batch.path, { ...head, reader }, entries, this.#isSynced);
      batch.live.clear();
      for (const object of placed) batch.live.set(object.reference, object);
      batch.size = size;
      batch.liveBytes = sumOf(placed);
    } catch {
      // the next start, or the next object that goes, tries again
    }
  }
}

const BATCH_NAME = /^\d{12}\.batch$/;

function sumOf(objects: readonly PlacedLine[]): number {
  return objects.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Undefined when nothing was kept, or something else than the object. */
function revived(line: ObjectLine, file: string, reviver: Reviver | undefined): Document | undefined {
  if (reviver === undefined || line.kept === undefined) return undefined;
  try {
    const document = reviver.document(line.kept, file);
    return referenceOf(document) === referenceOf(line) ? document : undefined;
  } catch {
    return undefined;
  }
}
