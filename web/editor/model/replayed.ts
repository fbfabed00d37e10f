/** What the judge answers to a replay, and how a line of it reads. */
import type { ReplayedDocument } from '../../../explain/flows/replay-document.ts';
import type { JudgeAnswers } from '../../../explain/judge-answers.ts';
import { fieldOf, textOf } from './values.ts';

export type Replayed = ReplayedDocument;
export type ReplayAnswer = JudgeAnswers['replay'];

/** `shop/app=web`, an address, an entity. */
export function endText(end: Replayed['from']): string {
  if ('pod' in end) return end.pod;
  if ('ip' in end) return end.ip;
  if ('entity' in end) return end.entity;
  const labels = end.labels.filter((label) => label.startsWith('k8s:') && !label.startsWith('k8s:io.'));
  return `${end.namespace ?? ''}/${labels.map((label) => label.slice('k8s:'.length)).join(',')}`;
}

/** `GET /offers`; '' for a connection without a request. */
export function requestOf({ http, dns, kafka, sni = '' }: Replayed): string {
  if (http !== undefined) return `${textOf(fieldOf(http, 'method'))} ${textOf(fieldOf(http, 'path'))}`.trim();
  if (dns !== undefined) return textOf(fieldOf(dns, 'query'));
  if (kafka !== undefined) return `${textOf(fieldOf(kafka, 'apiKey'))} ${textOf(fieldOf(kafka, 'topic'))}`.trim();
  return sni;
}

/** A sentence about all of it. */
export function changedText({ flows, judged, counts, isCut }: ReplayAnswer): string {
  const denied = counts['allowed -> denied'] ?? 0;
  const allowed = counts['denied -> allowed'] ?? 0;
  if (flows === 0) return 'No flow was seen in the last hour.';
  if (denied + allowed === 0) return `None of ${judged} flows would change.`;
  const which = isCut ? `the newest ${judged}` : `${judged}`;
  return `Of ${which} flows ${denied} would be denied that are allowed, and ${allowed} allowed that are denied.`;
}

/** The question to a judge that a line of a replay stands for. */
export function queryOf({ from, to, protocol, port, http, dns, kafka, sni }: Replayed): object {
  const request = { http, dns, kafka, sni };
  const isIcmp = protocol.startsWith('ICMP');
  return {
    from,
    to,
    ...(isIcmp ? { protocol, icmp: port } : { protocol, port }),
    ...Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)),
  };
}
