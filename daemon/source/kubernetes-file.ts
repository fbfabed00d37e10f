/**
 * The objects of a Kubernetes API as the agent had them last, on disk: when the agent starts while the API cannot be reached,
 * its policies stay what they were. The API is the home of the objects; this file is never asked while it can be.
 *
 * The file is lines of JSON behind a letter, added to as objects come and go, and written anew (beside, then renamed) when most
 * of it counts no more:
 *
 *     # {"layout":1,"reader":"4f...","source":"in-cluster"}                 who kept the objects, of which API
 *     + {"atMs":1,"createdMs":1,"kept":{"kind":"Pod",...}}                  an object; a later line of the same name replaces it
 *     - {"kind":"Pod","namespace":"shop","name":"web"}                      it is gone
 *
 * A kill -9 at any moment costs the last lines at most. Nobody waits for the disk itself: after a crash of the machine pods are
 * made anew, and what is missing here comes from the API. `reader` is as in object-batch.ts: another program, or another configuration,
 * reads the kept objects again.
 */
import { KUBERNETES } from '../../policy/rule/rule.ts';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { keep, type KeptDocument } from '../../policy/document/kept-document.ts';
import { ShapeInterner } from '../../policy/document/shaped-pod.ts';
import type { Document } from '../../policy/document/document.ts';
import { writeProblem } from '../../linux/state-file.ts';
import type { Keeping } from './keeping.ts';
import type { ReadAnObject } from './reader.ts';
import { nameOf, type Reference, referenceOf } from './text.ts';
import type { SourcedDocument } from './versions.ts';

const KEPT_LAYOUT = 1;
const SLACK_BYTES = 1 << 20; // for which the file is not written anew
const MAX_BYTES = 1 << 30;

interface Line {
  readonly atMs: number;
  readonly createdMs?: number;
  readonly kept: KeptDocument;
}

interface FileOptions {
  readonly read: ReadAnObject;
  readonly keeping: Keeping;
  /** Which API it is: what another one had is of no use. */
  readonly source: string;
  /** Pods of other nodes are many. */
  readonly nodeName: string;
}

export class KubernetesFile {
  readonly #path: string;
  readonly #options: FileOptions;
  #bytes = 0;
  /** What the file had when it was written anew last. */
  #standingBytes = 0;
  /** Its last line lacks its end, or it has no head: the next write is a whole file. */
  #isBroken = true;
  /** Why it cannot be read or written; '' when it can. */
  problem = '';

  constructor(path: string, options: FileOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** What an earlier agent had; lines that cannot be understood are left out. */
  load(): SourcedDocument[] {
    if (!existsSync(this.#path)) return [];
    try {
      const { size } = statSync(this.#path);
      if (size > MAX_BYTES) throw new RangeError(`found ${size} bytes, wanted at most ${MAX_BYTES}`);
      return this.#loadText(readFileSync(this.#path, 'utf8'));
    } catch (error) {
      this.problem = `read ${this.#path}: ${(error as Error).message}: the last known objects of Kubernetes are lost`;
      return [];
    }
  }

  /**
   * Adds what has changed.
   * @param all what is there then, for a file that is written anew
   */
  change(put: readonly SourcedDocument[], removed: readonly Reference[], all: () => Iterable<SourcedDocument>): void {
    if (put.length === 0 && removed.length === 0) return;
    if (this.#isBroken || this.#bytes > 2 * this.#standingBytes + SLACK_BYTES) {
      this.#write(all());
      return;
    }
    const text = `${put.map(lineOf).join('')}${removed.map((one) => `- ${JSON.stringify(nameOf(one))}\n`).join('')}`;
    this.#try(() => {
      appendFileSync(this.#path, text, { mode: 0o600 });
      this.#bytes += Buffer.byteLength(text);
    });
  }

  /** Removes the file: no Kubernetes is a source any more. */
  remove(): void {
    rmSync(this.#path, { force: true });
    this.#isBroken = true;
  }

  #write(all: Iterable<SourcedDocument>): void {
    const beside = `${this.#path}.new`;
    const head = `# ${JSON.stringify({ layout: KEPT_LAYOUT, reader: this.#stamp, source: this.#options.source })}\n`;
    this.#try(() => {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      writeFileSync(beside, head, { mode: 0o600 });
      let bytes = head.length;
      for (const text of pieces(all)) {
        appendFileSync(beside, text);
        bytes += Buffer.byteLength(text);
      }
      renameSync(beside, this.#path);
      this.#bytes = bytes;
      this.#standingBytes = bytes;
    });
    if (this.#isBroken) rmSync(beside, { force: true });
  }

  #try(work: () => void): void {
    try {
      work();
      this.#isBroken = false;
      this.problem = '';
    } catch (error) {
      this.#isBroken = true;
      this.problem = `${writeProblem(this.#path, error).message}: a restart will not know the objects of Kubernetes`;
    }
  }

  get #stamp(): string {
    return this.#options.keeping.stamp;
  }

  #loadText(text: string): SourcedDocument[] {
    const found = new Map<string, SourcedDocument>();
    const interner = new ShapeInterner();
    const lines = text.split('\n');
    const isWhole = lines.pop() === '';
    const { layout, reader, source } = headOf(lines[0]);
    if (layout !== KEPT_LAYOUT) throw new Error(`found layout ${layout}, wanted ${KEPT_LAYOUT}`);
    if (source !== this.#options.source) return [];
    const isOurs = reader === this.#stamp;
    let damaged = 0;
    for (const line of lines.slice(1)) {
      try {
        this.#take(line, isOurs, found);
      } catch {
        damaged++;
      }
    }
    if (damaged > 0) this.problem = `read ${this.#path}: found ${damaged} lines that are no objects; left out`;
    this.#isBroken = !isWhole || !isOurs || damaged > 0;
    this.#bytes = Buffer.byteLength(text);
    this.#standingBytes = this.#bytes / 2;
    return [...found.values()].map((one) => ({ ...one, document: this.#shaped(one.document, interner) }));
  }

  /** @throws Error when the line is none of ours */
  #take(line: string, isOurs: boolean, found: Map<string, SourcedDocument>): void {
    const value = JSON.parse(line.slice(2)) as unknown;
    if (line.startsWith('- ')) {
      found.delete(referenceOf(value as Reference));
      return;
    }
    if (!line.startsWith('+ ')) throw new Error('no object');
    const { kept, ...times } = value as Line;
    const reference = referenceOf({ ...kept, name: (kept.object['metadata'] as { name: string }).name });
    const document = this.#document(kept, isOurs);
    if (document === undefined) found.delete(reference);
    else found.set(reference, { document, ...times });
  }

  /** What takes little memory as a pod of another node. */
  #shaped(document: Document, interner: ShapeInterner): Document {
    const { nodeName = '' } = (document.object['spec'] as { nodeName?: string } | undefined) ?? {};
    return document.kind === 'Pod' && nodeName !== this.#options.nodeName ? interner.document(document) : document;
  }

  /** Another program's object is checked again. */
  #document(kept: KeptDocument, isOurs: boolean): Document | undefined {
    const { keeping, read } = this.#options;
    return isOurs ? keeping.reviver.document(kept, KUBERNETES) : read(kept.object, KUBERNETES).document;
  }
}

interface Head {
  readonly layout?: number;
  readonly reader?: string;
  readonly source?: string;
}

function headOf(line = ''): Head {
  return line.startsWith('# ') ? (JSON.parse(line.slice(2)) as Head) : {};
}

function lineOf({ document, atMs, createdMs = atMs }: SourcedDocument): string {
  return `+ ${JSON.stringify({ atMs, createdMs, kept: keep(document) })}\n`;
}

const PIECE = 1 << 20; // characters written at once

function* pieces(all: Iterable<SourcedDocument>): Generator<string> {
  let text = '';
  for (const one of all) {
    text += lineOf(one);
    if (text.length < PIECE) continue;
    yield text;
    text = '';
  }
  yield text;
}
