/**
 * Puts the values of secrets into the header conditions that name them. A rule whose secret has no value matches no request, and
 * that is told: whoever has no token must not be taken for one who has the right one.
 */
import type { HttpRule, HeaderMatch, SecretRef } from '../policy-maps/l7-rules.ts';
import type { Problem } from './rule/problems.ts';
import { type Element, KUBERNETES, policyName, type PortSpec, type Rule } from './rule/rule.ts';
import { type SecretTable, secretKey } from './secret-table.ts';

/** A pattern that no method matches. */
const NO_METHOD = '[^\\s\\S]';

/** @param problems gets one for each condition without a value */
export function withSecrets(rule: Rule, secrets: SecretTable, problems: Problem[]): Rule {
  const element = (one: Element): Element => {
    const { ports } = one;
    if (ports === null || !ports.some(hasSecrets)) return one;
    return { ...one, ports: ports.map((port) => portWithSecrets(port, secrets, one, problems)) };
  };
  return { ...rule, ingress: rule.ingress.map(element), egress: rule.egress.map(element) };
}

function portWithSecrets(port: PortSpec, secrets: SecretTable, element: Element, problems: Problem[]): PortSpec {
  if (!hasSecrets(port) || port.l7?.parser !== 'http') return port;
  const rules = port.l7.rules.map((rule): HttpRule => {
    if (secretsOf(rule).length === 0) return rule;
    const headerMatches = (rule.headerMatches ?? []).map((match) => matchWithSecret(match, secrets, element, problems));
    return headerMatches.includes(undefined)
      ? { method: NO_METHOD, headerMatches: secretNamesOf(rule) }
      : { ...rule, headerMatches: headerMatches.filter((match) => match !== undefined) };
  });
  return { ...port, l7: { parser: 'http', rules } };
}

function matchWithSecret(
  match: HeaderMatch,
  secrets: SecretTable,
  { origin }: Element,
  problems: Problem[],
): HeaderMatch | undefined {
  const { secret, ...rest } = match;
  if (secret === undefined) return match;
  const found = mayRead(origin, secret.namespace)
    ? secrets.valueOf(secret)
    : { missing: 'found it in another namespace' };
  if ('value' in found) return { ...rest, value: found.value, isSecret: true };
  problems.push({
    ...{ file: origin.file, line: origin.line, column: 1, path: origin.path, severity: 'warning', code: 'secret' },
    document: policyName(origin),
    message: `read secret ${secretKey(secret)} for header ${match.name}: ${found.missing}, wanted one value`,
    hint: 'the rule matches no request',
  });
  return undefined;
}

/**
 * Whether a policy may have a secret of this namespace. With `mismatch: ADD` its value is written into requests: who may write policies in one namespace of a
 * cluster would read the secrets of all others.
 */
function mayRead({ file, namespace }: Element['origin'], ofSecret: string): boolean {
  return file !== KUBERNETES || namespace === '' || namespace === ofSecret;
}

/** Whether a rule compares a header with one of these secrets. @param keys `namespace/name` */
export function mentionsSecret({ ingress, egress }: Rule, keys: ReadonlySet<string>): boolean {
  const isAbout = (port: PortSpec): boolean =>
    port.l7?.parser === 'http' && port.l7.rules.flatMap(secretsOf).some((ref) => keys.has(secretKey(ref)));
  return [...ingress, ...egress].some(({ ports }) => ports?.some(isAbout));
}

/** What clients send for a secret that is not there is one all the same: it is not told. */
function secretNamesOf({ headerMatches = [] }: HttpRule): HeaderMatch[] {
  return headerMatches.flatMap(({ name, secret }) => (secret === undefined ? [] : { name, isSecret: true }));
}

function hasSecrets({ l7 }: PortSpec): boolean {
  return l7?.parser === 'http' && l7.rules.some((rule) => secretsOf(rule).length > 0);
}

function secretsOf({ headerMatches = [] }: HttpRule): SecretRef[] {
  return headerMatches.flatMap(({ secret }) => secret ?? []);
}
