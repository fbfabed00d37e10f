/**
 * Pods by their labels and services by their selectors, so that neither a change of a pod nor one of a service looks at
 * more than has a label in common with it.
 *
 * A service stands under one pair of its selector: the one that fewest services stand under when it comes. Its pods are looked
 * for under the pair that fewest pods have.
 */
import { MultiMap } from '../policy/rule/multi-map.ts';
import { type NamedPort, podKey } from '../policy/rule/spec.ts';
import { serviceKey, type ServiceSpec } from '../policy/rule/service-spec.ts';

/** A pod as services see it. */
export interface ServicePod {
  readonly namespace: string;
  readonly name: string;
  readonly key?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ips: readonly string[];
  readonly ports: readonly NamedPort[];
  /** Its name beneath the service that `subdomain` names; '' = none of its own. */
  readonly hostname: string;
  readonly subdomain: string;
  readonly nodeName: string;
  readonly isLocal: boolean;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
}

type Labels = Readonly<Record<string, string>>;

export class PodIndex {
  readonly #pods = new Map<string, ServicePod>();
  readonly #podsByPair = new MultiMap<string, string>();
  readonly #servicesByPair = new MultiMap<string, string>();
  readonly #selectors = new Map<string, { readonly pair: string; readonly selector: Labels }>();
  /** Candidates looked at so far. */
  steps = 0;

  get size(): number {
    return this.#pods.size;
  }

  /** @returns keys of the services that select it now or did before */
  setPod(pod: ServicePod): Set<string> {
    const touched = this.removePod(pod);
    const key = podKey(pod);
    this.#pods.set(key, pod);
    for (const pair of pairsOf(pod.namespace, pod.labels)) this.#podsByPair.add(pair, key);
    return this.#servicesOf(pod, touched);
  }

  /** @returns keys of the services that selected it */
  removePod(ref: { readonly namespace: string; readonly name: string }): Set<string> {
    const key = serviceKey(ref);
    const pod = this.#pods.get(key);
    if (pod === undefined) return new Set();
    this.#pods.delete(key);
    for (const pair of pairsOf(pod.namespace, pod.labels)) this.#podsByPair.remove(pair, key);
    return this.#servicesOf(pod, new Set());
  }

  setService(service: ServiceSpec): void {
    const key = serviceKey(service);
    this.removeService(key);
    const pairs = pairsOf(service.namespace, service.selector);
    if (pairs.length === 0) return;
    const pair = smallest(pairs, this.#servicesByPair);
    this.#servicesByPair.add(pair, key);
    this.#selectors.set(key, { pair, selector: service.selector });
  }

  removeService(key: string): void {
    const known = this.#selectors.get(key);
    if (known === undefined) return;
    this.#servicesByPair.remove(known.pair, key);
    this.#selectors.delete(key);
  }

  /** The pods that a service selects, in order of name; none for one without a selector. */
  podsOf({ namespace, selector }: ServiceSpec): ServicePod[] {
    const pairs = pairsOf(namespace, selector);
    if (pairs.length === 0) return [];
    const found: ServicePod[] = [];
    for (const key of this.#podsByPair.get(smallest(pairs, this.#podsByPair))) {
      this.steps++;
      const pod = this.#pods.get(key) as ServicePod;
      if (isSelected(pod.labels, selector)) found.push(pod);
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #servicesOf({ namespace, labels }: ServicePod, into: Set<string>): Set<string> {
    for (const pair of pairsOf(namespace, labels)) {
      for (const key of this.#servicesByPair.get(pair)) {
        this.steps++;
        if (isSelected(labels, this.#selectors.get(key)?.selector ?? {})) into.add(key);
      }
    }
    return into;
  }
}

function isSelected(labels: Labels, selector: Labels): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false;
  return true;
}

/** A pair stands for itself and its namespace; neither a name nor a value holds a newline. */
function pairsOf(namespace: string, labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${namespace}\n${key}\n${value}`);
}

function smallest(pairs: readonly string[], index: MultiMap<string, string>): string {
  let [best] = pairs;
  for (const pair of pairs) if (index.get(pair).size < index.get(best).size) best = pair;
  return best;
}
