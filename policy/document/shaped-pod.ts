/**
 * Pods of other nodes in as few bytes as can be: there may be fifty thousand, and those of one ReplicaSet differ in name, node and addresses only. The rest is their
 * *shape*, which they share.
 *
 *     shape ── namespace, labels, owner, account, ports, readiness ◀──┬── pod: name, node, addresses
 *                                                                     └── pod: ...
 *
 * A ShapedPod is a Document, a PodSpec, and what services see of a pod, all in one: nobody keeps a copy of his own. The object that documents
 * have is made when it is asked for, and is another each time. `split` tells which pods can be one: all others stay documents as they were read.
 */
import { isAddress } from './address.ts';
import type { Document } from './document.ts';
import type { NamedPort, PodSpec } from '../rule/spec.ts';
import { namedPortsOf } from './named-ports.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What pods of a shape share, as it stands in their objects. */
export interface ShapeParts {
  readonly namespace: string;
  /** Of metadata, spec and status what is not name, namespace, node or addresses. */
  readonly metadata: Fields;
  readonly spec: Fields;
  readonly status: Fields;
}

/** A pod beside its shape: name, node, addresses. */
export type ShapedFields = readonly [name: string, nodeName: string, ips: readonly string[]];

interface Owner {
  readonly kind: string;
  readonly name: string;
}

/** One shape. Whoever makes it has checked an object of it. */
export class PodShape {
  readonly parts: ShapeParts;
  readonly labels: Readonly<Record<string, string>>;
  readonly namedPorts: readonly NamedPort[];
  readonly serviceAccount: string;
  readonly subdomain: string;
  readonly hostNetwork: boolean;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  #text: string | undefined;
  #workloads: readonly Owner[] | undefined;

  constructor(parts: ShapeParts) {
    const { metadata, spec, status } = parts;
    this.parts = parts;
    this.labels = (metadata['labels'] as Record<string, string> | undefined) ?? NO_LABELS;
    this.namedPorts = namedPortsOf(spec);
    this.serviceAccount = (spec['serviceAccountName'] as string | undefined) ?? 'default';
    this.subdomain = (spec['subdomain'] as string | undefined) ?? '';
    this.hostNetwork = spec['hostNetwork'] === true;
    this.isReady = status['conditions'] === undefined;
    this.isTerminating = metadata['deletionTimestamp'] !== undefined;
  }

  /** The same for equal shapes. */
  get text(): string {
    this.#text ??= JSON.stringify(this.parts);
    return this.#text;
  }

  /** @param read what reads them from a pod's object */
  workloads(read: () => readonly Owner[]): readonly Owner[] {
    this.#workloads ??= read();
    return this.#workloads;
  }
}

/** What objects of an API have in place of a file and a line. */
const SHAPED_FILE = 'kubernetes';
const SHAPED_LINE = 1;
const NO_LABELS = {};
const NO_ANNOTATIONS = {};

export class ShapedPod implements Document, PodSpec {
  readonly shape: PodShape;
  readonly name: string;
  /** `namespace/name`: all who look pods up by it share this one. */
  readonly key: string;
  readonly nodeName: string;
  readonly ips: readonly string[];

  constructor(shape: PodShape, [name, nodeName, ips]: ShapedFields) {
    this.shape = shape;
    this.key = `${shape.parts.namespace}/${name}`;
    this.name = this.key.slice(shape.parts.namespace.length + 1);
    this.nodeName = nodeName;
    this.ips = ips;
  }

  /** Whether another is the same in all that was written. */
  isSame(other: ShapedPod): boolean {
    const { shape, name, nodeName, ips } = other;
    const isSameShape = this.shape === shape || this.shape.text === shape.text;
    return isSameShape && this.name === name && this.nodeName === nodeName && this.ips.join() === ips.join();
  }

  // --- as a document ---

  get kind(): 'Pod' {
    return 'Pod';
  }

  get apiVersion(): string {
    return 'v1';
  }

  get namespace(): string {
    return this.shape.parts.namespace;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.shape.labels;
  }

  get annotations(): Readonly<Record<string, string>> {
    return NO_ANNOTATIONS;
  }

  get file(): string {
    return SHAPED_FILE;
  }

  get line(): number {
    return SHAPED_LINE;
  }

  get object(): Document['object'] {
    const { namespace, metadata, spec, status } = this.shape.parts;
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: this.name, namespace, ...metadata },
      spec: { nodeName: this.nodeName, ...spec },
      status: { podIPs: this.ips.map((ip) => ({ ip })), ...status },
    };
  }

  // --- as the compiler and services see it ---

  get uid(): string {
    return '';
  }

  get serviceAccount(): string {
    return this.shape.serviceAccount;
  }

  get namedPorts(): readonly NamedPort[] {
    return this.shape.namedPorts;
  }

  get ports(): readonly NamedPort[] {
    return this.shape.namedPorts;
  }

  get endpointId(): number {
    return 0;
  }

  get hostname(): string {
    return '';
  }

  get subdomain(): string {
    return this.shape.subdomain;
  }

  get audit(): boolean {
    return false;
  }

  get hostNetwork(): boolean {
    return this.shape.hostNetwork;
  }

  get hasFinished(): boolean {
    return false;
  }

  get isLocal(): boolean {
    return false;
  }

  get isReady(): boolean {
    return this.shape.isReady;
  }

  get isTerminating(): boolean {
    return this.shape.isTerminating;
  }
}

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;
const MAX_NAME = 120; // characters, of each: nothing that is made of both is too long then
const WHOLE: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'spec', 'status']);

/**
 * Splits a pod's object as it was trimmed. Name, node and addresses have been checked here as reading would check them; of the rest nothing has.
 * @returns undefined when it cannot be a ShapedPod
 */
export function split(object: Fields): { parts: ShapeParts; fields: ShapedFields } | undefined {
  const { name, namespace, annotations, ...metadata } = (object['metadata'] ?? {}) as Fields;
  const { nodeName, hostname, ...spec } = (object['spec'] ?? {}) as Fields;
  const { podIPs, podIP, phase, ...status } = (object['status'] ?? {}) as Fields;
  const isPlain = annotations === undefined && hostname === undefined && podIP === undefined && phase === undefined;
  if (!isPlain || !isName(name) || !isName(namespace) || !isName(nodeName)) return undefined;
  const ips = addressesIn(podIPs);
  if (ips === undefined || !Object.keys(object).every((key) => WHOLE.has(key))) return undefined;
  return { parts: { namespace, metadata, spec, status }, fields: [name, nodeName, ips] };
}

function isName(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_NAME && NAME.test(text);
}

/** At most one of each family. */
function addressesIn(podIPs: unknown): string[] | undefined {
  if (!Array.isArray(podIPs) || podIPs.length === 0 || podIPs.length > 2) return undefined;
  const ips = (podIPs as (Fields | null)[]).map((one) => one?.['ip']);
  if (!ips.every((ip) => typeof ip === 'string' && isAddress(ip))) return undefined;
  if ((podIPs as Fields[]).some((one) => Object.keys(one).length > 1)) return undefined;
  const [first, second] = ips as string[];
  return second !== undefined && first.includes(':') === second.includes(':') ? undefined : (ips as string[]);
}

/** Makes ShapedPods of documents, of one pass over many: pods of a shape share it. */
export class ShapeInterner {
  readonly #shapes = new Map<string, PodShape>();
  readonly #nodes = new Map<string, string>();

  /** @param document that has been read and trimmed as a pod elsewhere is; others come back as they are */
  document(document: Document): Document {
    const { kind, file, line, object } = document;
    const found = kind === 'Pod' && file === SHAPED_FILE && line === SHAPED_LINE ? split(object) : undefined;
    if (found === undefined) return document;
    const shape = new PodShape(found.parts);
    const known = this.#shapes.get(shape.text);
    if (known === undefined) this.#shapes.set(shape.text, shape);
    const [name, nodeName, ips] = found.fields;
    const node = this.#nodes.get(nodeName) ?? nodeName;
    this.#nodes.set(node, node);
    return new ShapedPod(known ?? shape, [name, node, ips]);
  }
}
