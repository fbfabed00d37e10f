/**
 * Pods that get one policy, and selectors that mean them and no other pod that was seen.
 *
 * A selector by labels also selects pods that have more labels: `app=web` means `app=web,canary=1` too. So where the pods of a group
 * lack what others have, the selector says so (`canary DoesNotExist`). Pods that no selector can tell apart are one group.
 *
 * Labels that change with each pod or release are no part of a selector: those that identities lack, names of jobs, and with `byWorkload`
 * versions too, and all in which the pods of a workload differ.
 */
import { createHash } from 'node:crypto';
import { LabelFilter } from '../../policy/rule/label-filter.ts';
import type { PolicyOptions } from '../../policy/rule/options.ts';
import type { Party } from '../flows/party.ts';

export type PodParty = Extract<Party, { kind: 'pod' }>;

interface Requirement {
  readonly key: string;
  readonly operator: 'DoesNotExist' | 'NotIn';
  readonly values?: readonly string[];
}

export interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly Requirement[];
}

export interface Group {
  readonly namespace: string;
  readonly selector: Selector;
  /** Equal for equal groups, and no others. */
  readonly key: string;
  /** What to call it: a name that a policy can have. */
  readonly name: string;
  /** Labels of a pod that were no help: why the selector means more pods than it was made of. */
  readonly left: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

/** Labels of one pod or release, whoever puts them there. */
const PASSING =
  /(^|\/)(pod-template-hash|pod-template-generation|controller-revision-hash|controller-uid|job-name|pod-name|pod-index|job-completion-index)$/;
const VERSIONS = /(^|\/)(version|chart|revision|release-version)$/;

interface Member {
  readonly party: PodParty;
  /** Those that can be selected by. */
  readonly labels: Labels;
}

export class Groups {
  readonly #byParty = new Map<string, Group>();

  constructor(parties: Iterable<PodParty>, options: PolicyOptions, { byWorkload }: { byWorkload: boolean }) {
    const filter = LabelFilter.of(options);
    const isStable = (key: string): boolean => filter.keeps('k8s', key) && !PASSING.test(key);
    const members = [...parties].map((party) => ({ party, labels: kept(party.labels, isStable) }));
    for (const inNamespace of buckets(members, ({ party }) => party.namespace)) {
      const rough = buckets(inNamespace, (member) => bucketOf(member, byWorkload));
      const merged = mergeAlike(rough, byWorkload);
      const named = nameAll(
        merged.map((group) => groupOf(group, inNamespace, byWorkload)),
        merged,
      );
      merged.forEach((group, i) => group.forEach(({ party }) => this.#byParty.set(party.key, named[i])));
    }
  }

  of(party: PodParty): Group {
    const group = this.#byParty.get(party.key);
    if (group === undefined) throw new Error(`find the group of ${party.text}: it was not among the pods`);
    return group;
  }
}

function kept(labels: Labels, isKept: (key: string) => boolean): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => isKept(key)));
}

function buckets<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const known = found.get(key);
    if (known === undefined) found.set(key, [item]);
    else known.push(item);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, bucket]) => bucket);
}

/** Pods of one workload, or of the same labels. */
function bucketOf({ party, labels }: Member, byWorkload: boolean): string {
  if (byWorkload && party.workload !== '') return `workload ${party.workload}`;
  return textOf(byWorkload ? kept(labels, (key) => !VERSIONS.test(key)) : labels);
}

function textOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

/** What all have, sorted. */
function commonLabels(group: readonly Member[], byWorkload: boolean): Labels {
  const [first, ...others] = group;
  const shared = Object.entries(first.labels).filter(
    ([key, value]) => !(byWorkload && VERSIONS.test(key)) && others.every(({ labels }) => labels[key] === value),
  );
  return Object.fromEntries(shared.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Groups that no selector tells apart become one. */
function mergeAlike(groups: readonly (readonly Member[])[], byWorkload: boolean): (readonly Member[])[] {
  const merged = [...groups];
  for (let i = 0; i < merged.length; i++) {
    const labels = commonLabels(merged[i], byWorkload);
    const others = merged.findIndex((group, at) => at !== i && !canTell(merged[i], labels, group));
    if (others < 0) continue;
    const both = [...merged[i], ...merged[others]];
    merged.splice(Math.max(i, others), 1);
    merged[Math.min(i, others)] = both;
    i = -1; // whoever was apart from each may not be from both
  }
  return merged;
}

/** Can the first, of which all have these labels, be selected without the second? */
function canTell(group: readonly Member[], labels: Labels, others: readonly Member[]): boolean {
  return others.every((other) => !hasAll(other.labels, labels) || telling(group, other) !== undefined);
}

function hasAll(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/** A label of the other that sets the group apart: one whose key no member has, else one whose value none has. */
function telling(group: readonly Member[], other: Member): { key: string; isAbsent: boolean } | undefined {
  const keys = Object.keys(other.labels).sort();
  const absent = keys.find((key) => group.every(({ labels }) => labels[key] === undefined));
  if (absent !== undefined) return { key: absent, isAbsent: true };
  const different = keys.find((key) => group.every(({ labels }) => labels[key] !== other.labels[key]));
  return different === undefined ? undefined : { key: different, isAbsent: false };
}

function groupOf(group: readonly Member[], all: readonly Member[], byWorkload: boolean): Group {
  const labels = commonLabels(group, byWorkload);
  const own = new Set(group);
  const absent = new Set<string>();
  const excluded = new Map<string, Set<string>>();
  for (const other of all) {
    if (own.has(other) || !hasAll(other.labels, labels) || isExcluded(other.labels, absent, excluded)) continue;
    const found = telling(group, other);
    if (found === undefined) continue;
    if (found.isAbsent) absent.add(found.key);
    else excluded.set(found.key, (excluded.get(found.key) ?? new Set()).add(other.labels[found.key]));
  }
  const selector = selectorOf(labels, absent, excluded);
  const { namespace } = group[0].party;
  const left = [...new Set(group.flatMap((one) => Object.keys(one.party.labels)))].filter((key) => !(key in labels));
  return { namespace, selector, key: `${namespace} ${JSON.stringify(selector)}`, name: '', left: left.sort() };
}

function isExcluded(
  labels: Labels,
  absent: ReadonlySet<string>,
  excluded: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  return Object.entries(labels).some(([key, value]) => absent.has(key) || excluded.get(key)?.has(value) === true);
}

function selectorOf(
  matchLabels: Labels,
  absent: ReadonlySet<string>,
  excluded: ReadonlyMap<string, ReadonlySet<string>>,
): Selector {
  const without: Requirement[] = [...absent].sort().map((key) => ({ key, operator: 'DoesNotExist' }));
  const sorted = [...excluded].sort(([a], [b]) => (a < b ? -1 : 1));
  const others: Requirement[] = sorted.map(([key, values]) => ({ key, operator: 'NotIn', values: [...values].sort() }));
  const matchExpressions = [...without, ...others];
  return {
    ...(Object.keys(matchLabels).length > 0 && { matchLabels }),
    ...(matchExpressions.length > 0 && { matchExpressions }),
  };
}

const LONGEST_NAME = 40;

/** Names by what the pods are called; where several are called alike, with a part that comes from the selector. */
function nameAll(groups: readonly Group[], members: readonly (readonly Member[])[]): Group[] {
  const bases = members.map((group) => slug(group.map(({ party }) => party.title).sort()[0]));
  return groups.map((group, i) => {
    const isAlone = bases.filter((base) => base === bases[i]).length === 1;
    const hash = createHash('sha256').update(group.key).digest('hex').slice(0, 8);
    return { ...group, name: isAlone ? bases[i] : `${bases[i]}-${hash}` };
  });
}

/** Lower-case letters, digits and dashes. */
function slug(title: string): string {
  const text = title
    .toLowerCase()
    .replace(/[^a-z\d]+/g, '-')
    .slice(0, LONGEST_NAME);
  return text.replace(/^-+|-+$/g, '') || 'pods';
}
