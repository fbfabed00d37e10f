/**
 * Manifests as the agent takes them: what readTried() says, and what is wrong with the annotations and addresses of
 * pods, which only the agent knows about. A problem has the place of the value that it is about.
 */
import { isMap, isNode, isSeq, type LineCounter, type Node } from 'yaml';
import { ANNOTATIONS } from '../../policy/document/annotations.ts';
import type { Document, SlicedDocuments } from '../../policy/document/document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { parseStream, type Place } from '../../policy/document/stream.ts';
import { ObjectReader, type ReadObject } from '../../policy/document/object-documents.ts';
import { readTried, Trial } from '../../policy/trial.ts';
import { expandWorkload, isWorkload, templatePath } from '../../policy/document/workload.ts';
import { referenceOf } from './text.ts';
import { pathText } from '../../policy/document/document-path.ts';
import { type PlanOptions, planPod, type PodProblem } from './pod-plan.ts';

/**
 * Text -> documents without errors, and every problem.
 * @param file what the text is called
 * @param namespace that of documents that name none; `default` unless told
 * @param place where the text begins in that file; at its start unless told
 */
export type ReadManifests = (text: string, file: string, namespace?: string, place?: Place) => SlicedDocuments;

/** An object as an API gives it -> a document without errors, and every problem. */
export type ReadAnObject = (object: object, file: string) => ReadObject;

/** What is wrong with a Service in the light of what this node has to give. */
export type CheckService = (service: Document) => readonly PodProblem[];

/** @param plan what pods are planned with @param checkService of which no more is asked unless told */
export function manifestReader(
  policy: PolicyConfig,
  plan: PlanOptions,
  checkService: CheckService = () => [],
): ReadManifests {
  return (text, file, namespace, place) => {
    const { documents, problems, slices } = readTried(text, file, policy, namespace, place);
    const wrong = documents.map((document) => problemsHere(document, plan, checkService));
    if (wrong.every((found) => found.length === 0)) return { documents, problems, slices };
    const places = new Places(text, place);
    const found = documents.flatMap((document, i) => wrong[i].map((one) => problemOf(document, one, places)));
    return { documents: documents.filter((_, i) => wrong[i].length === 0), problems: [...problems, ...found], slices };
  };
}

/** As `manifestReader`, of objects that need no text; a problem has its path alone. */
export function objectReader(
  policy: PolicyConfig,
  plan: PlanOptions,
  checkService: CheckService = () => [],
): ReadAnObject {
  const reader = new ObjectReader(policy);
  const trial = new Trial(policy);
  return (object, file) => {
    const { document, problems } = reader.read(object, file);
    if (document === undefined) return { document, problems };
    const fault = isTried(document, plan) ? trial.fault(document) : undefined;
    const here = [...problemsHere(document, plan, checkService), ...placeProblems(document)];
    const wrong = here.map((one) => problemOf(document, one, NOWHERE));
    const isWrong = fault !== undefined || wrong.length > 0;
    return { document: isWrong ? undefined : document, problems: [...problems, ...(fault ? [fault] : []), ...wrong] };
  };
}

/** Pods elsewhere are many and have no rules: they are not compiled alone first. */
function isTried({ kind, object }: Document, { nodeName }: PlanOptions): boolean {
  return kind !== 'Pod' || (object['spec'] as { nodeName?: string } | undefined)?.nodeName === nodeName;
}

/** What is wrong with a document on this node, whoever wrote it. */
function problemsHere(document: Document, plan: PlanOptions, checkService: CheckService): readonly PodProblem[] {
  return document.kind === 'Service' ? checkService(document) : podProblems(document, plan);
}

/**
 * A pod of an API has containers, which run where the pod hangs: its author chooses no namespace of the machine's, or of another pod's. (Those of
 * a cluster come here without the annotation.)
 */
function placeProblems({ kind, annotations }: Document): readonly PodProblem[] {
  const netns = annotations[ANNOTATIONS.netns];
  if (kind !== 'Pod' || netns === undefined) return [];
  const message = `found "${netns}", wanted none: a pod of a Kubernetes API gets a network namespace of its own`;
  return [{ path: ['metadata', 'annotations', ANNOTATIONS.netns], message }];
}

function podProblems(document: Document, plan: PlanOptions): readonly PodProblem[] {
  if (document.kind === 'Pod') return planPod(document, plan).problems;
  if (!isWorkload(document.kind)) return [];
  const [first] = expandWorkload(document);
  if (first === undefined) return [];
  return planPod(first, plan).problems.map(({ path, message }) => ({
    path: [...templatePath(document.kind), ...path],
    message,
  }));
}

function problemOf(document: Document, { path, message }: PodProblem, places: Pick<Places, 'of'>): Problem {
  const place = places.of(document.line, path);
  const kind = document.kind === 'Service' ? 'service' : 'pod';
  const what = { file: document.file, ...place, path: pathText(path), message: `read ${kind}: ${message}` };
  return { ...what, severity: 'error', code: kind, document: referenceOf(document) };
}

const NOWHERE = { of: (line: number) => ({ line, column: 1 }) };

/** Where values lie in a text. */
class Places {
  readonly #lines: LineCounter;
  /** By the line that they begin on. */
  readonly #objects: ReadonlyMap<number, Node>;

  constructor(text: string, place: Place | undefined) {
    const { documents, lines } = parseStream(text, place);
    this.#lines = lines;
    const objects = documents.flatMap(({ contents }) => unfold(contents));
    this.#objects = new Map(objects.map((node) => [this.#placeOf(node).line, node]));
  }

  /** Place of the value at a path, or of the nearest one above it, in the object that begins on a line. */
  of(line: number, path: readonly (string | number)[]): { line: number; column: number } {
    const object = this.#objects.get(line);
    for (let length = path.length; length > 0; length--) {
      const node = isMap(object) ? object.getIn(path.slice(0, length), true) : undefined;
      if (isNode(node)) return this.#placeOf(node);
    }
    return { line, column: 1 };
  }

  #placeOf(node: Node): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(node.range?.[0] ?? 0);
    return { line, column: col };
  }
}

/** The objects of a list, or the node itself. */
function unfold(node: Node | null): Node[] {
  const items = isMap(node) ? node.get('items', true) : undefined;
  if (isSeq(items)) return items.items.filter(isNode);
  return node === null ? [] : [node];
}
