/**
 * The agent's end of a Kubernetes API as a source of objects: the thread (thread.ts) that keeps a copy of it tells what has changed, batch by batch, and
 * the store takes it. What the thread tells has been checked there; here it becomes documents, and Services are checked against what this node has to give.
 *
 * Until every kind has been told whole for the first time, nothing is known: an agent that has nothing from an earlier run must not publish
 * what would be the policies of an empty cluster (`isKnown`). One that has goes on with what it knew.
 *
 * After a thread's start what it tells of a kind is compared with what the store has once it is whole: only then does anything go.
 */
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { type KeptDocument, Reviver } from '../../policy/document/kept-document.ts';
import type { StatusDocument } from '../../api/shapes.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../health/log.ts';
import { pathText } from '../../policy/document/document-path.ts';
import type { CheckService } from '../source/reader.ts';
import type { KubernetesChanges, ObjectStore } from '../source/store.ts';
import { type Reference, referenceOf } from '../source/text.ts';
import type { SourcedDocument } from '../source/versions.ts';
import { SupervisedThread } from '../supervise/supervised-thread.ts';
import type { Batch, FromKubernetes, KubernetesStatus, ToKubernetes } from './messages.ts';
import { resourcesOf } from './resources.ts';
import { ShapeBook } from './shapes.ts';
import type { KubernetesThreadData } from './thread.ts';

/** Keys and versions of 50,000 pods take 10, and as many objects on their way some 60. */
const HEAP_MIB = 384;

const NOTHING: KubernetesStatus = { server: '', resources: [], refused: 0, problems: [] };

/** What it needs of the agent. */
interface AgentParts {
  readonly config: Config;
  readonly store: Pick<ObjectStore, 'changeKubernetes' | 'kubernetesNames' | 'hasKubernetes'>;
  readonly services: { faultsOf: CheckService };
  /** Publishes what the store has. */
  readonly sync: () => unknown;
}

interface KubernetesOptions {
  readonly agent: AgentParts;
  /** Takes in what can be taken in before all is known. */
  readonly prepare: (areLabelsKnown: boolean) => void;
  readonly policy: PolicyConfig;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
}

export class Kubernetes {
  readonly #agent: AgentParts;
  readonly #prepare: KubernetesOptions['prepare'];
  readonly #thread: SupervisedThread<ToKubernetes, FromKubernetes> | undefined;
  readonly #reviver: Reviver;
  readonly #kinds: ReadonlySet<string>;
  readonly #services = new Map<string, string>();
  readonly #shapes = new ShapeBook();
  #status: KubernetesStatus = NOTHING;
  /** Of kinds that this thread has not told whole yet: what it has told. */
  #told = new Map<string, Set<string>>();
  #isKnown: boolean;
  #onKnown: () => void = () => undefined;

  /** Nothing without the option `kubernetes`. */
  constructor(options: KubernetesOptions) {
    const { agent, prepare, policy, log } = options;
    const { config } = agent;
    this.#agent = agent;
    this.#prepare = prepare;
    this.#reviver = new Reviver(policy);
    this.#kinds = new Set(resourcesOf(config.nodeName).map(({ kind }) => kind));
    this.#isKnown = config.kubernetes === '';
    if (this.#isKnown) return;
    this.#thread = new SupervisedThread({
      program: 'kubernetes',
      name: 'the thread for Kubernetes',
      log,
      workerData: { config, policy } satisfies KubernetesThreadData,
      heapMib: HEAP_MIB,
      onMessage: (message) => this.#take(message),
      onDeath: () => this.#begin(),
    });
  }

  /**
   * Starts the thread. Call it when the store has loaded what an earlier run had.
   * @param onKnown called once, when the objects are known: at once, or after the first lists
   */
  async start(onKnown: () => Promise<void>): Promise<void> {
    this.#begin();
    this.#isKnown ||= this.#agent.store.hasKubernetes;
    if (this.#isKnown) await onKnown();
    else this.#onKnown = () => void onKnown();
    await this.#thread?.start();
  }

  async stop(): Promise<void> {
    await this.#thread?.stop();
  }

  /** False while an empty list would be published. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Undefined when no API is a source. */
  get document(): StatusDocument['kubernetes'] {
    const { server, resources, refused } = this.#status;
    return this.#thread && { server, isKnown: this.#isKnown, refused, restarts: this.#thread.restarts, resources };
  }

  /** What is wrong now, one sentence each. */
  problems(): string[] {
    const death = this.#thread?.death ?? '';
    const missing = this.#status.resources.filter(({ isSynced }) => !isSynced).map(({ name }) => name);
    return [
      ...this.#status.problems,
      ...this.#services.values(),
      ...(this.#isKnown
        ? []
        : [
            `nothing is attached or published before Kubernetes has been listed once: ${missing.join(', ') || 'all'} are missing`,
          ]),
      ...(death === '' ? [] : [`the thread for Kubernetes died: ${death}`]),
    ];
  }

  #begin(): void {
    this.#shapes.clear();
    this.#told = new Map([...this.#kinds].map((kind) => [kind, new Set()]));
    this.#status = { ...NOTHING, problems: this.#status.problems };
  }

  #take(message: FromKubernetes): void {
    if ('kubernetes' in message) {
      this.#status = message.kubernetes;
      return;
    }
    const hasChanged = this.#agent.store.changeKubernetes(this.#changesOf(message.batch));
    this.#thread?.tell({ taken: true });
    if (this.#isKnown) {
      if (hasChanged) this.#agent.sync();
    } else if (this.#told.size === 0) {
      this.#isKnown = true;
      this.#onKnown();
    } else this.#prepare(!this.#told.has('Namespace'));
  }

  #changesOf({ put, pods, shapes, forgets, removed, refused, whole }: Batch): KubernetesChanges {
    if (forgets) this.#shapes.clear();
    this.#shapes.learn(shapes);
    const documents = pods.map((row) => this.#shapes.pod(row));
    for (const { document } of documents) this.#told.get('Pod')?.add(referenceOf(document));
    for (const { kept, atMs, createdMs } of put) {
      const document = this.#documentOf(kept);
      this.#told.get(kept.kind)?.add(referenceOf({ ...kept, name: nameIn(kept) }));
      if (document !== undefined) documents.push({ document, atMs, createdMs });
    }
    // What is refused stays as it was known last: a slip of the pen costs no policy.
    for (const one of refused) this.#told.get(one.kind)?.add(referenceOf(one));
    for (const one of removed) {
      this.#told.get(one.kind)?.delete(referenceOf(one));
      this.#services.delete(referenceOf(one));
    }
    return { put: documents, removed: [...removed, ...whole.flatMap((kind) => this.#missing(kind))] };
  }

  #documentOf(kept: KeptDocument): SourcedDocument['document'] | undefined {
    const document = this.#reviver.document(kept, 'kubernetes');
    if (document.kind !== 'Service') return document;
    const key = referenceOf(document);
    const [wrong] = this.#agent.services.faultsOf(document);
    if (wrong === undefined) this.#services.delete(key);
    else this.#services.set(key, `Kubernetes has ${key}, which is refused: ${pathText(wrong.path)}: ${wrong.message}`);
    return wrong === undefined ? document : undefined;
  }

  /** What the store has of a kind that is now whole, and Kubernetes has not. */
  #missing(kind: string): Reference[] {
    const told = this.#told.get(kind);
    this.#told.delete(kind);
    if (told === undefined) return [];
    return this.#agent.store.kubernetesNames(kind).filter((one) => !told.has(referenceOf(one)));
  }
}

function nameIn({ object }: KeptDocument): string {
  return (object['metadata'] as { name: string }).name;
}
