/** What the thread of the Kubernetes API was told last, so that only what has changed is told again. */
import type { EndpointDocument, ServiceDocument } from '../../api/shapes.ts';
import type { ServiceBook, ServiceState } from '../../services/service-book.ts';
import type { StandIns } from '../../kubelet/images/image-table.ts';
import { type Reference, referenceOf } from '../source/text.ts';
import { manifestName, type MirroredObject, type NodeFacts, type ToKubeApi } from './messages.ts';

/** Services as they are. A state is never changed, only replaced. */
interface ServiceStates {
  readonly book: Pick<ServiceBook, 'entries' | 'get' | 'size'>;
  readonly problemsOf: (key: string) => readonly string[];
}

interface ToldService {
  readonly state: ServiceState;
  readonly problems: string;
  readonly text: string;
}

export class Told {
  readonly #endpoints = new Map<string, string>();
  readonly #services = new Map<string, ToldService>();
  /** Object -> itself and what it stands for, as far as it was mirrored. */
  readonly #mirrored = new Map<string, Map<string, Reference>>();
  #node = '';
  #standIns = '';

  /** There is a new thread. */
  forget(): void {
    this.#endpoints.clear();
    this.#services.clear();
    this.#mirrored.clear();
    this.#node = '';
    this.#standIns = '';
  }

  mirrored({ object, owner }: MirroredObject): void {
    const name = manifestName(object);
    const key = referenceOf(owner ?? name);
    const all = this.#mirrored.get(key) ?? new Map<string, Reference>();
    this.#mirrored.set(key, all.set(referenceOf(name), name));
  }

  /** @returns what was told for an object */
  unmirrored(reference: Reference): Reference[] {
    const key = referenceOf(reference);
    const all = [...(this.#mirrored.get(key)?.values() ?? [])];
    this.#mirrored.delete(key);
    return all;
  }

  endpoints(documents: readonly EndpointDocument[]): Pick<ToKubeApi, 'endpoints'> | undefined {
    // What changes without anybody's doing is left out.
    const shown = documents.map((one) => ({ ...one, health: {} }));
    const { put, removed } = changed(this.#endpoints, shown, ({ namespace, pod }) => `${namespace}/${pod}`);
    return put.length + removed.length === 0 ? undefined : { endpoints: { put, removed } };
  }

  /**
   * A service is looked at only when its state is another object than the last time: there may be ten thousand, and this is asked every two seconds.
   * @param documentOf what of a service whoever asks is shown
   */
  services(
    { book, problemsOf }: ServiceStates,
    documentOf: (state: ServiceState, problems: readonly string[]) => ServiceDocument,
  ): Pick<ToKubeApi, 'services'> | undefined {
    const put: ServiceDocument[] = [];
    for (const [key, state] of book.entries()) {
      const problems = problemsOf(key);
      const before = this.#services.get(key);
      if (before?.state === state && before.problems === problems.join('\n')) continue;
      const document: ServiceDocument = { ...documentOf(state, problems), endpoints: [], frontends: [] };
      const text = JSON.stringify(document);
      this.#services.set(key, { state, problems: problems.join('\n'), text });
      if (text !== before?.text) put.push(document);
    }
    if (this.#services.size > book.size) this.#forgetGone(book);
    return put.length === 0 ? undefined : { services: put };
  }

  #forgetGone(book: ServiceStates['book']): void {
    for (const key of this.#services.keys()) if (book.get(key) === undefined) this.#services.delete(key);
  }

  node(node: NodeFacts): Pick<ToKubeApi, 'node'> | undefined {
    const text = JSON.stringify(node);
    if (text === this.#node) return undefined;
    this.#node = text;
    return { node };
  }

  standIns(standIns: StandIns): Pick<ToKubeApi, 'standIns'> | undefined {
    const text = JSON.stringify(standIns);
    if (text === this.#standIns) return undefined;
    this.#standIns = text;
    return { standIns };
  }
}

/** What differs from what is known, which it then is. */
function changed<T>(known: Map<string, string>, now: readonly T[], keyOf: (one: T) => string) {
  const put: T[] = [];
  const present = new Set<string>();
  for (const one of now) {
    const key = keyOf(one);
    const text = JSON.stringify(one);
    present.add(key);
    if (known.get(key) === text) continue;
    known.set(key, text);
    put.push(one);
  }
  const removed = [...known.keys()].filter((key) => !present.has(key));
  for (const key of removed) known.delete(key);
  return { put, removed };
}
