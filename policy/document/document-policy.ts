/** Kubernetes objects as plain values -> the rules that they hold, for the three kinds of policies. */
import { ANNOTATIONS, optionsUnder } from './annotations.ts';
import type { CiliumRule } from './cilium-document.ts';
import { ciliumRule, type RuleContext } from './cilium-policy.ts';
import { type NetworkPolicySpec, networkPolicyRule } from './network-policy.ts';
import type { PolicyOptions } from '../rule/options.ts';
import type { Policy, PolicyKind, Rule } from '../rule/rule.ts';

/** What the rules of a document are made of. */
interface PolicySource {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly object: object;
}

/** Whether documents of this kind hold rules. */
export function isPolicyKind(kind: string): kind is PolicyKind {
  return kind === 'NetworkPolicy' || kind === 'CiliumNetworkPolicy' || kind === 'CiliumClusterwideNetworkPolicy';
}

/**
 * The rules of a document that has no errors.
 * @param lineOf the line of what stands at a path, as in `spec.ingress[0]`
 */
export function policyOf(document: PolicySource, options: PolicyOptions, lineOf: (path: string) => number): Policy {
  const { namespace, name, file } = document;
  const kind = document.kind as PolicyKind;
  const origin = (path: string) => ({ kind, namespace, name, path, file, line: lineOf(path) });
  return {
    kind,
    namespace,
    name,
    audit: document.annotations[ANNOTATIONS.audit] === 'true',
    rules: rulesOf(document, { options: optionsUnder(document.annotations, options), namespace, origin }),
  };
}

function rulesOf({ kind, object }: PolicySource, context: RuleContext): Rule[] {
  if (kind === 'NetworkPolicy') {
    return [networkPolicyRule((object as { spec?: NetworkPolicySpec }).spec ?? {}, context)];
  }
  const { spec, specs } = object as { spec?: CiliumRule; specs?: readonly CiliumRule[] };
  return [
    ...(spec === undefined ? [] : [ciliumRule(spec, 'spec', context)]),
    ...(specs ?? []).map((rule, i) => ciliumRule(rule, `specs[${i}]`, context)),
  ];
}
