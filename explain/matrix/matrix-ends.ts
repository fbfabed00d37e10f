/**
 * The rows and columns of a matrix: pods, or groups of pods, and entities.
 *
 * A group is a workload, or the pods of one identity. Policies tell pods apart by identity alone, so a group is judged by one
 * pod of each identity in it, however many pods it has.
 */
import { compileSelector } from '../../hubble/filter/label-selector.ts';
import { UnknownEndError } from '../verdict.ts';
import type { PolicyWorld, WorldPod } from '../world.ts';

export type GroupBy = 'pod' | 'workload' | 'identity';

export interface MatrixEnd {
  readonly name: string;
  /** How flows name its pods, by identity; one that is no pod stands alone. */
  readonly classes: readonly (readonly string[])[];
  readonly isPod: boolean;
}

export interface EndChoice {
  /** Words of --from or --to; every pod and `entities` when there are none. */
  readonly words: readonly string[] | undefined;
  readonly entities: readonly string[];
  readonly namespace: string | undefined;
  readonly by: GroupBy;
}

type Pods = readonly (readonly [reference: string, pod: WorldPod])[];

/** How many pods a choice has, before they are grouped. */
export function podCount(world: PolicyWorld, choice: Omit<EndChoice, 'by'>): number {
  return chosen(world, choice).pods.length;
}

/** @throws UnknownEndError for a word that means no pod */
export function endsOf(world: PolicyWorld, choice: EndChoice): MatrixEnd[] {
  const { pods, others } = chosen(world, choice);
  const workloads = choice.by === 'workload' ? workloadNames(world) : new Map<string, string>();
  const groups = new Map<string, [string, WorldPod][]>();
  for (const [reference, pod] of pods) {
    const name = groupName(reference, pod, choice.by, workloads);
    const members = groups.get(name) ?? [];
    groups.set(name, members);
    members.push([reference, pod]);
  }
  const ends = [...groups].map(([name, members]) => groupOf(name, members, choice.by));
  return [...ends, ...others.map((name) => ({ name, classes: [[name]], isPod: false }))];
}

function groupOf(name: string, members: Pods, by: GroupBy): MatrixEnd {
  const classes = new Map<number | string, string[]>();
  for (const [reference, { endpoint }] of members) {
    const identity = endpoint?.identity ?? reference;
    const same = classes.get(identity) ?? [];
    classes.set(identity, same);
    same.push(reference);
  }
  const shown = by === 'pod' || members.length === 1 ? name : `${name} (${members.length} pods)`;
  return { name: shown, classes: [...classes.values()], isPod: true };
}

function chosen(world: PolicyWorld, choice: Omit<EndChoice, 'by'>): { pods: Pods; others: readonly string[] } {
  const { words, entities, namespace } = choice;
  const all = [...world.pods()].filter(([, { spec }]) => namespace === undefined || spec.namespace === namespace);
  if (words === undefined) return { pods: all, others: entities };
  const workloads = workloadNames(world);
  const picked = new Set<string>();
  const others: string[] = [];
  for (const word of words) {
    if (!word.includes('/') && !isLabels(word)) {
      others.push(word);
      continue;
    }
    const found = all.filter(([reference, { spec }]) => means(word, reference, spec, workloads.get(reference)));
    if (found.length === 0)
      throw new UnknownEndError(
        `look up '${word}': found no such pod, workload or label, wanted namespace/name or app=web`,
      );
    for (const [reference] of found) picked.add(reference);
  }
  return { pods: all.filter(([reference]) => picked.has(reference)), others };
}

const isLabels = (word: string): boolean => /[=()!]/.test(word);

/** A word is a pod, a workload, or labels, which `namespace/` may narrow. */
function means(word: string, reference: string, spec: WorldPod['spec'], workload: string | undefined): boolean {
  if (!isLabels(word)) return word === reference || word === workload;
  // The part of a label's key that a slash ends is a domain, and has a dot; a namespace has none.
  const [, namespace, labels = word] = /^([a-z\d-]+)\/(.+)$/.exec(word) ?? [];
  if (namespace !== undefined && namespace !== spec.namespace) return false;
  return compileSelector(labels)(Object.entries(spec.labels).map(([key, value]) => `${key}=${value}`));
}

function groupName(
  reference: string,
  { spec, endpoint }: WorldPod,
  by: GroupBy,
  workloads: ReadonlyMap<string, string>,
): string {
  if (by === 'workload') return workloads.get(reference) ?? reference;
  if (by === 'pod' || endpoint === undefined) return reference;
  const labels = endpoint.labels.filter((label) => !/^k8s:io\.(kubernetes|cilium)\./.test(label));
  const shown = labels.map((label) => label.replace(/^k8s:/, ''));
  return `${spec.namespace}/${shown.length === 0 ? 'no labels' : shown.join(',')}`;
}

interface Owner {
  readonly kind?: string;
  readonly name?: string;
}

/** `namespace/name` of the workload, by pod. A ReplicaSet made by a Deployment is called as that, and a hash. */
function workloadNames({ documents }: PolicyWorld): Map<string, string> {
  const names = new Map<string, string>();
  for (const { kind, namespace, name, object } of documents) {
    if (kind !== 'Pod') continue;
    const { ownerReferences = [], labels = {} } = (object['metadata'] ?? {}) as {
      ownerReferences?: readonly Owner[];
      labels?: Readonly<Record<string, string>>;
    };
    const owner = ownerReferences.find((one) => one.name !== undefined)?.name;
    const hash = labels['pod-template-hash'];
    if (owner === undefined) continue;
    const plain = hash !== undefined && owner.endsWith(`-${hash}`) ? owner.slice(0, -hash.length - 1) : owner;
    names.set(`${namespace}/${name}`, `${namespace}/${plain}`);
  }
  return names;
}

/** @throws SyntaxError */
export function readGroupBy(text: string | undefined, pods: number): GroupBy {
  if (text === undefined) return pods > MAX_SINGLE_PODS ? 'workload' : 'pod';
  if (text === 'pod' || text === 'workload' || text === 'identity') return text;
  throw new SyntaxError(`--by: found '${text}', wanted pod, workload or identity`);
}

/** More pods than these are shown by workload, unless told otherwise: a row each would not be read. */
const MAX_SINGLE_PODS = 16;
