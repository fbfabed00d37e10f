/** Pods that are attached as they should be and answer nobody: what the health probes say, where policy is not the reason. */
import { isIP } from 'node:net';
import { INGRESS } from '../../wire/direction.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as icmpv6 from '../../wire/header/icmpv6.ts';
import { IDENTITY_HOST } from '../../wire/identities.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../../wire/protocols.ts';
import type { PolicyMap } from '../../policy-maps/policy-map.ts';
import type { Numbers } from '../attach/numbering.ts';
import type { Prober } from './probe.ts';

/** A sentence when no address that may answer has answered; '' when one has, or none was asked. */
export function silence(
  { endpointId, addresses }: Pick<Numbers, 'endpointId' | 'addresses'>,
  prober: Pick<Prober, 'health'>,
  policyOf: (endpointId: number) => Pick<PolicyMap, 'lookup'>,
): string {
  const probed = addresses.filter(({ text }) => prober.health(text) !== undefined);
  if (probed.length === 0 || probed.some(({ text }) => prober.health(text)?.isReachable === true)) return '';
  const policy = policyOf(endpointId);
  const mayAnswer = probed.filter(({ text }) => {
    const [protocol, type] = isIP(text) === 4 ? [PROTO_ICMP, icmp.ECHO_REQUEST] : [PROTO_ICMPV6, icmpv6.ECHO_REQUEST];
    return policy.lookup(IDENTITY_HOST, INGRESS, protocol, type) >= 0;
  });
  if (mayAnswer.length === 0) return '';
  const texts = mayAnswer.map(({ text }) => text).join(', ');
  return `answers no echo request of the host at ${texts}: look at its interface and its own firewall, and \`sluice observe\``;
}

/** The line of status about a pod; none when nothing is wrong. */
export function podSentence(key: string, problem: string): string[] {
  return problem === '' ? [] : [`pod ${key}: ${problem}`];
}
