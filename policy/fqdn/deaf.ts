/**
 * Rules whose names nobody learns: `toFQDNs` of pods whose DNS no rule reads. Addresses of names are learnt from answers to
 * queries under a DNS rule, so such a rule allows nobody. It is the most common mistake with `toFQDNs`, and a legal policy.
 */
import type { Rule } from '../rule/rule.ts';

/** Whether a rule has the DNS of its pods read. */
export function readsDns({ egress }: Rule): boolean {
  return egress.some(({ ports }) => ports?.some(({ l7 }) => l7?.parser === 'dns'));
}

/** Whether a rule names peers by DNS name. */
function namesPeers({ egress }: Rule): boolean {
  return egress.some(({ peers }) => peers.some(({ fqdn }) => fqdn !== undefined));
}

/** Of the rules of one pod those whose names are not learnt for it. */
export function deafRules(rules: readonly Rule[]): readonly Rule[] {
  const naming = rules.filter(namesPeers);
  return naming.length === 0 || rules.some(readsDns) ? [] : naming;
}
