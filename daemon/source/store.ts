/**
 * All objects in force, from two sources: the directory of manifests, and `apply` through the API.
 *
 * An object is known by kind, namespace and name. Each source holds at most one version of it; the one written last counts (the
 * time of the file against the time of the apply), and when that one is taken away, the other counts again. So a file
 * edited after an apply wins, and an apply wins over an older file; nothing is merged field by field.
 *
 * Applied objects are kept in `<runDir>/state/objects`, one file each with the text they were written in, so that after
 * a restart their rules still lead back to file and line. A request is applied as a whole or not at all.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Document } from '../../policy/document/document.ts';
import { hasErrors, type Problem } from '../../policy/rule/problems.ts';
import type { ReadManifests } from './reader.ts';
import { nameOf, type Reference, readReferences, referenceOf, type Slice, sliceDocuments } from './text.ts';
import { StateFile } from '../../linux/state-file.ts';

/** A document with the time it was written, ms since the epoch. */
export interface SourcedDocument {
  readonly document: Document;
  readonly atMs: number;
}

/** One line of the answer to apply or delete. */
export interface AppliedObject extends Reference {
  readonly action: 'created' | 'configured' | 'unchanged' | 'deleted';
}

export interface ApplyResult {
  readonly applied: readonly AppliedObject[];
  readonly problems: readonly Problem[];
}

/** What has come into force, changed or gone since the last look. */
export interface StoreChanges {
  readonly put: readonly Document[];
  readonly removed: readonly Reference[];
}

interface SavedObject extends Reference {
  readonly atMs: number;
  readonly file: string;
  /** Line of `file` on which `text` begins. */
  readonly firstLine: number;
  readonly text: string;
}

interface Versions {
  directory?: SourcedDocument;
  api?: SourcedDocument;
}

/** The objects of one instance. */
export class ObjectStore {
  readonly #directory: string;
  readonly #read: ReadManifests;
  readonly #nowMs: () => number;
  readonly #versions = new Map<string, Versions>();
  readonly #inForce = new Map<string, Document>();
  readonly #touched = new Set<string>();

  /** @param directory where applied objects are kept */
  constructor(directory: string, read: ReadManifests, nowMs: () => number = Date.now) {
    this.#directory = directory;
    this.#read = read;
    this.#nowMs = nowMs;
  }

  /** Reads the applied objects of an earlier run. @returns what was wrong with them; such objects are left out */
  load(): Problem[] {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const problems: Problem[] = [];
    const names = readdirSync(this.#directory);
    // Staged by an agent that was killed before it could put them in place.
    for (const name of names.filter((entry) => entry.endsWith('.new'))) rmSync(join(this.#directory, name));
    for (const name of names.filter((entry) => entry.endsWith('.json'))) {
      const file = new StateFile<SavedObject | undefined>(join(this.#directory, name), 1);
      const saved = file.load(undefined);
      if (saved === undefined) problems.push(lost(file.path, file.problem ?? 'empty'));
      else problems.push(...this.#restore(saved));
    }
    return problems;
  }

  /** Replaces what the directory holds. */
  setDirectory(documents: readonly SourcedDocument[]): void {
    const present = new Set<string>();
    for (const sourced of documents) {
      const reference = referenceOf(sourced.document);
      present.add(reference);
      this.#set(reference, 'directory', sourced);
    }
    for (const [reference, versions] of this.#versions) {
      if (versions.directory !== undefined && !present.has(reference)) this.#set(reference, 'directory', undefined);
    }
  }

  /**
   * Applies the documents of a text, all or none.
   * @param file what the text is called in problems and origins
   */
  apply(text: string, file: string): ApplyResult {
    const { documents, problems } = this.#read(text, file);
    if (hasErrors(problems)) return { applied: [], problems };
    const slices = sliceDocuments(text);
    const atMs = documents.map(() => this.#nowMs());
    this.#saveAll(documents.map((document, i) => ({ ...savedForm(document, slices), atMs: atMs[i] })));
    const applied = documents.map((document, i) => this.#applyOne(document, atMs[i]));
    return { applied, problems };
  }

  /** Deletes the objects that the documents of a text name; what the documents say beyond their names does not matter. */
  deleteText(text: string, file: string): ApplyResult {
    const { references, problems } = readReferences(text, file);
    return hasErrors(problems) ? { applied: [], problems } : this.delete(references, file);
  }

  /**
   * Deletes applied objects, all or none.
   * An object that is not there, or that only the directory holds, is a problem.
   */
  delete(references: readonly Reference[], file: string): ApplyResult {
    const problems = references
      .map((reference) => this.#deleteProblem(reference, file))
      .filter((one) => one !== undefined);
    if (problems.length > 0) return { applied: [], problems };
    const applied = references.map((reference): AppliedObject => {
      const key = referenceOf(reference);
      this.#file(key).remove();
      this.#set(key, 'api', undefined);
      return { ...nameOf(reference), action: 'deleted' };
    });
    return { applied, problems: [] };
  }

  /** All objects in force. */
  documents(): IterableIterator<Document> {
    return this.#inForce.values();
  }

  /** The object in force under a name. */
  get(reference: Reference): Document | undefined {
    return this.#inForce.get(referenceOf(reference));
  }

  /** Whether objects were applied that a restart must find again. */
  get hasApplied(): boolean {
    return [...this.#versions.values()].some(({ api }) => api !== undefined);
  }

  /** What has changed since the last call. */
  takeChanges(): StoreChanges {
    const put: Document[] = [];
    const removed: Reference[] = [];
    for (const reference of this.#touched) {
      const before = this.#inForce.get(reference);
      const now = winner(this.#versions.get(reference));
      if (now === before || (now !== undefined && before !== undefined && isSame(now, before))) continue;
      if (now !== undefined) {
        this.#inForce.set(reference, now);
        put.push(now);
      } else if (before !== undefined) {
        this.#inForce.delete(reference);
        removed.push(nameOf(before));
      }
    }
    this.#touched.clear();
    return { put, removed };
  }

  /** @throws Error naming the file that cannot be written; all are then as they were */
  #saveAll(objects: readonly SavedObject[]): void {
    const last = new Map(objects.map((saved) => [referenceOf(saved), saved]));
    const files = [...last].map(([reference, saved]) => ({ file: this.#file(reference), saved }));
    try {
      for (const { file, saved } of files) file.stage(saved);
    } catch (error) {
      for (const { file } of files) file.unstage();
      throw error;
    }
    for (const { file } of files) file.commit();
  }

  #applyOne(document: Document, atMs: number): AppliedObject {
    const reference = referenceOf(document);
    const before = winner(this.#versions.get(reference));
    const action = before === undefined ? 'created' : isSameObject(before, document) ? 'unchanged' : 'configured';
    this.#set(reference, 'api', { document, atMs });
    return { ...nameOf(document), action };
  }

  #restore(saved: SavedObject): Problem[] {
    const text = '\n'.repeat(saved.firstLine - 1) + saved.text;
    const { documents, problems } = this.#read(text, saved.file);
    const key = referenceOf(saved);
    const document = documents.find((candidate) => referenceOf(candidate) === key);
    if (document !== undefined) this.#set(key, 'api', { document, atMs: saved.atMs });
    return document === undefined ? problems : [];
  }

  #deleteProblem(reference: Reference, file: string): Problem | undefined {
    const versions = this.#versions.get(referenceOf(reference));
    if (versions?.api !== undefined) return undefined;
    const held = versions?.directory?.document;
    const found = held === undefined ? 'no such object' : `it only in ${held.file}:${held.line}`;
    const hint = held === undefined ? {} : { hint: 'remove it from that file; the daemon watches the directory' };
    const message = `delete ${referenceOf(reference)}: found ${found}, wanted one that was applied`;
    return { file, line: 1, column: 1, path: '', severity: 'error', message, code: 'not-applied', ...hint };
  }

  #set(reference: string, source: keyof Versions, sourced: SourcedDocument | undefined): void {
    const versions = this.#versions.get(reference) ?? {};
    if (sourced === undefined) delete versions[source];
    else versions[source] = sourced;
    if (versions.api === undefined && versions.directory === undefined) this.#versions.delete(reference);
    else this.#versions.set(reference, versions);
    this.#touched.add(reference);
  }

  /** Names may be 253 characters long each, file names 255: the file is named by a digest. */
  #file(reference: string): StateFile<SavedObject | undefined> {
    const digest = createHash('sha256').update(reference).digest('hex').slice(0, 32);
    return new StateFile(join(this.#directory, `${digest}.json`), 1);
  }
}

function savedForm(document: Document, slices: readonly Slice[]): Omit<SavedObject, 'atMs'> {
  const slice = slices.findLast(({ firstLine }) => firstLine <= document.line) ?? { firstLine: 1, text: '' };
  return { ...nameOf(document), file: document.file, ...slice };
}

function winner(versions: Versions | undefined): Document | undefined {
  const { api, directory } = versions ?? {};
  if (api === undefined || directory === undefined) return (api ?? directory)?.document;
  return (directory.atMs > api.atMs ? directory : api).document;
}

function isSame(a: Document, b: Document): boolean {
  return a.file === b.file && a.line === b.line && isSameObject(a, b);
}

function isSameObject(a: Document, b: Document): boolean {
  return JSON.stringify(a.object) === JSON.stringify(b.object);
}

function lost(file: string, message: string): Problem {
  return {
    file,
    line: 1,
    column: 1,
    path: '',
    severity: 'error',
    message: `restore object: ${message}`,
    code: 'state',
  };
}
