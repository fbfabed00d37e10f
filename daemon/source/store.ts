/**
 * All objects in force, from three sources: the directory of manifests, `apply` through the API, and a Kubernetes API.
 *
 * An object is known by kind, namespace and name. Each source holds at most one version of it, and the one written last counts
 * (versions.ts): a file edited after an apply wins, and an apply wins over an older file. An object that Kubernetes has and
 * another source too is told as a problem.
 *
 * Beneath them are objects of the agent's own (its name server). They stand together: while a source has one of the same
 * name, none of them is in force.
 *
 * Applied objects are kept in `<runDir>/state/objects` (object-log.ts) with the text they were written in, so that after
 * a restart their rules still lead back to file and line. A request is applied as a whole or not at all; of one to delete,
 * what is there goes, and the rest is told. Objects of Kubernetes are kept as they were last (kubernetes-file.ts).
 */
import type { Document } from '../../policy/document/document.ts';
import { shownObject } from '../../policy/document/secret.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import { hasErrors, type Problem } from '../../policy/rule/problems.ts';
import type { LoggedObject } from './object-batch.ts';
import type { ReadManifests } from './reader.ts';
import type { KubernetesFile } from './kubernetes-file.ts';
import { notAppliedProblem, ownedProblem, ownProblem, takenProblem } from './store-problems.ts';
import { nameOf, type Reference, readReferences, referenceOf } from './text.ts';
import {
  contestSentence,
  counting,
  isContested,
  isSame,
  isSameObject,
  type SourcedDocument,
  type SourceName,
  type Versions,
  winner,
} from './versions.ts';
import { expandWorkload, isWorkload } from '../../policy/document/workload.ts';
import { type LogOptions, ObjectLog } from './object-log.ts';

/** One line of the answer to apply or delete. */
export interface AppliedObject extends Reference {
  readonly action: 'created' | 'configured' | 'unchanged' | 'deleted';
  /** What would be in force; of a dry run of apply only. */
  readonly object?: Manifest;
}

export interface ApplyResult {
  readonly applied: readonly AppliedObject[];
  readonly problems: readonly Problem[];
}

export interface ApplyOptions {
  /** Of documents that name none; `default` unless told. */
  readonly namespace?: string | undefined;
  /** An object that is there already is a problem, and stays as it is. */
  readonly isCreate?: boolean;
  /** Nothing changes; the answer is what it would be. */
  readonly isDryRun?: boolean;
}

export interface DeleteOptions {
  /** Of documents that name none; `default` unless told. */
  readonly namespace?: string | undefined;
  /** With a Namespace goes everything that was applied in it. */
  readonly contents?: boolean;
  /** Nothing changes; the answer is what it would be. */
  readonly isDryRun?: boolean;
}

/** What has come into force, changed or gone since the last look. */
export interface StoreChanges {
  readonly put: readonly Document[];
  readonly removed: readonly Reference[];
}

export interface StoreOptions extends LogOptions {
  /** ms since the epoch; the clock unless told. */
  readonly nowMs?: () => number;
  /** Where the objects of Kubernetes are kept; nowhere unless told. */
  readonly kubernetes?: KubernetesFile;
}

/** Objects that the API of Kubernetes has other than before; one that is in both is there. */
export interface KubernetesChanges {
  readonly put: readonly SourcedDocument[];
  readonly removed: readonly Reference[];
}

const CONTESTED_TOLD = 20;

/** The objects of one instance. */
export class ObjectStore {
  readonly #log: ObjectLog;
  readonly #read: ReadManifests;
  readonly #nowMs: () => number;
  readonly #versions = new Map<string, Versions>();
  readonly #inForce = new Map<string, Document>();
  readonly #touched = new Set<string>();
  readonly #own = new Map<string, SourcedDocument>();
  /** Objects that Kubernetes has and another source too. */
  readonly #contested = new Set<string>();
  readonly #kubernetes: KubernetesFile | undefined;

  /** @param directory where applied objects are kept */
  constructor(directory: string, read: ReadManifests, { nowMs = Date.now, kubernetes, ...log }: StoreOptions = {}) {
    this.#kubernetes = kubernetes;
    this.#log = new ObjectLog(directory, read, log);
    this.#read = read;
    this.#nowMs = nowMs;
  }

  /**
   * Reads the applied objects of an earlier run, and those that Kubernetes had then.
   * @returns what was wrong with the applied ones; such objects are left out
   */
  load(): Problem[] {
    const { objects, problems } = this.#log.load();
    for (const object of objects) this.#set(referenceOf(object.document), 'api', object);
    const known = this.#kubernetes?.load() ?? [];
    for (const object of known) this.#set(referenceOf(object.document), 'kubernetes', object);
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

  /** Takes everything that a Kubernetes API has; what is not among it goes. */
  setKubernetes(documents: readonly SourcedDocument[]): void {
    const before = [...this.#ofKubernetes()].map(({ document }) => nameOf(document));
    this.changeKubernetes({ put: documents, removed: before });
  }

  /** Whether it has anything, as far as is known. */
  get hasKubernetes(): boolean {
    return this.#ofKubernetes().next().done !== true;
  }

  /** Names of what it has of a kind. */
  kubernetesNames(kind: string): Reference[] {
    return [...this.#ofKubernetes()].map(({ document }) => nameOf(document)).filter((one) => one.kind === kind);
  }

  /** Takes changes of it. @returns whether there are any: what is there already as it is given is none */
  changeKubernetes({ put, removed }: KubernetesChanges): boolean {
    const changed = put.filter(({ document, atMs }) => {
      const before = this.#versions.get(referenceOf(document))?.kubernetes;
      return before?.atMs !== atMs || !isSame(before.document, document);
    });
    const present = new Set(removed.length === 0 ? [] : put.map(({ document }) => referenceOf(document)));
    const isGone = (key: string) => !present.has(key) && this.#versions.get(key)?.kubernetes !== undefined;
    const gone = removed.filter((one) => isGone(referenceOf(one)));
    for (const one of gone) this.#set(referenceOf(one), 'kubernetes', undefined);
    for (const sourced of changed) this.#set(referenceOf(sourced.document), 'kubernetes', sourced);
    this.#kubernetes?.change(changed, gone, () => this.#ofKubernetes());
    return changed.length > 0 || gone.length > 0;
  }

  /** What is wrong with objects of Kubernetes, one sentence each. */
  kubernetesProblems(): string[] {
    const { problem = '' } = this.#kubernetes ?? {};
    const contested = [...this.#contested];
    const told = contested.slice(0, CONTESTED_TOLD);
    const more = contested.length - told.length;
    return [
      ...(problem === '' ? [] : [problem]),
      ...told.map((key) => contestSentence(key, this.#versions.get(key) ?? {})),
      ...(more > 0 ? [`Kubernetes: found ${more} more objects that another source has too`] : []),
    ];
  }

  *#ofKubernetes(): Generator<SourcedDocument> {
    for (const { kubernetes } of this.#versions.values()) if (kubernetes !== undefined) yield kubernetes;
  }

  /** Takes objects of the agent's own. Call it once, before the others. */
  setOwn(documents: readonly Document[]): void {
    const atMs = this.#nowMs();
    for (const document of documents) this.#own.set(referenceOf(document), { document, atMs });
    for (const reference of this.#own.keys()) this.#touched.add(reference);
  }

  /** Whether the agent's own objects are in force. */
  get hasOwn(): boolean {
    return this.#own.size > 0 && ![...this.#own.keys()].some((reference) => this.#versions.has(reference));
  }

  /**
   * Applies the documents of a text, all or none; of those to be created, the ones that are not there yet.
   * @param file what the text is called in problems and origins
   */
  apply(text: string, file: string, { namespace, isCreate, isDryRun }: ApplyOptions = {}): ApplyResult {
    const { documents: read, problems, slices } = this.#read(text, file, namespace);
    if (hasErrors(problems)) return { applied: [], problems };
    const isTaken = (one: Document) => isCreate === true && winner(this.#versions.get(referenceOf(one))) !== undefined;
    const taken = read.filter(isTaken);
    const documents = read.filter((document) => !isTaken(document));
    if (isDryRun === true) {
      const applied = documents.map((one) => ({
        ...nameOf(one),
        action: this.#actionFor(one),
        object: shownObject(one.object),
      }));
      return { applied, problems: [...problems, ...taken.map(takenProblem)] };
    }
    const sourced = documents.map((document) => this.#sourcedNow(document));
    this.#log.put({ file, namespace, slices, objects: sourced });
    return { applied: sourced.map((one) => this.#applyOne(one)), problems: [...problems, ...taken.map(takenProblem)] };
  }

  /** Deletes the objects that the documents of a text name; what the documents say beyond their names does not matter. */
  deleteText(text: string, file: string, options: DeleteOptions = {}): ApplyResult {
    const { references, problems } = readReferences(text, file, options.namespace);
    if (problems.some(({ code }) => code === 'syntax')) return { applied: [], problems };
    const { applied, problems: missing } = this.delete(references, file, options);
    return { applied, problems: [...problems, ...missing] };
  }

  /**
   * Deletes applied objects. One that is not there, that only the directory holds, or that is a pod of a workload that stays,
   * is a problem, and does not keep the others.
   */
  delete(references: readonly Reference[], file: string, options: DeleteOptions = {}): ApplyResult {
    const { contents = false, isDryRun = false } = options;
    const all = contents ? this.#withContents(references) : references;
    const workloads = this.#workloadsByPod(all);
    const doomed = new Set(all.map(referenceOf));
    const applied: AppliedObject[] = [];
    const problems: Problem[] = [];
    const gone = new Set<string>();
    for (const reference of all) {
      const key = referenceOf(reference);
      const owner = this.#versions.get(key)?.api === undefined ? workloads.get(key) : undefined;
      const problem =
        owner === undefined ? this.#deleteProblem(reference, file, gone.has(key)) : ownedProblem(key, owner, file);
      const isOwned = owner !== undefined && doomed.has(owner);
      if (problem === undefined) gone.add(key);
      if (problem === undefined || isOwned) applied.push({ ...nameOf(reference), action: 'deleted' });
      else problems.push(problem);
    }
    if (isDryRun) return { applied, problems };
    this.#log.remove([...gone]);
    for (const key of gone) this.#set(key, 'api', undefined);
    return { applied, problems };
  }

  /** When an object first came into force, ms since the epoch. */
  createdMs(reference: Reference): number | undefined {
    const key = referenceOf(reference);
    const { api, kubernetes, directory } = this.#versions.get(key) ?? {};
    const own = this.hasOwn ? this.#own.get(key) : undefined;
    const times = [api, kubernetes, directory, own].flatMap((one) =>
      one === undefined ? [] : (one.createdMs ?? one.atMs),
    );
    return times.length === 0 ? undefined : Math.min(...times);
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

  /**
   * What has changed since the last call.
   * @param only of what is there now; everything else is left for a later call
   */
  takeChanges(only?: (document: Document) => boolean): StoreChanges {
    const put: Document[] = [];
    const removed: Reference[] = [];
    for (const reference of this.#touched) {
      const before = this.#inForce.get(reference);
      const now =
        winner(this.#versions.get(reference)) ?? (this.hasOwn ? this.#own.get(reference)?.document : undefined);
      if (only !== undefined && (now === undefined || !only(now))) continue;
      this.#touched.delete(reference);
      if (now === before || (now !== undefined && before !== undefined && isSame(now, before))) continue;
      if (now !== undefined) {
        this.#inForce.set(reference, now);
        put.push(now);
      } else if (before !== undefined) {
        this.#inForce.delete(reference);
        removed.push(nameOf(before));
      }
    }
    return { put, removed };
  }

  #sourcedNow(document: Document): LoggedObject {
    const atMs = this.#nowMs();
    const before = this.#versions.get(referenceOf(document))?.api;
    return { document, atMs, createdMs: before?.createdMs ?? before?.atMs ?? atMs };
  }

  #applyOne(sourced: SourcedDocument): AppliedObject {
    const { document } = sourced;
    const action = this.#actionFor(document);
    this.#set(referenceOf(document), 'api', sourced);
    return { ...nameOf(document), action };
  }

  /** What applying a document does to what is there. */
  #actionFor(document: Document): AppliedObject['action'] {
    const before = winner(this.#versions.get(referenceOf(document)));
    if (before === undefined) return 'created';
    return isSameObject(before, document) ? 'unchanged' : 'configured';
  }

  /** What is in a namespace goes before it, as far as it was applied. */
  #withContents(references: readonly Reference[]): Reference[] {
    const found = new Map<string, Reference>();
    for (const reference of references) {
      const inside = reference.kind === 'Namespace' ? this.#appliedIn(reference.name) : [];
      // A namespace that only its objects make is there too, and gone with them.
      const isImplied = inside.length > 0 && !this.#versions.has(referenceOf(reference));
      for (const one of isImplied ? inside : [...inside, reference]) found.set(referenceOf(one), one);
    }
    return [...found.values()];
  }

  #appliedIn(namespace: string): Reference[] {
    const applied = [...this.#versions.values()].flatMap(({ api }) => (api === undefined ? [] : api.document));
    return applied.filter((document) => document.namespace === namespace).map(nameOf);
  }

  /** The workload behind each pod that is to go and is no object of its own. */
  #workloadsByPod(references: readonly Reference[]): Map<string, string> {
    const found = new Map<string, string>();
    if (!references.some(({ kind }) => kind === 'Pod')) return found;
    for (const versions of this.#versions.values()) {
      const document = winner(versions);
      if (document === undefined || !isWorkload(document.kind)) continue;
      for (const pod of expandWorkload(document)) found.set(referenceOf(pod), referenceOf(document));
    }
    return found;
  }

  /** @param isGone the same request has deleted it */
  #deleteProblem(reference: Reference, file: string, isGone: boolean): Problem | undefined {
    const versions = this.#versions.get(referenceOf(reference));
    if (versions?.api !== undefined && !isGone) return undefined;
    const key = referenceOf(reference);
    const isHeld = versions?.directory !== undefined || versions?.kubernetes !== undefined;
    if (!isHeld && this.hasOwn && this.#own.has(key)) return ownProblem(key, file);
    return notAppliedProblem(key, versions ?? {}, file);
  }

  #set(reference: string, source: SourceName, sourced: SourcedDocument | undefined): void {
    const versions = this.#versions.get(reference) ?? {};
    if (sourced === undefined) delete versions[source];
    else versions[source] = sourced;
    if (sourced === undefined && counting(versions) === undefined) this.#versions.delete(reference);
    else this.#versions.set(reference, versions);
    if (isContested(versions)) this.#contested.add(reference);
    else this.#contested.delete(reference);
    this.#touched.add(reference);
    if (this.#own.has(reference)) for (const own of this.#own.keys()) this.#touched.add(own);
  }
}
