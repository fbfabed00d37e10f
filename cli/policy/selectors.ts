/** `sluice policy selectors`: which pods and prefixes each selector of the policies means. */
import { LabelSet } from '../../policy/rule/labels.ts';
import { holds, labelsPeer, type Peer } from '../../policy/rule/peer.ts';
import { policyName } from '../../policy/rule/rule.ts';
import { printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import type { PolicyWorld } from '../../explain/world.ts';

interface Row {
  readonly selector: string;
  readonly role: 'subject' | 'peer';
  /** `Kind/namespace/name` of the policies that use it. */
  readonly policies: string[];
  readonly identities: readonly number[];
  readonly pods: readonly string[];
}

export async function showSelectors(settings: Settings, world: PolicyWorld): Promise<void> {
  await printListing(settings, {
    rows: rowsOf(world),
    columns: [
      { header: 'SELECTOR', cell: (one) => one.selector },
      { header: 'ROLE', cell: (one) => one.role },
      { header: 'USERS', cell: (one) => one.policies.length },
      { header: 'IDENTITIES', cell: (one) => one.identities.join(',') },
      { header: 'PODS', cell: (one) => one.pods.join('\n') },
      { header: 'POLICIES', cell: (one) => one.policies.join('\n'), isWide: true },
    ],
  });
}

function rowsOf(world: PolicyWorld): Row[] {
  const identities = [...world.cluster.identities.entries()].map(({ id, labels }) => ({
    id,
    labels: new LabelSet(labels),
  }));
  const podsByIdentity = new Map<number, string[]>();
  for (const [reference, { endpoint }] of world.pods()) {
    if (endpoint === undefined) continue;
    podsByIdentity.set(endpoint.identity, [...(podsByIdentity.get(endpoint.identity) ?? []), reference]);
  }
  const rows = new Map<string, Row>();
  const note = (role: Row['role'], peer: Peer, policy: string): void => {
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
