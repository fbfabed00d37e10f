/**
 * What Cilium refuses in a policy although its shape is right, and what it accepts although nobody means it.
 * Every check names, in its code, the same thing the tests name. Nothing stops at the first problem.
 */
import {
  type CiliumElement,
  type CiliumMembers,
  type CiliumPortRule,
  type CiliumRule,
  type CidrRule,
  member,
  RULE_LISTS,
  type RuleList,
} from '../document/cilium-document.ts';
import { joinPath } from '../document/document-path.ts';
import { POD_NAMESPACE } from '../rule/labels.ts';
import type { Reader } from '../document/reader.ts';
import type { Check } from './check.ts';
import { quote } from '../rule/problems.ts';
import { isDnsSubdomain } from './names.ts';
import { checkCidr, checkExcept, checkFqdn, checkIcmp, checkSelector } from './peers.ts';
import { checkPortRule } from './ports.ts';

export function validateCiliumPolicy(
  document: { spec?: CiliumRule; specs?: readonly CiliumRule[] },
  check: Check,
): void {
  if (document.spec === undefined && (document.specs ?? []).length === 0) {
    check.reader.problem('', 'no-rule', 'read policy: found neither spec nor specs, wanted at least one rule');
  }
  if (document.spec !== undefined) validateRule(document.spec, 'spec', check);
  document.specs?.forEach((rule, i) => validateRule(rule, `specs[${i}]`, check));
}

function validateRule(rule: CiliumRule, path: string, check: Check): void {
  const { reader } = check;
  checkSubject(rule, path, check);
  const lists = RULE_LISTS.filter(({ field }) => (rule[field]?.length ?? 0) > 0);
  if (lists.length === 0) {
    reader.problem(
      path,
      'empty-rule',
      'read rule: found no ingress, ingressDeny, egress or egressDeny entries, wanted at least one',
      'to close a direction write a list with one empty entry, e.g. ingress: [{}]',
    );
  }
  for (const list of lists) {
    rule[list.field]?.forEach((element, i) =>
      validateElement(element, list, `${path}.${list.field}[${i}]`, rule, check),
    );
  }
  checkLog(rule, path, check);
  warnLoneDeny(rule, path, check);
  warnIdleDefaultDeny(rule, path, check);
}

function checkSubject(rule: CiliumRule, path: string, { reader, isClusterwide, namespace }: Check): void {
  const { endpointSelector, nodeSelector } = rule;
  if (endpointSelector === undefined && nodeSelector === undefined) {
    const wanted = isClusterwide ? 'endpointSelector or nodeSelector' : 'endpointSelector';
    reader.problem(
      path,
      'no-subject',
      `read rule: found no subject, wanted ${wanted}`,
      'endpointSelector: {} selects every endpoint in scope',
    );
  }
  if (endpointSelector !== undefined && nodeSelector !== undefined) {
    reader.problem(
      `${path}.nodeSelector`,
      'two-subjects',
      'read rule: found endpointSelector and nodeSelector, wanted one of them',
    );
  } else if (nodeSelector !== undefined && !isClusterwide) {
    reader.problem(
      `${path}.nodeSelector`,
      'node-selector',
      'read rule: found nodeSelector in a CiliumNetworkPolicy, wanted endpointSelector',
      'host policies are CiliumClusterwideNetworkPolicy',
    );
  }
  if (endpointSelector !== undefined) checkSelector(endpointSelector, `${path}.endpointSelector`, reader);
  if (nodeSelector !== undefined) checkSelector(nodeSelector, `${path}.nodeSelector`, reader);
  const written = endpointSelector?.matchLabels?.[`k8s:${POD_NAMESPACE}`];
  if (!isClusterwide && written !== undefined && written !== namespace) {
    reader.warn(
      joinPath(`${path}.endpointSelector.matchLabels`, `k8s:${POD_NAMESPACE}`),
      'subject-namespace',
      `read subject: found namespace ${JSON.stringify(written)}, wanted the policy's own, ${JSON.stringify(namespace)}`,
      'a CiliumNetworkPolicy applies in its own namespace only; the label is overwritten',
    );
  }
}

function checkLog(rule: CiliumRule, path: string, { reader }: Check): void {
  const value = rule.log?.value;
  if (value === undefined || /^[^\p{Cc}\p{Cf}\p{Cs}\p{Co}]{0,32}$/u.test(value)) return;
  reader.problem(
    `${path}.log.value`,
    'log-value',
    `read log.value: found ${JSON.stringify(value.slice(0, 60))}, wanted at most 32 printable characters`,
  );
}

function warnLoneDeny(rule: CiliumRule, path: string, { reader }: Check): void {
  for (const direction of ['ingress', 'egress'] as const) {
    const deny = `${direction}Deny` as const;
    const isLone = (rule[deny]?.length ?? 0) > 0 && (rule[direction]?.length ?? 0) === 0;
    if (!isLone || rule.enableDefaultDeny?.[direction] === false) continue;
    reader.warn(
      `${path}.${deny}`,
      'lone-deny',
      `read rule: found ${deny} without ${direction}, wanted rules that allow the rest`,
      `a deny rule alone closes all other ${direction} too; add ${direction} rules, or enableDefaultDeny: { ${direction}: false }`,
    );
  }
}

/** `true` alone closes nothing: Cilium looks at the flag only where the rule has an entry. */
function warnIdleDefaultDeny(rule: CiliumRule, path: string, { reader }: Check): void {
  for (const direction of ['ingress', 'egress'] as const) {
    const entries = (rule[direction]?.length ?? 0) + (rule[`${direction}Deny`]?.length ?? 0);
    if (rule.enableDefaultDeny?.[direction] !== true || entries > 0) continue;
    reader.warn(
      `${path}.enableDefaultDeny.${direction}`,
      'idle-default-deny',
      `read rule: found enableDefaultDeny.${direction} without ${direction} entries, wanted at least one`,
      `it closes nothing by itself; to close ${direction} write ${direction}: [{}]`,
    );
  }
}

const MEMBERS: readonly (keyof CiliumMembers)[] = ['Endpoints', 'CIDR', 'CIDRSet', 'Entities', 'Groups', 'Nodes'];

function validateElement(element: CiliumElement, list: RuleList, path: string, rule: CiliumRule, check: Check): void {
  const { reader, options } = check;
  const isEgress = list.direction === 'egress';
  checkMembers(element, list, path, check);
  checkPeers(element, list, path, check);
  const toPorts = element.toPorts ?? [];
  toPorts.forEach((portRule, i) =>
    checkPortRule(portRule, `${path}.toPorts[${i}]`, {
      ...check,
      isEgress,
      isHostPolicy: rule.nodeSelector !== undefined,
    }),
  );
  if ((element.icmps?.length ?? 0) > 0) {
    if (toPorts.length > 0) {
      reader.problem(
        `${path}.icmps`,
        'icmps-with-ports',
        'read rule: found icmps beside toPorts, wanted one of them',
        `make two entries of ${list.field}`,
      );
    }
    if (!options['enable-icmp-rules']) {
      reader.problem(
        `${path}.icmps`,
        'icmps-disabled',
        'read rule: found icmps, wanted none while enable-icmp-rules is false',
      );
    }
    element.icmps?.forEach((icmp, i) => checkIcmp(icmp, `${path}.icmps[${i}]`, reader));
  }
  const isAlone = rule[list.field]?.length === 1;
  if (Object.keys(element).length === 0) warnEmptyElement(list, { path, isAlone }, reader);
  warnEmptyPorts(toPorts, path, reader);
}

function warnEmptyPorts(toPorts: readonly CiliumPortRule[], path: string, reader: Reader): void {
  toPorts.forEach((rule, i) => {
    if ((rule.ports ?? []).length > 0 || !reader.isSound(`${path}.toPorts[${i}]`)) return;
    reader.warn(
      `${path}.toPorts[${i}]`,
      'no-ports',
      'read toPorts: found no ports, wanted at least one',
      'an entry without ports matches nothing; leave toPorts out to mean every port',
    );
  });
}

/** One empty entry alone is how to close a direction, as the hint of `empty-rule` and Cilium's documents say. */
function warnEmptyElement(list: RuleList, { path, isAlone }: { path: string; isAlone: boolean }, reader: Reader): void {
  if (list.deny) {
    reader.warn(
      path,
      'empty-deny',
      `read rule: found an empty ${list.field} entry, wanted peers or ports`,
      'it denies nothing by itself; to deny everyone write fromEntities/toEntities: [all]',
    );
    return;
  }
  if (isAlone || !reader.isSound(path)) return;
  reader.warn(
    path,
    'empty-element',
    `read rule: found an empty ${list.field} entry, wanted peers or ports`,
    `in a Cilium policy it allows nothing and closes ${list.direction}; a NetworkPolicy would allow everything`,
  );
}

/** At most one kind of peer an element: Cilium ORs elements, never kinds inside one. */
function checkMembers(element: CiliumElement, list: RuleList, path: string, check: Check): void {
  const { reader } = check;
  const { side } = list;
  const names = [...MEMBERS.map((name) => `${side}${name}`), ...(side === 'to' ? ['toFQDNs', 'toServices'] : [])];
  const filled = names.filter((name) => lengthOf(element[name]) > 0);
  if (filled.length > 1) {
    const message = `read rule: found ${filled.join(' and ')} in one entry, wanted one kind of peer`;
    const hint = `make one entry of ${list.field} for each; entries are alternatives`;
    reader.problem(`${path}.${filled[1]}`, 'two-members', message, hint);
  }
  for (const name of names) {
    if (element[name] === undefined || lengthOf(element[name]) > 0 || !reader.isSound(`${path}.${name}`)) continue;
    const hint = 'an empty list selects nobody; leave the field out to mean anybody';
    reader.warn(`${path}.${name}`, 'empty-member', `read rule: found an empty ${name}, wanted at least one`, hint);
  }
  for (const name of filled) refuseMember(name, { ...list, path }, check);
}

/** Members that are not for everywhere. */
function refuseMember(name: string, list: RuleList & { path: string }, { reader, options }: Check): void {
  const place = `${list.path}.${name}`;
  if (name === 'toFQDNs' && list.deny) {
    reader.problem(place, 'fqdn-deny', 'read rule: found toFQDNs in egressDeny, wanted it in egress only');
  }
  if (name.endsWith('Groups')) {
    const hint = 'groups need a cloud provider to ask (AWS); list the addresses in a CiliumCIDRGroup instead';
    reader.problem(place, 'groups', `read rule: found ${name}, wanted another kind of peer`, hint);
  }
  if (name.endsWith('Nodes') && !options['enable-node-selector-labels']) {
    const message = `read rule: found ${name}, wanted none while enable-node-selector-labels is false`;
    reader.problem(place, 'nodes-disabled', message, 'set enable-node-selector-labels: true');
  }
}

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0;
}

function checkPeers(element: CiliumElement, { side, deny }: RuleList, path: string, check: Check): void {
  const { reader } = check;
  for (const name of ['Endpoints', 'Requires', 'Nodes'] as const) {
    member(element, side, name)?.forEach((selector, i) =>
      checkSelector(selector, `${path}.${side}${name}[${i}]`, reader),
    );
  }
  member(element, side, 'CIDR')?.forEach((text, i) => checkCidr(text, `${path}.${side}CIDR[${i}]`, reader));
  member(element, side, 'CIDRSet')?.forEach((rule, i) => checkCidrSet(rule, `${path}.${side}CIDRSet[${i}]`, reader));
  if (side === 'to' && !deny) element.toFQDNs?.forEach((fqdn, i) => checkFqdn(fqdn, `${path}.toFQDNs[${i}]`, reader));
  element.toServices?.forEach((service, i) => {
    const place = `${path}.toServices[${i}]`;
    if ((service.k8sService === undefined) === (service.k8sServiceSelector === undefined)) {
      reader.problem(
        place,
        'service',
        'read toServices: found both or neither of k8sService and k8sServiceSelector, wanted one of them',
      );
    }
  });
}

function checkCidrSet(rule: CidrRule, path: string, reader: Reader): void {
  const given = [rule.cidr, rule.cidrGroupRef, rule.cidrGroupSelector].filter((value) => value !== undefined).length;
  if (given !== 1) {
    reader.problem(
      path,
      'cidr-rule',
      `read CIDR rule: found ${given} of cidr, cidrGroupRef and cidrGroupSelector, wanted exactly one`,
    );
  }
  if (rule.cidr !== undefined) checkCidr(rule.cidr, `${path}.cidr`, reader);
  if (rule.cidrGroupRef !== undefined && !isDnsSubdomain(rule.cidrGroupRef)) {
    const message = `read cidrGroupRef: found ${quote(rule.cidrGroupRef)}, wanted the name of a CiliumCIDRGroup`;
    reader.problem(`${path}.cidrGroupRef`, 'name', message);
  }
  if (rule.cidrGroupSelector !== undefined) checkSelector(rule.cidrGroupSelector, `${path}.cidrGroupSelector`, reader);
  rule.except?.forEach((text, i) => checkExcept(text, rule.cidr, `${path}.except[${i}]`, reader));
}
