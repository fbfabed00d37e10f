/**
 * What only shows when documents are seen together: warnings about policies that are legal and surely not meant.
 *
 *   selects-nothing   the subject or a peer selects no pod of the manifests (only when there are pods at all)
 *   no-dns-rule       toFQDNs, and no rule that sends the pods' DNS through the proxy: no address is ever learnt
 *   no-effect         an allow rule of which nothing reaches a policy map: denied elsewhere, or its ports have no number
 *   replaced          a policy that a later document of its kind, namespace and name replaces; no more is said of it
 *
 * Warnings about one document by itself come with reading it.
 */
import type { Problem } from '../policy/rule/problems.ts';
import { readsDns } from '../policy/fqdn/deaf.ts';
import { LabelSet } from '../policy/rule/labels.ts';
import { holds } from '../policy/rule/peer.ts';
import { type Element, type Origin, type Policy, policyName, type Rule } from '../policy/rule/rule.ts';
import { type LabelSelector, selects } from '../policy/rule/selector.ts';
import type { Document } from '../policy/document/document.ts';
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
  const context = {
    world,
    pods,
    dnsRules: policies.flatMap(({ rules }) => rules.filter(readsDns)),
    effective: effectiveOrigins(world, pods),
  };
  const last = new Map(
    world.documents.map((document) => [`${document.kind}/${document.namespace}/${document.name}`, document]),
  );
  return world.documents.flatMap((document) => {
    const { policy, kind, namespace, name } = document;
    const later = last.get(`${kind}/${namespace}/${name}`);
    if (policy === undefined) return [];
    if (later !== undefined && later !== document) return [replaced(policy, document, later)];
    return policy.rules.flatMap((rule) => lintRule(policy, rule, context));
  });
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
    const hint =
      absentLabels(rule.subject, context) ?? 'the policy has no effect on these manifests; check labels and namespace';
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
  if (subjects.length > 0) findings.push(...withoutEffect(rule, context, subjects));
  return findings.map((finding) => problemOf(policy, placeOf(rule, finding), finding));
}

/** The element that is meant stands on a line of its own. */
function placeOf(rule: Rule, { path }: Finding): Origin {
  const element = [...rule.ingress, ...rule.egress].find(({ origin }) => origin.path === path);
  return element?.origin ?? rule.origin;
}

/** Selectors of endpoints that hold no identity of the manifests. */
function emptyPeers(element: Element, context: Context): Finding[] {
  const { pods } = context;
  const empty = element.peers.filter((peer) => peer.isPods === true && !pods.some(({ labels }) => holds(peer, labels)));
  if (empty.length === 0 || empty.length < element.peers.length) return [];
  const absent = empty.flatMap(({ anyOf }) => anyOf).map((selector) => absentLabels(selector, context));
  const hint =
    absent.find((text) => text !== undefined) ??
    'nobody is meant by this rule; check labels, and the namespace: a selector without one means its own';
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

function effectiveOrigins(world: PolicyWorld, pods: readonly Selected[]): Set<string> {
  const cookies = new Set<number>();
  for (const { pod } of pods) {
    for (const { cookie } of pod.endpoint?.entries ?? []) cookies.add(cookie);
    for (const { cookie } of pod.endpoint?.shadow ?? []) cookies.add(cookie);
  }
  for (const { rules } of world.ruleSets.values()) for (const { cookie } of rules) cookies.add(cookie);
  return new Set([...cookies].flatMap((cookie) => world.origins(cookie).map(originKey)));
}

/** A selector that wants labels which are left out of identities selects nobody, whatever pods have. */
function absentLabels(selector: LabelSelector, { world }: Context): string | undefined {
  const { filter } = world.cluster.pods;
  const absent = selector.filter(
    ({ source, key, operator }) =>
      (source === 'k8s' || source === 'any') &&
      (operator === 'In' || operator === 'Exists') &&
      !filter.keeps('k8s', key),
  );
  if (absent.length === 0) return undefined;
  return `labels that are left out of identities select nobody: ${absent.map(({ key }) => key).join(', ')} (option labels)`;
}

function withoutEffect(rule: Rule, context: Context, subjects: readonly Selected[]): Finding[] {
  const { effective, pods } = context;
  const elements = [...rule.ingress, ...rule.egress].filter(({ deny }) => !deny);
  return elements
    .filter((element) => !effective.has(originKey(element.origin)) && canMatter(element, pods))
    .map((element) => ({
      path: element.origin.path,
      code: 'no-effect',
      message: 'compile rule: found that it allows nothing, wanted at least one entry',
      hint: absentPorts(element, rule.ingress.includes(element) ? subjects : pods.filter(isIn(element))) ?? DENIED,
    }));
}

const DENIED = 'another rule denies all that it allows';

function isIn({ peers }: Element) {
  return ({ labels }: Selected): boolean => peers.some((peer) => holds(peer, labels));
}

/** Port names that none of the pods has. @param pods that the names are looked up in */
function absentPorts({ ports }: Element, pods: readonly Selected[]): string | undefined {
  const known = pods.flatMap(({ pod }) => pod.spec.namedPorts ?? []);
  const names = (ports ?? []).flatMap(({ name, protocol }) =>
    name === undefined || known.some((one) => one.name === name && one.protocol === protocol) ? [] : [name],
  );
  const [first] = pods;
  if (names.length === 0 || names.length < (ports ?? []).length || first === undefined) return undefined;
  const others = [...new Set(known.map(({ name }) => name))].sort().join(', ');
  const { namespace, name } = first.pod.spec;
  const has = others === '' ? 'no port names' : others;
  return `${namespace}/${name}${pods.length > 1 ? ` and ${pods.length - 1} more` : ''} has no port named ${[...new Set(names)].join(', ')} (it has ${has})`;
}

function replaced(policy: Policy, { file, line }: Document, later: Document): Problem {
  return problemOf(
    policy,
    { file, line },
    {
      path: '',
      code: 'replaced',
      message: `read policy: found another of its kind, namespace and name at ${later.file}:${later.line}, wanted one`,
      hint: 'the later replaces it',
    },
  );
}

/** Peers that nothing is known of yet (names, prefixes of no packet, absent pods) explain an element without entries. */
function canMatter({ peers, ports }: Element, pods: readonly Selected[]): boolean {
  if (peers.length === 0 || ports?.length === 0) return false;
  return peers.some(
    (peer) => peer.fqdn === undefined && (peer.isPods !== true || pods.some(({ labels }) => holds(peer, labels))),
  );
}

function originKey({ kind, namespace, name, path }: Origin): string {
  return `${kind}/${namespace}/${name} ${path}`;
}

function problemOf(policy: Policy, { file, line }: Pick<Origin, 'file' | 'line'>, finding: Finding): Problem {
  const { path, code, message, hint } = finding;
  return { file, line, column: 1, severity: 'warning', document: policyName(policy), path, code, message, hint };
}
