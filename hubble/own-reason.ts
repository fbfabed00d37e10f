/**
 * Drop reasons of our own in flows. Hubble's clients read flows strictly: a name that their enumeration lacks, or a field that
 * flow.proto lacks, costs them the flow. So `drop_reason`, `drop_reason_desc` and the subtype are those of the nearest reason
 * of Hubble, the summary begins with our own text, and `extensions` (an Any) holds our name.
 */
import { reasonName, reasonNumber, reasonText } from '../wire/reasons.ts';
import type { Flow, OwnReason } from './flow.ts';

/** @param reason one of our own */
export function ownReason(reason: number): OwnReason {
  return { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: reasonName(reason) };
}

/** `Denied by L7 policy; TCP Flags: ACK` */
export function withOwnText(reason: number, summary = ''): string {
  return summary === '' ? reasonText(reason) : `${reasonText(reason)}; ${summary}`;
}

/** The name of our own reason of a flow. */
export function ownReasonName({ extensions }: Flow): string | undefined {
  const value = extensions?.value;
  return value !== undefined && reasonNumber(value) >= 0 ? value : undefined;
}

/** What people are shown of a flow with a reason of our own: its text, and the summary without it. */
export function ownReasonTexts(flow: Flow): { reason: string; summary: string } | undefined {
  const name = ownReasonName(flow);
  if (name === undefined) return undefined;
  const reason = reasonText(reasonNumber(name));
  const { Summary = '' } = flow;
  if (Summary === reason) return { reason, summary: '' };
  return { reason, summary: Summary.startsWith(`${reason}; `) ? Summary.slice(reason.length + 2) : Summary };
}
