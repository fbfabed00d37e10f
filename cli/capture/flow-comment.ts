/** What is said of a frame beside it: the verdict, who sent it to whom, and which rules decided. */
import { compactText } from '../../hubble/print/print.ts';
import type { Endpoint, Flow, PolicyRef } from '../../hubble/flow.ts';
import { printable } from '../terminal/table.ts';

/** One line; the text is others', and harmless on a terminal. @param notes of the recording, before the rest */
export function commentOf(flow: Flow, notes: readonly string[] = []): string {
  const { verdict, drop_reason_desc: reason, traffic_direction: direction, uuid } = flow;
  const rules = [
    ...rulesText('egress allowed by', flow.egress_allowed_by),
    ...rulesText('ingress allowed by', flow.ingress_allowed_by),
    ...rulesText('egress denied by', flow.egress_denied_by),
    ...rulesText('ingress denied by', flow.ingress_denied_by),
  ];
  const parts = [
    ...notes,
    [verdict, reason, direction].filter((word) => word !== undefined).join(' '),
    `identities ${identityText(flow.source)} -> ${identityText(flow.destination)}`,
    ...rules,
    compactText(flow),
    ...(uuid === undefined ? [] : [`uuid ${uuid}`]),
  ];
  return printable(parts.join('; ').replaceAll('\n', ' '));
}

function identityText({ identity = 0, namespace, pod_name: pod }: Endpoint): string {
  return pod === undefined ? String(identity) : `${identity} (${namespace}/${pod})`;
}

function rulesText(what: string, policies: readonly PolicyRef[] = []): string[] {
  if (policies.length === 0) return [];
  const names = policies.map(({ kind, namespace, name }) => [kind, namespace, name].filter(Boolean).join('/'));
  return [`${what} ${names.join(', ')}`];
}
