/**
 * The directory of manifests: all `*.yaml`, `*.yml` and `*.json` below it, hidden files left out.
 *
 * A file counts as a whole: while anything in it is wrong, its last good documents stay in force and its problems are
 * reported. A file that vanishes takes its documents with it. When two files hold the same object, the file whose name sorts
 * last wins, and that is reported. Changes of many files that are seen at one look are applied together.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { watch as watchFiles } from 'chokidar';
import type { Document } from '../../policy/document/document.ts';
import { hasErrors, type Problem } from '../../policy/rule/problems.ts';
import type { ReadManifests } from './reader.ts';
import { referenceOf } from './text.ts';
import type { SourcedDocument } from './store.ts';

const SETTLE_MS = 50; // a file is read once it has not grown for this long: half a file may well parse

interface KnownFile {
  readonly signature: string;
  readonly mtimeMs: number;
  /** Of the last version without errors. */
  readonly documents: readonly Document[];
  readonly documentsMtimeMs: number;
  readonly problems: readonly Problem[];
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
  #files = new Map<string, KnownFile>();

  constructor(path: string, read: ReadManifests) {
    this.path = path;
    this.#read = read;
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
    return this.#contents();
  }

  /**
   * Calls `onChange` whenever files may have changed, once they have settled.
   * @returns a function that ends the watch
   */
  watch(onChange: () => void): () => Promise<void> {
    const awaitWriteFinish = { stabilityThreshold: SETTLE_MS, pollInterval: SETTLE_MS / 2 };
    const watcher = watchFiles(this.path, { ignoreInitial: true, awaitWriteFinish, ignorePermissionErrors: true });
    let timer: NodeJS.Timeout | undefined;
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        onChange();
      }, SETTLE_MS / 2);
    };
    watcher.on('all', soon).on('ready', soon).on('error', soon);
    return async () => {
      clearTimeout(timer);
      await watcher.close();
    };
  }

  #look(name: string, known: KnownFile | undefined): KnownFile | undefined {
    const path = join(this.path, name);
    let text: string;
    let signature: string;
    let mtimeMs: number;
    try {
      const status = statSync(path);
      mtimeMs = status.mtimeMs;
      signature = `${status.ino}:${status.size}:${mtimeMs}`;
      if (known?.signature === signature) return known;
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // gone between the two looks
      return { ...(known ?? NOTHING), signature: 'unreadable', problems: [unreadable(path, error as Error)] };
    }
    const { documents, problems } = this.#read(text, path);
    if (!hasErrors(problems)) return { signature, mtimeMs, documents, documentsMtimeMs: mtimeMs, problems };
    return { ...(known ?? NOTHING), signature, mtimeMs, problems };
  }

  #contents(): DirectoryContents {
    const byReference = new Map<string, SourcedDocument>();
    const problems: Problem[] = [];
    for (const [, file] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      problems.push(...file.problems);
      for (const document of file.documents) {
        const reference = referenceOf(document);
        const earlier = byReference.get(reference);
        if (earlier !== undefined) problems.push(twice(document, earlier.document));
        byReference.set(reference, { document, atMs: file.documentsMtimeMs });
      }
    }
    return { documents: [...byReference.values()], problems };
  }
}

const NOTHING: KnownFile = { signature: '', mtimeMs: 0, documents: [], documentsMtimeMs: 0, problems: [] };

function manifestNames(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory() && /\.(ya?ml|json)$/.test(entry.name))
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
