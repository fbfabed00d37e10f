/**
 * The agent's end of the Kubernetes API: the thread (thread.ts) that serves it, and what passes between the two.
 *
 *     thread --objects, check--> reader --> ObjectStore --> sync --> { answer }
 *     agent  --mirror, endpoints, services, node--> thread
 *
 * What is written through the API has its home in the thread; the agent has it as a source like any other, and keeps its last state while the
 * thread is dead. docs/decisions/0019-kubernetes-api.md says why it is so.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { StatusDocument } from '../../api/shapes.ts';
import { kubeconfigPath } from '../../api/sockets.ts';
import { endContainers } from '../../kubelet/runtime/pod-runtime.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { interfaceAddresses } from '../../linux/addresses.ts';
import type { Agent } from '../agent.ts';
import { routerAddresses } from '../config/config.ts';
import type { Log } from '../health/log.ts';
import { endpointDocuments } from '../serve/status.ts';
import { serviceDocument } from '../serve/services.ts';
import { planPod } from '../source/pod-plan.ts';
import type { StoreChanges } from '../source/store.ts';
import type { SourcedDocument } from '../source/versions.ts';
import { referenceOf } from '../source/text.ts';
import { SupervisedThread } from '../supervise/supervised-thread.ts';
import { type FromKubeApi, type KubeApiStatus, manifestName, type NodeFacts, type ToKubeApi } from './messages.ts';
import { allMirrored, API_FILE, mirrorChanges } from './mirror.ts';
import { nodeAddresses } from './node-addresses.ts';
import type { KubeApiSide } from './side.ts';
import { Told } from './told.ts';

/** Every object and its watchers; what a test of 10,000 pods takes is in decision 19. */
const HEAP_MIB = 512;
/** Between two looks at pods: while something changes, and the longest while nothing does. */
const FIRST_LOOK_MS = 100;
const LAST_LOOK_MS = 2000;

const NOTHING: KubeApiStatus = { address: '', problems: [], objects: 0, controllers: [] };

type FromThread<Name extends string> = Extract<FromKubeApi, Readonly<Record<Name, unknown>>>;

interface KubeApiParts {
  readonly agent: Agent;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
}

export class KubeApi implements KubeApiSide {
  readonly #parts: KubeApiParts;
  readonly #thread: SupervisedThread<ToKubeApi, FromKubeApi> | undefined;
  readonly #told = new Told();
  /** Namespaces of pods of this API, by pod. */
  readonly #netns = new Map<string, string>();
  #status: KubeApiStatus = NOTHING;
  /** What of the thread's objects the agent could not read, by object. */
  readonly #refused = new Map<string, string>();
  #looking: NodeJS.Timeout | undefined;

  /** Nothing without the option `kube-api`. */
  constructor(parts: KubeApiParts) {
    this.#parts = parts;
    const { config } = parts.agent;
    if (!config['kube-api']) return;
    this.#thread = new SupervisedThread({
      program: 'kube-api',
      name: 'the thread of the Kubernetes API',
      log: parts.log,
      workerData: {
        name: config.name,
        nodeName: config.nodeName,
        runDir: config.runDir,
        folder: join(config.stateDir === '' ? join(config.runDir, 'state') : config.stateDir, 'kube-api'),
        outlivesBoot: config.stateDir !== '',
        address: config['kube-api-address'],
        maxPods: config['kube-api-max-pods'],
        containerRuntime: config['container-runtime'],
      },
      heapMib: HEAP_MIB,
      greeting: () => this.#everything(),
      onMessage: (message) => this.#take(message),
      onDeath: () => (this.#status = NOTHING),
    });
  }

  /** Returns when the thread serves, or has died before. */
  async start(): Promise<void> {
    await this.#thread?.start();
    // Of an agent that was killed, and served an API.
    if (this.#thread === undefined) await endContainers(this.#parts.agent.config.runDir);
    else this.#lookLater(FIRST_LOOK_MS);
  }

  async stop(isClean: boolean): Promise<void> {
    clearTimeout(this.#looking);
    this.#thread?.tell({ ends: { isClean } });
    await this.#thread?.stop();
    // Also those of a thread that is dead.
    if (isClean) await endContainers(this.#parts.agent.config.runDir);
    if (isClean && this.#thread !== undefined) rmSync(kubeconfigPath(this.#parts.agent.config.runDir), { force: true });
  }

  mirror(changes: StoreChanges): void {
    if (this.#thread?.isReady !== true) return;
    const mirror = mirrorChanges(changes, this.#told, this.#parts.agent);
    if (mirror !== undefined) this.#thread.tell({ mirror });
  }

  tellState(): void {
    if (this.#tellState()) this.#lookLater(FIRST_LOOK_MS);
  }

  owns(netns: string): boolean {
    for (const one of this.#netns.values()) if (one === netns) return true;
    return false;
  }

  get controllers(): StatusDocument['controllers'] {
    return this.#status.controllers;
  }

  get document(): StatusDocument['kubeApi'] {
    const { address, objects } = this.#status;
    return this.#thread && { address, objects, restarts: this.#thread.restarts };
  }

  problems(): string[] {
    const death = this.#thread?.death ?? '';
    const died = death === '' ? [] : [`the thread of the Kubernetes API died: ${death}`];
    return [...this.#status.problems, ...this.#refused.values(), ...died];
  }

  #services(): ReturnType<Told['services']> {
    const { services } = this.#parts.agent;
    return this.#told.services({ book: services.book, problemsOf: (key) => services.problemsOf(key) }, serviceDocument);
  }

  /** @returns whether there was news */
  #tellState(): boolean {
    if (this.#thread?.isReady !== true) return false;
    const { agent } = this.#parts;
    const endpoints = this.#told.endpoints(endpointDocuments(agent));
    const services = this.#services();
    const node = this.#told.node(nodeFacts(agent));
    const standIns = this.#told.standIns(agent.config.standIns);
    const isNews = (endpoints ?? services ?? node ?? standIns) !== undefined;
    if (isNews) this.#thread.tell({ ...endpoints, ...services, ...node, ...standIns });
    return isNews;
  }

  /** A pod becomes ready without a word: when the dataplane has opened its port. */
  #lookLater(ms: number): void {
    clearTimeout(this.#looking);
    this.#looking = setTimeout(() => {
      this.#lookLater(this.#tellState() ? FIRST_LOOK_MS : Math.min(ms * 2, LAST_LOOK_MS));
    }, ms);
  }

  /** What each new thread is told first. */
  #everything(): ToKubeApi {
    const { agent } = this.#parts;
    this.#told.forget();
    const mirror = allMirrored(agent.store, this.#told, agent.config.nodeName);
    const endpoints = this.#told.endpoints(endpointDocuments(agent));
    const services = this.#services();
    const standIns = this.#told.standIns(agent.config.standIns);
    return { mirror, ...endpoints, ...services, ...this.#told.node(nodeFacts(agent)), ...standIns };
  }

  #take(message: FromKubeApi): void {
    if ('kubeApi' in message) this.#status = message.kubeApi;
    else if ('check' in message) this.#check(message.check);
    else this.#takeObjects(message.objects);
  }

  #check({ ticket, object }: FromThread<'check'>['check']): void {
    const { problems } = this.#parts.agent.sources.checkObject(object, API_FILE);
    this.#thread?.tell({ answer: { ticket, problems, error: '' } });
  }

  #takeObjects({ ticket, put, removed, isAll }: FromThread<'objects'>['objects']): void {
    const { agent } = this.#parts;
    const { readObject } = agent.sources;
    const documents: SourcedDocument[] = [];
    const wrong: Problem[] = [];
    if (isAll) this.#refused.clear();
    for (const reference of removed) this.#refused.delete(referenceOf(reference));
    for (const { object, atMs, createdMs } of put.filter((one) => !this.#isOthersNode(one.object))) {
      const { document, problems } = readObject(object, API_FILE);
      const key = referenceOf(manifestName(object));
      this.#refused.delete(key);
      if (document !== undefined) documents.push({ document, atMs, createdMs });
      else {
        wrong.push(...problems);
        this.#refused.set(key, `${key}: ${problems.find(({ severity }) => severity === 'error')?.message}`);
      }
    }
    this.#noteNamespaces(documents, removed.map(referenceOf), isAll);
    if (isAll) agent.store.setKubernetes(documents);
    else agent.store.changeKubernetes({ put: documents, removed });
    const error = agent.sync();
    this.tellState();
    this.#thread?.tell({ answer: { ticket, problems: wrong, error } });
  }

  /** This machine's Node is made by the API in any case: one of another source stands. */
  #isOthersNode(object: Manifest): boolean {
    const name = manifestName(object);
    const found = name.kind === 'Node' ? this.#parts.agent.store.get(name) : undefined;
    return found !== undefined && found.file !== API_FILE;
  }

  /** Before the pods are attached. */
  #noteNamespaces(documents: readonly SourcedDocument[], removed: readonly string[], isAll: boolean): void {
    if (isAll) this.#netns.clear();
    for (const key of removed) this.#netns.delete(key);
    for (const { document } of documents) {
      if (document.kind !== 'Pod') continue;
      const { plan } = planPod(document, this.#parts.agent.config);
      if (plan.place === 'local') this.#netns.set(referenceOf(document), plan.netns);
    }
  }
}

/** This machine, as its Node shows it. */
function nodeFacts({ config, store }: Agent): NodeFacts {
  const podCIDRs = [config.podCIDRs.ipv4, config.podCIDRs.ipv6].filter((range) => range !== '');
  const document = store.get({ kind: 'Node', namespace: '', name: config.nodeName });
  // What comes from the API itself is not told back to it: nobody could take a label away, and an address would stay for ever.
  const others = document?.file === API_FILE ? undefined : document;
  const routers = routerAddresses(config);
  const addresses = nodeAddresses({ node: others?.object, interfaces: interfaceAddresses(), routers });
  return { addresses, labels: others?.labels ?? {}, podCIDRs };
}
