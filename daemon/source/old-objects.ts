/**
 * Applied objects in the layout before batches: a file for each, with the whole YAML document that it was in. Objects that were
 * in one text are put together again, so that it is read once.
 */
import { join } from 'node:path';
import type { Document } from '../../policy/document/document.ts';
import type { Slice } from '../../policy/document/slice.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { StateFile } from '../../linux/state-file.ts';
import { type LoggedObject, type LoggedRequest, stateProblem } from './object-batch.ts';
import type { ReadManifests } from './reader.ts';
import { type Reference, referenceOf } from './text.ts';
import { TextReading } from './text-reading.ts';

interface OldObject extends Reference {
  readonly atMs: number;
  readonly createdMs?: number | undefined;
  readonly file: string;
  /** Line of `file` on which `text` begins. */
  readonly firstLine: number;
  readonly text: string;
}

interface OldRequest extends LoggedRequest {
  readonly objects: LoggedObject[];
  readonly slices: Map<Document, Slice>;
}

/** What the files hold. */
export interface OldObjects {
  readonly requests: readonly LoggedRequest[];
  /** The files of those objects. */
  readonly paths: readonly string[];
  readonly problems: readonly Problem[];
}

/**
 * @param names of the files
 * @param isKnown whether a batch holds the object already: then its file is of no use any more
 */
export function oldObjects(
  directory: string,
  names: readonly string[],
  read: ReadManifests,
  isKnown: (reference: string) => boolean,
): OldObjects {
  const paths: string[] = [];
  const problems: Problem[] = [];
  const gathering = new Gathering(read);
  for (const name of names) {
    const file = new StateFile<OldObject | undefined>(join(directory, name), 1);
    const saved = file.load(undefined);
    if (!isOldObject(saved)) {
      problems.push(stateProblem(file.path, file.problem ?? 'found something else than an object of ours'));
    } else if (isKnown(referenceOf(saved)) || gathering.take(saved)) paths.push(file.path);
  }
  return { requests: gathering.requests, paths, problems: [...problems, ...gathering.problems] };
}

/** Puts together what belongs together. */
class Gathering {
  readonly #read: ReadManifests;
  readonly #byText = new Map<string, Slice>();
  readonly #byRequest = new Map<string, { reading: TextReading; request: OldRequest }>();

  constructor(read: ReadManifests) {
    this.#read = read;
  }

  get requests(): readonly LoggedRequest[] {
    return [...this.#byRequest.values()].map(({ request }) => request);
  }

  get problems(): readonly Problem[] {
    return [...this.#byRequest.values()].flatMap(({ reading }) => reading.problems);
  }

  /** @returns whether the object can still be read */
  take({ atMs, createdMs = atMs, ...saved }: OldObject): boolean {
    const { reading, request } = this.#requestOf(saved.file, saved.namespace === '' ? undefined : saved.namespace);
    const slice = this.#sliceOf(saved.text, saved.firstLine);
    const document = reading.document(referenceOf(saved), slice);
    if (document === undefined) return false;
    request.objects.push({ document, atMs, createdMs });
    request.slices.set(document, slice);
    return true;
  }

  #requestOf(file: string, namespace: string | undefined): { reading: TextReading; request: OldRequest } {
    const key = JSON.stringify([file, namespace]);
    const known = this.#byRequest.get(key);
    if (known !== undefined) return known;
    const request = { file, namespace, objects: [], slices: new Map<Document, Slice>() };
    const made = { reading: new TextReading(this.#read, file, namespace), request };
    this.#byRequest.set(key, made);
    return made;
  }

  #sliceOf(text: string, line: number): Slice {
    const key = `${line} ${text}`;
    const slice = this.#byText.get(key) ?? { text, line, column: 1 };
    this.#byText.set(key, slice);
    return slice;
  }
}

function isOldObject(value: unknown): value is OldObject {
  const { kind, namespace, name, atMs, file, firstLine, text } = (value ?? {}) as Partial<OldObject>;
  const isPlaced = Number.isInteger(firstLine) && (firstLine ?? 0) >= 1;
  const areTexts = [kind, namespace, name, file, text].every((one) => typeof one === 'string');
  return isPlaced && areTexts && typeof atMs === 'number';
}
