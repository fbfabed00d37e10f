/**
 * The thread's work: a reflector for each resource, objects trimmed and read into documents, and an outbox to the agent.
 *
 *     API ──▶ reflectors ──▶ trimmed ──▶ read (checks of policy validate) ──▶ outbox ──▶ agent
 *                                          └─ refused ──▶ Event, condition (refusals.ts)
 *
 * A pod may be on two watches, of this node and of others, when one of its name is deleted there and made here: the object of the later version counts, and
 * only the watch that has it may take it away.
 */
import type { KubeClient } from '../../kubeclient/client.ts';
import { Reflector } from '../../kubeclient/reflector.ts';
import { type ApiObject, keyOf, type Sink } from '../../kubeclient/resource.ts';
import { keep } from '../../policy/document/kept-document.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import type { ReadAnObject } from '../source/reader.ts';
import { type Reference, referenceOf } from '../source/text.ts';
import type { KubernetesStatus } from './messages.ts';
import type { Outbox } from './outbox.ts';
import type { Refusals } from './refusals.ts';
import { PODS_ELSEWHERE, PODS_HERE, resourcesOf, secretResource, type SourceResource } from './resources.ts';
import { PodShapes } from './shapes.ts';
import { secretsNamed } from './secret-names.ts';
import { type Fields, timesOf, trimmed, trimmedPod, trimmedRemotePod } from './trimming.ts';

/** Of what policies name; each is a watch. */
const MAX_SECRETS = 100;
const PROBLEMS_TOLD = 20;

interface SourceOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly read: ReadAnObject;
  readonly outbox: Outbox;
  readonly refusals: Refusals;
  readonly timeScale?: number;
}

/** A resource, its reflector, and what it last said. */
interface Followed {
  readonly resource: SourceResource;
  readonly reflector: Reflector;
  isSynced: boolean;
  isAbsent: boolean;
  problem: string;
}

export class KubernetesSource {
  readonly #options: SourceOptions;
  readonly #followed = new Map<string, Followed>();
  /** Pods of this node, and their versions. */
  readonly #podsHere = new Map<string, number>();
  readonly #shapes = new PodShapes();
  readonly #refused = new Map<string, Problem>();
  /** `namespace/name` of secrets -> policies that name them. */
  readonly #secrets = new Map<string, Set<string>>();
  readonly #secretsOf = new Map<string, readonly string[]>();
  readonly #whole = new Set<string>();

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  start(): void {
    for (const resource of resourcesOf(this.#options.nodeName)) this.#follow(resource);
  }

  stop(): void {
    for (const { reflector } of this.#followed.values()) reflector.stop();
  }

  get status(): KubernetesStatus {
    const all = [...this.#followed.values()];
    const refused = [...this.#refused.values()];
    const told = refused.slice(0, PROBLEMS_TOLD).map(refusal);
    const more = refused.length - told.length;
    const left =
      this.#secrets.size - [...this.#secrets.keys()].filter((key) => this.#followed.has(secretName(key))).length;
    return {
      server: this.#options.client.access.server,
      resources: all.map(statusOf),
      refused: refused.length,
      problems: [
        ...all.flatMap(({ problem }) => (problem === '' ? [] : [problem])),
        ...told,
        ...(more > 0 ? [`Kubernetes: ${more} more objects are refused`] : []),
        ...(left > 0
          ? [`Kubernetes: policies name ${left} more secrets than the ${MAX_SECRETS} that are followed`]
          : []),
        ...this.#options.refusals.problems,
      ],
    };
  }

  #follow(resource: SourceResource): void {
    const { client, timeScale = 1 } = this.#options;
    const sink: Sink = {
      put: (object) => this.#put(resource, object),
      remove: (key) => this.#remove(resource, key),
      room: () => this.#options.outbox.room(),
      synced: () => this.#synced(followed),
      absent: (isAbsent) => this.#note(followed, { isAbsent }),
      problem: (problem) => this.#note(followed, { problem }),
    };
    const reflector = new Reflector({ client, resource, sink, timeScale });
    const followed: Followed = { resource, reflector, isSynced: false, isAbsent: false, problem: '' };
    this.#followed.set(resource.name, followed);
    void reflector.run();
  }

  #note(followed: Followed, said: Partial<Pick<Followed, 'isAbsent' | 'problem'>>): void {
    Object.assign(followed, said);
  }

  #synced(followed: Followed): void {
    followed.isSynced = true;
    const { kind } = followed.resource;
    const isWhole = [...this.#followed.values()].every(({ resource, isSynced }) => resource.kind !== kind || isSynced);
    // Secrets come as policies name them: there is no moment at which all are there.
    if (!isWhole || kind === 'Secret' || this.#whole.has(kind)) return;
    this.#whole.add(kind);
    this.#options.outbox.whole(kind);
  }

  #put(resource: SourceResource, object: ApiObject): void {
    const key = keyOf(object);
    const { kind, apiVersion } = resource;
    if (kind === 'Pod' && !this.#mayPut(resource, key, object)) return;
    const raw = object as Fields;
    const reference = referenceFrom(kind, key);
    const asRead = trimmedAs(resource, raw, apiVersion);
    if (resource.name === PODS_ELSEWHERE && this.#putShaped(reference, raw, asRead)) return;
    const { outbox, read } = this.#options;
    const { document, problems } = read(asRead, 'kubernetes');
    if (kind.endsWith('NetworkPolicy')) this.#nameSecrets(key, kind, raw);
    if (document === undefined) this.#refuse(reference, raw, problems);
    else {
      this.#accept(reference, raw);
      outbox.put(reference, { kept: keep(document), ...timesOf(raw) });
    }
  }

  /** @returns whether it could be told by its shape */
  #putShaped(reference: Reference, raw: Fields, asRead: Fields): boolean {
    const { outbox, read } = this.#options;
    const shaped = this.#shapes.shaped(asRead, (object) => read(object, 'kubernetes').document);
    if (shaped === undefined) return false;
    this.#accept(reference, raw);
    outbox.pod(reference, { ...shaped, ...timesOf(raw) });
    return true;
  }

  #remove({ kind, name }: SourceResource, key: string): void {
    if (kind === 'Pod' && name === PODS_HERE) this.#podsHere.delete(key);
    if (kind === 'Pod' && name === PODS_ELSEWHERE && this.#podsHere.has(key)) return;
    const reference = referenceFrom(kind, key);
    if (kind.endsWith('NetworkPolicy')) this.#nameSecrets(key, kind, undefined);
    this.#refused.delete(referenceOf(reference));
    this.#options.outbox.removed(reference);
  }

  /** Whether no later object of the name is there, on the other watch. */
  #mayPut({ name }: SourceResource, key: string, object: ApiObject): boolean {
    const version = Number(object.metadata?.resourceVersion ?? 0);
    if (name === PODS_HERE) {
      this.#podsHere.set(key, version);
      return true;
    }
    return version >= (this.#podsHere.get(key) ?? 0);
  }

  #refuse(reference: Reference, object: Fields, problems: readonly Problem[]): void {
    const [problem] = problems.filter(({ severity }) => severity === 'error');
    this.#refused.set(referenceOf(reference), problem);
    this.#options.outbox.refused(reference);
    this.#options.refusals.refused(reference, object, problem);
  }

  #accept(reference: Reference, object: Fields): void {
    this.#refused.delete(referenceOf(reference));
    this.#options.refusals.accepted(reference, object);
  }

  // --- secrets ---

  /** Follows the secrets that a policy names, and those no more that no policy names. */
  #nameSecrets(key: string, kind: string, policy: Fields | undefined): void {
    const by = `${kind}/${key}`;
    const before = this.#secretsOf.get(by) ?? [];
    const now = policy === undefined ? [] : secretsNamed(policy);
    if (now.length === 0) this.#secretsOf.delete(by);
    else this.#secretsOf.set(by, now);
    for (const secret of now) {
      const names = this.#secrets.get(secret) ?? new Set();
      this.#secrets.set(secret, names.add(by));
      if (!this.#followed.has(secretName(secret)) && this.#secretsFollowed < MAX_SECRETS) {
        const [namespace, name] = secret.split('/');
        this.#follow(secretResource(namespace, name));
      }
    }
    for (const secret of before) if (!now.includes(secret)) this.#unname(secret, by);
  }

  #unname(secret: string, by: string): void {
    const names = this.#secrets.get(secret);
    names?.delete(by);
    if (names === undefined || names.size > 0) return;
    this.#secrets.delete(secret);
    this.#followed.get(secretName(secret))?.reflector.stop();
    this.#followed.delete(secretName(secret));
    this.#options.outbox.removed(referenceFrom('Secret', secret));
  }

  get #secretsFollowed(): number {
    return [...this.#followed.values()].filter(({ resource }) => resource.kind === 'Secret').length;
  }
}

function secretName(secret: string): string {
  return `secret ${secret}`;
}

function referenceFrom(kind: string, key: string): Reference {
  const [namespace, name] = key.includes('/') ? key.split('/') : ['', key];
  return { kind, namespace, name };
}

function trimmedAs({ kind, name }: SourceResource, object: Fields, apiVersion: string): Fields {
  if (kind !== 'Pod') return trimmed(object, kind, apiVersion);
  return name === PODS_ELSEWHERE ? trimmedRemotePod(object) : trimmedPod(object);
}

function statusOf({
  resource,
  reflector,
  isSynced,
  isAbsent,
  problem,
}: Followed): KubernetesStatus['resources'][number] {
  const { lists, watches, events, failures } = reflector.counts;
  const counts = { objects: reflector.size, lists, watches, events, failures };
  return { name: resource.name, isSynced, isAbsent, problem, ...counts };
}

function refusal({ document = '', path, message }: Problem): string {
  return `Kubernetes has ${document}, which is refused: ${message}${path === '' ? '' : ` (${path})`}`;
}
