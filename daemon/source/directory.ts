/**
 * The directory of manifests: all `*.yaml`, `*.yml` and `*.json` below it, hidden files left out.
 *
 * While anything in a file is wrong, its good documents are in force as they are written now, and of the others those that
 * its last good version holds: a slip of the pen costs no policy, in this file or another. The last good version of each
 * file is kept in a directory of our own, so that this holds across a restart too. A file that vanishes takes its documents
 * with it. When two files hold the same object, the file whose name sorts last wins, and that is reported. Changes of
 * many files that are seen at one look are applied together.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Document } from '../../policy/document/document.ts';
import { decodeText } from '../../policy/document/encoding.ts';
import { isManifestName } from '../../policy/document/manifest.ts';
import { hasErrors, type Problem } from '../../policy/rule/problems.ts';
import type { ReadManifests } from './reader.ts';
import { referenceOf } from './text.ts';
import type { SourcedDocument } from './versions.ts';
import { watchDirectory } from './watching.ts';
import { StateFile } from '../../linux/state-file.ts';

interface KnownFile {
  readonly signature: string;
  /** In force. */
  readonly documents: readonly SourcedDocument[];
  /** Of the last version without errors. */
  readonly good: readonly SourcedDocument[];
  readonly problems: readonly Problem[];
}

/** A file as it was when all was well with it. */
interface SavedFile {
  readonly name: string;
  readonly mtimeMs: number;
  readonly text: string;
}

/** What a look at the directory found, all files together. */
export interface DirectoryContents {
  readonly documents: readonly SourcedDocument[];
  readonly problems: readonly Problem[];
}

/** One watched directory. */
export class ManifestDirectory {
  readonly path: string;
  readonly #read: ReadManifests;
  readonly #saved: string;
  #files = new Map<string, KnownFile>();

  /** @param saved directory of our own for the last good version of each file */
  constructor(path: string, read: ReadManifests, saved: string) {
    this.path = path;
    this.#read = read;
    this.#saved = saved;
  }

  /**
   * Looks at the directory again, reading only files that have changed.
   * @returns undefined when nothing has
   * @throws SystemError when the directory itself cannot be read
   */
  scan(): DirectoryContents | undefined {
    const files = new Map<string, KnownFile>();
    let hasChanged = false;
    for (const name of manifestNames(this.path)) {
      const known = this.#files.get(name);
      const now = this.#look(name, known);
      if (now !== undefined) files.set(name, now);
      hasChanged ||= now !== known;
    }
    for (const name of this.#files.keys()) hasChanged ||= !files.has(name);
    if (!hasChanged) return undefined;
    this.#files = files;
    this.#forgetOthers();
    return this.#contents();
  }

  /**
   * Calls `onChange` whenever files may have changed, once they have settled.
   * @returns a function that ends the watch
   */
  watch(onChange: () => void): () => Promise<void> {
    return watchDirectory(this.path, onChange);
  }

  #look(name: string, known: KnownFile | undefined): KnownFile | undefined {
    const path = join(this.path, name);
    let text: string;
    let signature: string;
    let atMs: number;
    try {
      const status = statSync(path);
      atMs = status.mtimeMs;
      signature = `${status.ino}:${status.size}:${atMs}`;
      if (known?.signature === signature) return known;
      text = decodeText(readFileSync(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // gone between the two looks
      const good = known?.good ?? this.#lastGood(name);
      return { signature: 'unreadable', documents: good, good, problems: [unreadable(path, error as Error)] };
    }
    const { documents, problems } = this.#read(text, path);
    const now = documents.map((document) => ({ document, atMs }));
    if (hasErrors(problems)) {
      const good = known?.good ?? this.#lastGood(name);
      return { signature, documents: joined(good, now), good, problems };
    }
    return {
      signature,
      documents: now,
      good: now,
      problems: [...problems, ...this.#save({ name, mtimeMs: atMs, text })],
    };
  }

  #fileOf(name: string): StateFile<SavedFile | undefined> {
    return new StateFile(join(this.#saved, savedName(name)), 1);
  }

  /** What an earlier agent found in the file when all was well with it. */
  #lastGood(name: string): readonly SourcedDocument[] {
    const saved = this.#fileOf(name).load(undefined);
    if (saved?.name !== name || typeof saved.text !== 'string') return [];
    const { documents } = this.#read(saved.text, join(this.path, name));
    return documents.map((document) => ({ document, atMs: saved.mtimeMs }));
  }

  /** @returns what is wrong when it cannot be kept: the file counts all the same */
  #save(file: SavedFile): readonly Problem[] {
    try {
      this.#fileOf(file.name).save(file);
      return [];
    } catch (error) {
      return [unreadable(join(this.path, file.name), error as Error)];
    }
  }

  /** Drops the versions kept of files that are gone. */
  #forgetOthers(): void {
    const kept = new Set([...this.#files.keys()].map(savedName));
    const entries = existsSync(this.#saved) ? readdirSync(this.#saved) : [];
    for (const name of entries) if (!kept.has(name)) rmSync(join(this.#saved, name), { force: true });
  }

  #contents(): DirectoryContents {
    const byReference = new Map<string, SourcedDocument>();
    const problems: Problem[] = [];
    for (const [, file] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      problems.push(...file.problems);
      for (const sourced of file.documents) {
        const reference = referenceOf(sourced.document);
        const earlier = byReference.get(reference);
        if (earlier !== undefined) problems.push(twice(sourced.document, earlier.document));
        byReference.set(reference, sourced);
      }
    }
    return { documents: [...byReference.values()], problems };
  }
}

/** What is good now, and what was good before and is not good now. */
function joined(before: readonly SourcedDocument[], now: readonly SourcedDocument[]): readonly SourcedDocument[] {
  const present = new Set(now.map(({ document }) => referenceOf(document)));
  return [...before.filter(({ document }) => !present.has(referenceOf(document))), ...now];
}

/** Paths may be longer than names of files. */
function savedName(name: string): string {
  return `${createHash('sha256').update(name).digest('hex').slice(0, 32)}.json`;
}

function manifestNames(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory() && isManifestName(entry.name))
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
  return names.filter((name) => !name.split('/').some((part) => part.startsWith('.')));
}

function unreadable(path: string, error: Error): Problem {
  return {
    file: path,
    line: 1,
    column: 1,
    path: '',
    severity: 'error',
    message: `read file: ${error.message}`,
    code: 'unreadable',
  };
}

function twice(document: Document, earlier: Document): Problem {
  const message = `read ${referenceOf(document)}: found it at ${earlier.file}:${earlier.line} too, wanted it once; this one counts`;
  const { file, line } = document;
  return {
    file,
    line,
    column: 1,
    path: '',
    severity: 'warning',
    message,
    code: 'duplicate-object',
    document: referenceOf(document),
  };
}
