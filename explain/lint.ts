/**
 * What only shows when documents are seen together: warnings about policies that are legal and surely not meant.
 *
 *   selects-nothing   the subject or a peer selects no pod of the manifests (only when there are pods at all)
 *   no-dns-rule       toFQDNs, and no rule that sends the pods' DNS through the proxy: no address is ever learnt
 *   no-effect         an allow rule of which nothing reaches a policy map: denied elsewhere, or its ports have no number
 *
 * Warnings about one document by itself come with reading it.
 */
import type { Problem } from '../policy/rule/problems.ts';
import { LabelSet } from '../policy/rule/labels.ts';
import { holds } from '../policy/rule/peer.ts';
import { type Element, type Origin, type Policy, policyName, type Rule } from '../policy/rule/rule.ts';
import { selects } from '../policy/rule/selector.ts';
import type { PolicyWorld, WorldPod } from './world.ts';

interface Finding {
  readonly path: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** A pod with the rules that select it. */
interface Selected {
  readonly labels: LabelSet;
  readonly pod: WorldPod;
}

/** Warnings, in the order of the documents. */
export function lint(world: PolicyWorld): Problem[] {
  const pods: Selected[] = [];
  for (const [, pod] of world.pods()) {
    if (pod.endpoint !== undefined) pods.push({ pod, labels: new LabelSet(pod.endpoint.labels) });
  }
  const policies = world.documents.map(({ policy }) => policy).filter((policy) => policy !== undefined);
  const context = { world, pods, dnsRules: policies.flatMap(dnsRulesOf), effective: effectiveOrigins(world, pods) };
  return policies.flatMap((policy) => policy.rules.flatMap((rule) => lintRule(policy, rule, context)));
}

interface Context {
  readonly world: PolicyWorld;
  readonly pods: readonly Selected[];
  /** Rules that redirect DNS. */
  readonly dnsRules: readonly Rule[];
  /** Of every rule element that some policy map holds entries of. */
  readonly effective: ReadonlySet<string>;
}

function lintRule(policy: Policy, rule: Rule, context: Context): Problem[] {
  const subjects = rule.selectsNodes ? [] : context.pods.filter(({ labels }) => selects(rule.subject, labels));
  const findings: Finding[] = [];
  if (context.pods.length > 0 && subjects.length === 0 && !rule.selectsNodes) {
    const hint = 'the policy has no effect on these manifests; check labels and namespace';
    findings.push({
      path: rule.origin.path,
      code: 'selects-nothing',
      hint,
      message: 'select subjects: found no pod, wanted at least one',
    });
  }
  for (const element of [...rule.ingress, ...rule.egress]) {
    if (context.pods.length > 0) findings.push(...emptyPeers(element, context));
    if (element.peers.some(({ fqdn }) => fqdn !== undefined) && !learnsNames(rule, subjects, context.dnsRules)) {
      const hint = 'add an egress rule to the DNS server with rules.dns, such as matchPattern: "*"';
      const message =
        'read toFQDNs: found no DNS rule for these pods, wanted one: names are learnt from answers that pass the proxy';
      findings.push({ path: element.origin.path, code: 'no-dns-rule', message, hint });
    }
  }
  if (subjects.length > 0) findings.push(...withoutEffect(rule, context));
  return findings.map((finding) => problemOf(policy, rule.origin, finding));
}

/** Selectors of endpoints that hold no identity of the manifests. */
function emptyPeers(element: Element, { pods }: Context): Finding[] {
  const empty = element.peers.filter(
    (peer) => peer.isEndpoints === true && !pods.some(({ labels }) => holds(peer, labels)),
  );
  if (empty.length === 0 || empty.length < element.peers.length) return [];
  const hint = 'nobody is meant by this rule; check labels, and the namespace: a selector without one means its own';
  return [
    {
      path: element.origin.path,
      code: 'selects-nothing',
      message: 'select peers: found no pod, wanted at least one',
      hint,
    },
  ];
}

/** Whether the pods of a rule have their DNS read: by any rule that selects one of them, or any at all when none is known. */
function learnsNames(rule: Rule, subjects: readonly Selected[], dnsRules: readonly Rule[]): boolean {
  if (subjects.length === 0) return dnsRules.length > 0;
  const covers = ({ labels }: Selected) => dnsRules.some((dns) => dns === rule || selects(dns.subject, labels));
  return subjects.every(covers);
}

function dnsRulesOf(policy: Policy): Rule[] {
  return policy.rules.filter(({ egress }) => egress.some(({ ports }) => ports?.some(({ l7 }) => l7?.parser === 'dns')));
}

function effectiveOrigins(world: PolicyWorld, pods: readonly Selected[]): Set<string> {
  const cookies = new Set<number>();
  for (const { pod } of pods) {
    for (const { cookie } of pod.endpoint?.entries ?? []) cookies.add(cookie);
    for (const { cookie } of pod.endpoint?.shadow ?? []) cookies.add(cookie);
  }
  for (const { rules } of world.ruleSets.values()) for (const { cookie } of rules) cookies.add(cookie);
  return new Set([...cookies].flatMap((cookie) => world.origins(cookie).map(originKey)));
}

function withoutEffect(rule: Rule, { effective, pods }: Context): Finding[] {
  const elements = [...rule.ingress, ...rule.egress].filter(({ deny }) => !deny);
  return elements
    .filter((element) => !effective.has(originKey(element.origin)) && canMatter(element, pods))
    .map(({ origin }) => ({
      path: origin.path,
      code: 'no-effect',
      message: 'compile rule: found that it allows nothing, wanted at least one entry',
      hint: 'another rule denies all that it allows, or its port names have no number',
    }));
}

/** Peers that nothing is known of yet (names, prefixes of no packet, absent pods) explain an element without entries. */
function canMatter({ peers, ports }: Element, pods: readonly Selected[]): boolean {
  if (peers.length === 0 || ports?.length === 0) return false;
  return peers.some(
    (peer) => peer.fqdn === undefined && (peer.isEndpoints !== true || pods.some(({ labels }) => holds(peer, labels))),
  );
}

function originKey({ kind, namespace, name, path }: Origin): string {
  return `${kind}/${namespace}/${name} ${path}`;
}

function problemOf(policy: Policy, { file, line }: Origin, finding: Finding): Problem {
  const { path, code, message, hint } = finding;
  return { file, line, column: 1, severity: 'warning', document: policyName(policy), path, code, message, hint };
}
