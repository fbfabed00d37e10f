/**
 * From documents to the two who work on them: the reconciler, which attaches pods, and the compiler, which judges them.
 *
 *     Pod, Deployment, ... -> plans -> reconciler (numbers, addresses) -> compiler
 *     Node of this node    -> joined with the addresses of the host     -> compiler
 *     everything else                                                   -> compiler
 *
 * Only what changed is read again, and a change that concerns no pod does not touch pods at all: a policy change costs what
 * the policy costs. Pods of other nodes are told of one by one (remote-pods.ts); those of this one together, as they share addresses. A Pod document wins over a pod of the same name that a workload stands for.
 */
import { isIP } from 'node:net';
import type { Cluster } from '../../policy/cluster.ts';
import type { Document } from '../../policy/document/document.ts';
import { nodeFromDocument } from '../../policy/document/objects.ts';
import { expandWorkload, isWorkload } from '../../policy/document/workload.ts';
import { type Reference, referenceOf } from '../source/text.ts';
import { pathText } from '../../policy/document/document-path.ts';
import { type PlanOptions, type PodPlan, planPod, type PodProblem } from '../source/pod-plan.ts';
import { servicePod } from '../../services/service-pod.ts';
import type { ServicePod } from '../../services/pod-index.ts';
import { type PodListener, RemotePods } from './remote-pods.ts';
import type { PodReconciler } from './pod-reconciler.ts';
import { ShapedPod } from '../../policy/document/shaped-pod.ts';
import { type NodeSpec, podKey } from '../../policy/rule/spec.ts';
import type { StoreChanges } from '../source/store.ts';
import type { CniAttachments } from '../cni/attachments.ts';
import { placed } from '../cni/placing.ts';
import type { Config } from '../config/config.ts';
import { netnsExists } from '../../linux/netns.ts';
import { KUBERNETES } from '../../policy/rule/rule.ts';

interface Planned {
  readonly document: Document;
  /** It has a document of its own, rather than being one of a workload's. */
  readonly isExplicit: boolean;
  readonly plan: PodPlan;
  readonly problems: readonly PodProblem[];
  /** A container runtime has attached it, and nobody knows yet who it is. */
  readonly isInit?: boolean;
}

/** What the compiler was last told of a pod. */
interface Told {
  readonly document: Document;
  readonly plan: PodPlan;
  readonly endpointId: number;
  readonly addresses: string;
  /** Nobody knows yet who it is. */
  readonly isInit: boolean;
}

interface FeedOptions {
  readonly cluster: Cluster;
  readonly listeners: readonly PodListener[];
  readonly reconciler: PodReconciler;
  readonly plan: PlanOptions & Partial<Pick<Config, 'kubernetes' | 'createNamespaces'>>;
  readonly attachments: Pick<CniAttachments, 'byPod' | 'takeChanged'>;
}

export class PodFeed {
  readonly #options: FeedOptions;
  /** Pods by the document they come from, but for those of #remote. */
  readonly #planned = new Map<string, readonly Planned[]>();
  readonly #remote: RemotePods;
  /** Pods of other nodes that are told of when those have been looked at that are told of together. */
  readonly #arriving = new Map<string, Document>();
  /** Documents of workloads. */
  #workloads = 0;
  readonly #told = new Map<string, Told>();
  /** Pods as services were last told of them. */
  readonly #behindServices = new Map<string, { document: Document; how: string }>();
  #hostAddresses: readonly string[] = [];
  #node: Document | undefined;
  /** What is wrong with pods' documents, one sentence each. */
  problems: readonly string[] = [];

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#remote = new RemotePods(options);
  }

  /** Addresses of the host: they are this node's. */
  setHost(addresses: readonly string[]): void {
    this.#hostAddresses = addresses;
    this.#tellNode();
  }

  /** The node of this host, as the compiler has it. */
  get node(): NodeSpec {
    const own = this.#node === undefined ? [] : nodeFromDocument(this.#node).ips;
    const ips = [...new Set([...this.#hostAddresses, ...own])];
    return { name: this.#options.plan.nodeName, labels: this.#node?.labels ?? {}, ips };
  }

  /** The pods that the compiler has, and the outsiders, each with the addresses that it got. */
  pods(): Document[] {
    const told = [...this.#told.values()].map(({ document, addresses }) =>
      addresses === '' ? document : withAddresses(document, addresses.split(',')),
    );
    const { pods } = this.#options.reconciler;
    const outsiders = [...this.#planned.values()].flat().filter(({ plan }) => plan.place === 'external');
    return [
      ...told,
      ...this.#remote.documents(),
      ...outsiders.map(({ document, plan }) => {
        const ips = pods.get(plan.key)?.numbers.addresses.map(({ text }) => text);
        return ips === undefined ? document : withAddresses(document, ips);
      }),
    ];
  }

  /** Passes on what has changed in the store. */
  apply({ put, removed }: StoreChanges): void {
    let hasPods = this.#options.attachments.takeChanged();
    for (const reference of removed) hasPods = this.#remove(reference) || hasPods;
    for (const document of put) hasPods = this.#put(document) || hasPods;
    if (hasPods) this.#wantPods();
    for (const document of this.#arriving.values()) this.#remote.put(document);
    this.#arriving.clear();
  }

  /** Whether an object can be passed on before all are known: it is no pod, or one that is another node's whatever else there is. */
  mayPrepare(document: Document): boolean {
    if (!isPodSource(document.kind)) return true;
    return document instanceof ShapedPod && this.#isElsewhere(document);
  }

  /** Passes on objects of `mayPrepare`. */
  prepare(documents: readonly Document[]): void {
    for (const document of documents) {
      if (document.kind === 'Pod') this.#remote.put(document);
      else this.#put(document);
    }
  }

  /** Tells services of pods that are others than before: after a change of pods, and when one became ready or ceased to be. */
  tellServices(): void {
    const { reconciler, listeners } = this.#options;
    for (const [key, { document, plan, addresses }] of this.#told) {
      const isAttached = plan.place !== 'local' || reconciler.pods.get(key)?.state === 'ready';
      const how = [plan.place, isAttached, addresses, plan.place === 'host' ? this.#nodeAddresses : ''].join(' ');
      const before = this.#behindServices.get(key);
      if (before?.document === document && before.how === how) continue;
      this.#behindServices.set(key, { document, how });
      const pod = this.#servicePod(document, plan, isAttached);
      for (const listener of listeners) listener.setPod(pod, plan.workloads);
    }
    for (const key of this.#behindServices.keys()) {
      if (this.#told.has(key)) continue;
      this.#behindServices.delete(key);
      const [namespace, name] = key.split('/');
      for (const listener of listeners) listener.removePod({ namespace, name });
    }
  }

  #servicePod(document: Document, { key, place }: PodPlan, isAttached: boolean): ServicePod {
    const { reconciler, plan } = this.#options;
    const ips = reconciler.pods.get(key)?.numbers.addresses.map(({ text }) => text);
    const nodeAddresses = this.#nodeAddresses;
    const where = { isLocal: place !== 'remote', isAttached, nodeName: plan.nodeName, nodeAddresses };
    return servicePod(document, ips === undefined ? where : { ...where, ips });
  }

  /** One a family: those that the host has towards pods come first. */
  get #nodeAddresses(): string[] {
    const found = [4, 6].map((family) => this.#hostAddresses.find((text) => isIP(text) === family));
    return found.filter((text) => text !== undefined);
  }

  /** @returns whether all pods must be looked at */
  #remove(reference: Reference): boolean {
    if (isPodSource(reference.kind)) return this.#forget(reference);
    if (this.#isThisNode(reference)) {
      this.#node = undefined;
      this.#tellNode();
    } else this.#options.cluster.remove(reference);
    return false;
  }

  #forget(reference: Reference): boolean {
    const isOfWorkload = isWorkload(reference.kind);
    if (!isOfWorkload) this.#remote.remove(`${reference.namespace}/${reference.name}`);
    const isKnown = this.#planned.delete(referenceOf(reference));
    if (isOfWorkload && isKnown) this.#workloads--;
    // A pod that a workload stands for may have been hidden by it.
    return isKnown || this.#workloads > 0;
  }

  /** @returns whether all pods must be looked at */
  #put(document: Document): boolean {
    if (isPodSource(document.kind)) return this.#plan(document);
    if (this.#isThisNode(document)) {
      this.#node = document;
      this.#tellNode();
    } else this.#options.cluster.apply(document);
    return false;
  }

  #plan(document: Document): boolean {
    if (document instanceof ShapedPod && this.#isElsewhere(document)) return this.#arrive(document);
    const isExplicit = document.kind === 'Pod';
    const pods = isExplicit ? [document] : expandWorkload(document);
    const planned = pods.map((pod) => ({ document: pod, isExplicit, ...planPod(pod, this.#options.plan) }));
    const [first] = planned;
    const isElsewhere = isExplicit && first.plan.place === 'remote' && first.problems.length === 0;
    if (isElsewhere && !this.#options.attachments.byPod().has(first.plan.key)) return this.#arrive(document);
    if (isExplicit) this.#remote.remove(first.plan.key);
    else if (!this.#planned.has(referenceOf(document))) this.#workloads++;
    this.#planned.set(referenceOf(document), planned);
    return true;
  }

  /** Whether it need not be planned to be known as another node's. */
  #isElsewhere({ nodeName, key }: ShapedPod): boolean {
    const { attachments, plan } = this.#options;
    return nodeName !== plan.nodeName && !attachments.byPod().has(key);
  }

  #arrive(document: Document): boolean {
    this.#arriving.set(podKey(document), document);
    return this.#planned.delete(referenceOf(document)) || this.#workloads > 0;
  }

  #isThisNode({ kind, name }: Reference): boolean {
    return kind === 'Node' && name === this.#options.plan.nodeName;
  }

  #tellNode(): void {
    this.#options.cluster.setNode(this.node);
  }

  #wantPods(): void {
    const { reconciler } = this.#options;
    this.#takeBackAttached();
    const all = [...this.#planned.values()].flat();
    const explicit = new Set(all.filter(({ isExplicit }) => isExplicit).map(({ plan }) => plan.key));
    const isHidden = ({ plan: { key } }: Planned) =>
      explicit.has(key) || this.#arriving.has(key) || this.#remote.get(key) !== undefined;
    const counted = this.#withAttached(all.filter((one) => one.isExplicit || !isHidden(one)));
    const good = counted.filter(({ problems }) => problems.length === 0);
    const here = good.filter(({ plan }) => plan.place === 'local' || plan.place === 'external');
    const refused = reconciler.want(here.map(({ plan }) => plan));
    this.problems = [
      ...counted.flatMap(({ plan, problems }) =>
        problems.map(({ path, message }) => `pod ${plan.key}: ${pathText(path)}: ${message}`),
      ),
      ...[...refused].map(([key, text]) => `pod ${key}: ${text}`),
    ];
    this.#tellPods(good.filter(({ plan }) => plan.place !== 'external' && !refused.has(plan.key)));
  }

  /** A pod that a container runtime has attached here is none of another node's, whatever its document says. */
  #takeBackAttached(): void {
    for (const key of this.#options.attachments.byPod().keys()) {
      const document = this.#remote.get(key);
      if (document === undefined) continue;
      this.#remote.remove(key);
      this.#planned.set(referenceOf(document), [
        { document, isExplicit: true, ...planPod(document, this.#options.plan) },
      ]);
    }
  }

  /** Where a container runtime has attached a pod, that is its place. */
  #withAttached(counted: readonly Planned[]): readonly Planned[] {
    const { attachments, plan: options } = this.#options;
    const attached = attachments.byPod();
    if (attached.size === 0 && !this.#isCluster) return counted;
    const byKey = new Map(counted.map((one) => [one.plan.key, this.#isUnattached(one) ? elsewhere(one) : one]));
    const planOf = (document: Document): PodPlan => planPod(document, options).plan;
    for (const [key, attachment] of attached) {
      const place = placed(attachment, byKey.get(key)?.document, planOf, options.attach);
      byKey.set(key, { ...place, isExplicit: true, problems: [] });
    }
    return [...byKey.values()];
  }

  /** Pods of this node are attached by a container runtime, which says where they are. */
  get #isCluster(): boolean {
    const { kubernetes = '', createNamespaces = false } = this.#options.plan;
    return kubernetes !== '' && !createNamespaces;
  }

  /** A pod of a cluster that nobody has attached has its network, if any, of others; one whose namespace somebody made by hand is ours. */
  #isUnattached({ document, plan }: Planned): boolean {
    return this.#isCluster && document.file === KUBERNETES && plan.place === 'local' && !netnsExists(plan.netns);
  }

  #tellPods(pods: readonly Planned[]): void {
    const { cluster, reconciler } = this.#options;
    const present = new Set<string>();
    for (const { document, plan, isInit = false } of pods) {
      present.add(plan.key);
      const numbers = reconciler.pods.get(plan.key)?.numbers;
      const ips = numbers?.addresses.map(({ text }) => text);
      const now = { document, plan, endpointId: numbers?.endpointId ?? 0, addresses: ips?.join() ?? '', isInit };
      const before = this.#told.get(plan.key);
      if (isSame(before, now)) continue;
      this.#told.set(plan.key, now);
      if (before !== undefined && before.isInit !== isInit) this.#untell(before);
      if (isInit) cluster.setInitEndpoint(now.endpointId, ips);
      else cluster.apply(ips === undefined ? document : withAddresses(document, ips), now.endpointId);
    }
    for (const [key, told] of this.#told) {
      if (present.has(key)) continue;
      this.#told.delete(key);
      this.#untell(told);
    }
    this.tellServices();
  }

  #untell({ document: { namespace, name }, endpointId, isInit }: Told): void {
    if (isInit) this.#options.cluster.removeEndpoint(endpointId);
    else this.#options.cluster.removePod(namespace, name);
  }
}

/** As a pod of another node: who it is follows from its addresses. */
function elsewhere(planned: Planned): Planned {
  return { ...planned, plan: { ...planned.plan, place: 'remote' } };
}

/** Whether pods come of it. */
export function isPodSource(kind: string): boolean {
  return kind === 'Pod' || isWorkload(kind);
}

function isSame(a: Told | undefined, b: Told): boolean {
  return (
    a?.document === b.document && a.endpointId === b.endpointId && a.addresses === b.addresses && a.isInit === b.isInit
  );
}

/** The document with the addresses that the pod has got. */
function withAddresses(document: Document, ips: readonly string[]): Document {
  const { kind, apiVersion, namespace, name, labels, annotations, file, line, object } = document;
  const given = (object as { status?: object }).status;
  const status = { ...given, podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
  return { kind, apiVersion, namespace, name, labels, annotations, file, line, object: { ...object, status } };
}
