/** Which pods and prefixes each selector of the policies means, and which pods each policy selects. */
import { LabelSet } from '../policy/rule/labels.ts';
import { holds, labelsPeer, type Peer } from '../policy/rule/peer.ts';
import { policyName } from '../policy/rule/rule.ts';
import { selects } from '../policy/rule/selector.ts';
import type { PolicyWorld } from './world.ts';

/** One selector, of subjects or of peers. */
export interface SelectorRow {
  readonly selector: string;
  readonly role: 'subject' | 'peer';
  /** `Kind/namespace/name` of the policies that use it. */
  readonly policies: string[];
  readonly identities: readonly number[];
  readonly pods: readonly string[];
}

/** A policy with the pods that it is for. */
export interface SelectedDocument {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  /** `namespace/name`, sorted. */
  readonly pods: readonly string[];
  /** A rule of it is for nodes. */
  readonly selectsNodes: boolean;
}

export function selectorRows(world: PolicyWorld): SelectorRow[] {
  const identities = [...world.cluster.identities.entries()].map(({ id, labels }) => ({
    id,
    labels: new LabelSet(labels),
  }));
  const podsByIdentity = new Map<number, string[]>();
  for (const [reference, { endpoint }] of world.pods()) {
    if (endpoint === undefined) continue;
    podsByIdentity.set(endpoint.identity, [...(podsByIdentity.get(endpoint.identity) ?? []), reference]);
  }
  const rows = new Map<string, SelectorRow>();
  const note = (role: SelectorRow['role'], peer: Peer, policy: string): void => {
    const key = `${role} ${peer.key}`;
    const known = rows.get(key);
    if (known !== undefined) {
      if (!known.policies.includes(policy)) known.policies.push(policy);
      return;
    }
    const held = identities.filter(({ labels }) => holds(peer, labels)).map(({ id }) => id);
    const pods = held.flatMap((id) => podsByIdentity.get(id) ?? []).sort();
    const identitiesShown = role === 'subject' ? held.filter((id) => podsByIdentity.has(id)) : held;
    rows.set(key, { selector: peer.key, role, policies: [policy], identities: identitiesShown, pods });
  };
  for (const { policy } of world.documents) {
    for (const rule of policy?.rules ?? []) {
      const name = policy === undefined ? '' : policyName(policy);
      note('subject', labelsPeer(rule.subject), name);
      for (const { peers } of [...rule.ingress, ...rule.egress]) for (const peer of peers) note('peer', peer, name);
    }
  }
  return [...rows.values()].sort((a, b) => (`${a.role}${a.selector}` < `${b.role}${b.selector}` ? 1 : -1));
}

/** In the order of the documents. */
export function selectedBy(world: PolicyWorld): SelectedDocument[] {
  const pods = [...world.pods()].flatMap(([reference, { endpoint }]) =>
    endpoint === undefined ? [] : [{ reference, labels: new LabelSet(endpoint.labels) }],
  );
  return world.documents.flatMap(({ kind, namespace, name, file, line, policy }) => {
    if (policy === undefined) return [];
    const subjects = policy.rules.filter(({ selectsNodes }) => !selectsNodes).map(({ subject }) => subject);
    const chosen = pods.filter(({ labels }) => subjects.some((subject) => selects(subject, labels)));
    const selectsNodes = policy.rules.some((rule) => rule.selectsNodes);
    return [{ kind, namespace, name, file, line, pods: chosen.map(({ reference }) => reference).sort(), selectsNodes }];
  });
}
