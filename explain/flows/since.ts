/** What has changed since a flow was recorded, as far as the flow says how it was. */
import type { Endpoint, Flow, PolicyRef } from '../../hubble/flow.ts';
import { policyName } from '../../policy/rule/rule.ts';
import type { Answer, DirectionAnswer, ResolvedEnd } from '../verdict.ts';

/**
 * @param ends of the flow's connection as the world has them now, source first
 * @returns sentences; none when the flow would be told the same way now
 */
export function changesSince(flow: Flow, answer: Answer, ends: readonly [ResolvedEnd, ResolvedEnd]): string[] {
  const isReply = flow.is_reply === true;
  const [source, destination] = isReply ? [flow.destination, flow.source] : [flow.source, flow.destination];
  const told = [
    ...sideChange('egress', flow.egress_denied_by ?? flow.egress_allowed_by, answer.egress),
    ...sideChange('ingress', flow.ingress_denied_by ?? flow.ingress_allowed_by, answer.ingress),
    ...labelChange(source, ends[0]),
    ...labelChange(destination, ends[1]),
  ];
  const before = verdictThen(flow);
  const isOther = before !== undefined && answer.verdict !== 'error' && before !== answer.verdict;
  return isOther ? [`it was ${before} when it was recorded, and would be ${answer.verdict} now`, ...told] : told;
}

/** Of replies nothing is judged; of what was dropped for other reasons policy says nothing. */
function verdictThen({ verdict, is_reply: isReply, extensions }: Flow): 'allowed' | 'denied' | undefined {
  if (isReply === true) return undefined;
  if (verdict === 'DROPPED') return extensions === undefined ? 'denied' : undefined;
  return verdict === 'FORWARDED' || verdict === 'REDIRECTED' || verdict === 'AUDIT' ? 'allowed' : undefined;
}

function nameOf({ kind = '', namespace = '', name }: PolicyRef): string {
  return policyName({ kind, namespace, name });
}

function sideChange(
  direction: 'egress' | 'ingress',
  refs: readonly PolicyRef[] | undefined,
  now: DirectionAnswer | undefined,
): string[] {
  if (refs === undefined || now === undefined) return [];
  const then = refs.filter(({ kind }) => kind !== 'reserved').map(nameOf);
  const [old, fresh] = [[...new Set(then)].sort(), [...now.policies].sort()];
  if (old.join() === fresh.join()) return [];
  const text = (names: readonly string[]): string => (names.length === 0 ? 'no policy' : names.join(', '));
  return [`${direction} was decided by ${text(old)}, and is by ${text(fresh)} now`];
}

function labelChange({ labels = [] }: Endpoint, { endpoint, text }: ResolvedEnd): string[] {
  const isOfIdentity = (label: string): boolean => label.startsWith('k8s:') || label.startsWith('gen:');
  const then = labels.filter(isOfIdentity);
  if (endpoint === undefined || then.length === 0) return [];
  const now = endpoint.labels.filter(isOfIdentity);
  const gone = then.filter((label) => !now.includes(label)).map((label) => `without ${label}`);
  const come = now.filter((label) => !then.includes(label)).map((label) => `with ${label}`);
  const all = [...gone, ...come];
  return all.length === 0 ? [] : [`${text} has other labels now: ${all.join(', ')}`];
}
