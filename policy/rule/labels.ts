/**
 * Labels as Cilium writes them: `source:key=value`, `$x` for `reserved:x`; a label without a value is `source:key`.
 * An identity is its sorted labels; nothing else about a workload matters to a policy.
 */
import type { Prefix } from '../../wire/prefix.ts';
import { prefixFromLabelKey } from './prefix-label.ts';

export interface Label {
  readonly source: string;
  readonly key: string;
  readonly value: string;
}

export const POD_NAMESPACE = 'io.kubernetes.pod.namespace';
export const SERVICE_ACCOUNT = 'io.cilium.k8s.policy.serviceaccount';
export const CLUSTER = 'io.cilium.k8s.policy.cluster';
/** With source `gen`: the names of a pod's ports. */
export const NAMED_PORTS = 'io.cilium.k8s.named-ports';
export const NAMESPACE_LABELS = 'io.cilium.k8s.namespace.labels.';
export const NAMESPACE_NAME = 'kubernetes.io/metadata.name';
export const CIDR_GROUP_NAME = 'io.cilium.policy.cidrgroupname/';

const PLACES: ReadonlySet<string> = new Set([POD_NAMESPACE, SERVICE_ACCOUNT, CLUSTER]);

/** Does the label say where a pod is and what it is, which its author does not get to say? */
export function isPlace(key: string): boolean {
  return PLACES.has(key) || key.startsWith(NAMESPACE_LABELS) || isNamedPorts(key);
}

export function isNamedPorts(key: string): boolean {
  return key.startsWith(NAMED_PORTS) && /^(-\d+)?$/.test(key.slice(NAMED_PORTS.length));
}

/** Reads `source:key=value`; a text without a source gets `defaultSource`. */
export function parseLabel(text: string, defaultSource: string): Label {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const { source, key } = parseKey(name, defaultSource);
  return { source, key, value: equals < 0 ? '' : text.slice(equals + 1) };
}

/** Reads `source:key` or `$name`; what stands before a colon is a source only if it can be one. */
export function parseKey(text: string, defaultSource: string): { source: string; key: string } {
  if (text.startsWith('$')) return { source: 'reserved', key: text.slice(1) };
  const colon = text.indexOf(':');
  if (colon < 0) return { source: defaultSource, key: text };
  if (colon === 0) return { source: defaultSource, key: text.slice(1) };
  return { source: text.slice(0, colon), key: text.slice(colon + 1) };
}

export function formatLabel(source: string, key: string, value = ''): string {
  return value === '' ? `${source}:${key}` : `${source}:${key}=${value}`;
}

const MANY_LABELS = 16; // from here on an index pays

/**
 * The labels of one identity. Immutable. Mostly there are few of them, and many identities live for a moment only: so they
 * are parsed when first asked for, and searched one by one. But an address that a thousand names have carries them all.
 */
export class LabelSet {
  /** Sorted, canonical. */
  readonly texts: readonly string[];
  /** `source:key=value;...`: equal for equal identities. */
  readonly serialized: string;
  #parsed: readonly Label[] | undefined;
  #byKey: ReadonlyMap<string, readonly Label[]> | undefined;
  #cidrs: readonly Prefix[] | undefined;

  constructor(texts: Iterable<string>) {
    this.texts = [...new Set(texts)].sort();
    this.serialized = this.texts.join(';');
  }

  #labels(): readonly Label[] {
    this.#parsed ??= this.texts.map((text) => parseLabel(text, 'unspec'));
    return this.#parsed;
  }

  /** All labels of the key, and perhaps others. */
  #among(key: string): readonly Label[] {
    const labels = this.#labels();
    if (labels.length < MANY_LABELS) return labels;
    this.#byKey ??= byKey(labels);
    return this.#byKey.get(key) ?? [];
  }

  /** The value under `source` ('any' = whichever source has the key); undefined when absent. */
  value(source: string, key: string): string | undefined {
    for (const label of this.#among(key)) {
      if (label.key === key && (source === 'any' || label.source === source)) return label.value;
    }
    return undefined;
  }

  has(source: string, key: string): boolean {
    return this.value(source, key) !== undefined;
  }

  /** Has the key one of these values? The groups around a prefix may give one key several. */
  hasOneOf(source: string, key: string, values: readonly string[]): boolean {
    for (const label of this.#among(key)) {
      const isKey = label.key === key && (source === 'any' || label.source === source);
      if (isKey && values.includes(label.value)) return true;
    }
    return false;
  }

  isReserved(name: string): boolean {
    return this.has('reserved', name);
  }

  /** One of the outside world: what CIDR rules are about. */
  isWorld(): boolean {
    return this.isReserved('world') || this.isReserved('world-ipv4') || this.isReserved('world-ipv6');
  }

  /** The prefixes of the `cidr:` labels; without one, world-ipv4 is 0.0.0.0/0, world-ipv6 ::/0 and world both. */
  prefixes(): readonly Prefix[] {
    this.#cidrs ??= [...this.#cidrKeys()].map(prefixFromLabelKey).filter((prefix) => prefix !== undefined);
    return this.#cidrs;
  }

  *#cidrKeys(): Generator<string> {
    let found = false;
    for (const text of this.texts) {
      if (!text.startsWith('cidr:')) continue;
      found = true;
      yield text.slice('cidr:'.length);
    }
    if (found) return;
    if (this.isReserved('world-ipv4') || this.isReserved('world')) yield '0.0.0.0/0';
    if (this.isReserved('world-ipv6') || this.isReserved('world')) yield '::/0';
  }

  [Symbol.iterator](): Iterator<string> {
    return this.texts[Symbol.iterator]();
  }
}

function byKey(labels: readonly Label[]): Map<string, Label[]> {
  const found = new Map<string, Label[]>();
  for (const label of labels) {
    const alike = found.get(label.key);
    if (alike === undefined) found.set(label.key, [label]);
    else alike.push(label);
  }
  return found;
}
